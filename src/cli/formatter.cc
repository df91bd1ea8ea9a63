#include "cli/formatter.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace warren::cli {
namespace {

namespace erlang = codec::erlang;

std::string format_table(const Listing& listing, bool with_header) {
  std::string out;
  if (with_header && !listing.rows.empty())
    out += fmt::format("{}\n", fmt::join(listing.columns, "\t"));
  for (const std::vector<Json>& row : listing.rows) {
    std::string separator;
    for (const Json& cell : row) {
      out += separator + cell_text(cell);
      separator = "\t";
    }
    out += '\n';
  }
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string format_csv(const Listing& listing) {
  if (listing.rows.empty()) return "";
  std::string out, separator;
  for (const std::string& column : listing.columns) {
    out += separator + quoted(column);
    separator = ",";
  }
  out += '\n';
  for (const std::vector<Json>& row : listing.rows) {
    separator.clear();
    for (const Json& cell : row) {
      out += separator + quoted(cell_text(cell));
      separator = ",";
    }
    out += '\n';
  }
  return out;
}

std::string format_json(const Listing& listing) {
  std::string out = "[\n";
  std::string separator;
  for (const std::vector<Json>& row : listing.rows) {
    JsonObject object;
    for (std::size_t i = 0; i < row.size() && i < listing.columns.size(); ++i)
      object[listing.columns[i]] = cell_json(row[i]);
    out += separator + management::print_json(object) + "\n";
    separator = ",";
  }
  return out + "]\n";
}

std::string format_erlang(const Listing& listing) {
  erlang::List list;
  for (const std::vector<Json>& row : listing.rows) {
    erlang::List fields;
    for (std::size_t i = 0; i < row.size() && i < listing.columns.size(); ++i)
      fields.items.push_back(erlang::pair(listing.columns[i], cell_term(row[i])));
    list.items.push_back(std::move(fields));
  }
  return erlang::print_pretty(list) + "\n";
}

// The line drawing characters of terminals, between escapes that switch them on and off.
std::string drawn(std::string_view lines) { return fmt::format("\x1b(0{}\x1b(B", lines); }

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string rule(const std::vector<std::size_t>& widths, char left, char middle, char right) {
  std::string lines(1, left);
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (i > 0) lines += middle;
    lines += std::string(widths[i] + 2, 'q');
  }
  return drawn(lines + right) + "\n";
}

std::string format_pretty_table(const Listing& listing) {
  if (listing.rows.empty()) return "";
  std::vector<std::size_t> widths;
  for (const std::string& column : listing.columns) widths.push_back(width_of(column));
  std::vector<std::vector<std::string>> texts;
  for (const std::vector<Json>& row : listing.rows) {
    std::vector<std::string>& line = texts.emplace_back();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      line.push_back(i < row.size() ? cell_short_text(row[i]) : "");
      widths[i] = std::max(widths[i], width_of(line.back()));
    }
  }
  auto write_row = [&](const std::vector<std::string>& line, bool is_header) {
    std::string out = drawn("x");
    for (std::size_t i = 0; i < widths.size(); ++i) {
      out += " " + (is_header ? bold(line[i]) : line[i]) +
             std::string(widths[i] - width_of(line[i]), ' ') + " " + drawn("x");
    }
    return out + "\n";
  };
  std::string out = rule(widths, 'l', 'w', 'k') + write_row(listing.columns, true);
  for (const std::vector<std::string>& line : texts)
    out += rule(widths, 't', 'n', 'u') + write_row(line, false);
  return out + rule(widths, 'm', 'v', 'j');
}

}  // namespace

std::optional<Format> find_format(std::string_view name) {
  static const std::map<std::string_view, Format> formats = {
      {"table", Format::table}, {"string", Format::table}, {"pretty_table", Format::pretty_table},
      {"json", Format::json},   {"csv", Format::csv},      {"erlang", Format::erlang}};
  const auto found = formats.find(name);
  if (found == formats.end()) return std::nullopt;
  return found->second;
}

bool prints_banner(Format format) { return format != Format::json && format != Format::csv; }

std::string format_listing(const Listing& listing, Format format, bool with_header) {
  switch (format) {
    case Format::table: return format_table(listing, with_header);
    case Format::pretty_table: return format_pretty_table(listing);
    case Format::json: return format_json(listing);
    case Format::csv: return format_csv(listing);
    case Format::erlang: return format_erlang(listing);
  }
  return "";
}

std::string bold(std::string_view text) { return fmt::format("\x1b[1m{}\x1b[0m", text); }

}  // namespace warren::cli
