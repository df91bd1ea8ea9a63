#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace warren::server {

/// The explicitly enabled plugins: one Erlang list, `[rabbitmq_management].` A missing file is an
/// empty list.
base::Result<std::vector<std::string>> read_enabled_plugins(const std::filesystem::path& file);

}  // namespace warren::server
