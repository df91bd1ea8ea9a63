#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cell.h"

namespace warren::cli {

enum class Format { table, pretty_table, json, csv, erlang };

/// Empty for a name that is no formatter's.
std::optional<Format> find_format(std::string_view name);
/// json and csv go to programs: nothing but the data is printed.
bool prints_banner(Format format);

/// What a listing command got.
struct Listing {
  std::vector<std::string> columns;
  std::vector<std::vector<Json>> rows;
};

/// The whole output, each line with its end. `with_header` matters to tables only; a table
/// without rows has no header.
std::string format_listing(const Listing& listing, Format format, bool with_header);

std::string bold(std::string_view text);

}  // namespace warren::cli
