#pragma once

#include <span>
#include <string_view>

namespace warren::management {

/// The columns of one listing command.
struct Columns {
  std::span<const std::string_view> known;     ///< by name
  std::span<const std::string_view> defaults;  ///< shown when none are asked for
};

/// Null for a command whose columns can't be chosen.
const Columns* find_columns(std::string_view command);

}  // namespace warren::management
