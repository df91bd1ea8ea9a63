#pragma once

#include <string>
#include <string_view>

#include "management/json.h"

namespace warren::cli {

/// The facts of `status` as sections with bold titles; without a line end at the end. `unit` is
/// bytes, mb or gb, for memory and disk.
std::string status_text(const std::string& node, const management::JsonObject& facts,
                        std::string_view unit);

/// "0.138 gb"
std::string size_text(double bytes, std::string_view unit);

}  // namespace warren::cli
