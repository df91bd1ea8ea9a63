// What the query of a list asks for: sort, columns, page and name filter.
#include "management/http_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "catalog/pattern.h"

namespace warren::management {
namespace {

constexpr std::size_t default_page_size = 100;
constexpr std::size_t max_page_size = 500;

/// The member at "a.b.c", or null.
const Json* find_path(const Json& item, std::string_view path) {
  const Json* at = &item;
  while (!path.empty()) {
    const JsonObject* object = at->if_object();
    if (!object) return nullptr;
    const std::size_t dot = path.find('.');
    const std::string_view name = path.substr(0, dot);
    at = object->if_contains({name.data(), name.size()});
    if (!at) return nullptr;
    path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
  }
  return at;
}

std::optional<double> number_of(const Json* value) {
  if (!value) return std::nullopt;
  if (value->is_int64()) return static_cast<double>(value->get_int64());
  if (value->is_uint64()) return static_cast<double>(value->get_uint64());
  if (value->is_double()) return value->get_double();
  return std::nullopt;
}

bool is_before(const Json* a, const Json* b) {
  const auto left = number_of(a), right = number_of(b);
  if (left && right) return *left < *right;
  if (left || right) return left.has_value();  // numbers come before all else
  const std::string left_text = a ? print_json(*a) : "";
  const std::string right_text = b ? print_json(*b) : "";
  return left_text < right_text;
}

void sort_list(JsonArray& list, std::string_view by, bool reverse) {
  if (!by.empty())
    std::stable_sort(list.begin(), list.end(), [&](const Json& a, const Json& b) {
      return is_before(find_path(a, by), find_path(b, by));
    });
  if (reverse) std::reverse(list.begin(), list.end());
}

std::vector<std::string_view> column_names(std::string_view columns) {
  std::vector<std::string_view> names;
  while (!columns.empty()) {
    const std::size_t comma = columns.find(',');
    names.push_back(columns.substr(0, comma));
    columns.remove_prefix(comma == std::string_view::npos ? columns.size() : comma + 1);
  }
  std::ranges::sort(names);
  return names;
}

Json keep_columns(const Json& item, const std::vector<std::string_view>& names) {
  JsonObject kept;
  for (std::string_view name : names)
    if (const Json* value = find_path(item, name))
      kept[boost::json::string_view(name.data(), name.size())] = *value;
  return kept;
}

void keep_named(JsonArray& list, const std::string& filter, bool use_regex) {
  std::optional<catalog::Pattern> pattern;
  if (use_regex)
    if (auto compiled = catalog::Pattern::compile(filter)) pattern = std::move(*compiled);
  auto matches = [&](const Json& item) {
    const JsonObject* object = item.if_object();
    const std::string name = object ? member_text(*object, "name") : "";
    return pattern ? pattern->matches(name) : name.find(filter) != std::string::npos;
  };
  JsonArray kept;
  for (Json& item : list)
    if (matches(item)) kept.push_back(std::move(item));
  list = std::move(kept);
}

std::size_t read_number(std::string_view text, std::size_t otherwise) {
  std::size_t number = otherwise;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : otherwise;
}

}  // namespace

base::Result<Json> shape_list(JsonArray list, const ListQuery& query) {
  auto value = [&](std::string_view name) {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  };
  const std::size_t total = list.size();
  const bool is_paged = query.contains("page");
  if (is_paged && !value("name").empty())
    keep_named(list, value("name"), value("use_regex") == "true");
  sort_list(list, value("sort"), value("sort_reverse") == "true");
  JsonObject page;
  if (is_paged) {
    const std::size_t number = read_number(value("page"), 0);
    const std::size_t size =
        std::clamp<std::size_t>(read_number(value("page_size"), default_page_size), 1,
                                max_page_size);
    const std::size_t filtered = list.size();
    const std::size_t pages = std::max<std::size_t>(1, (filtered + size - 1) / size);
    if (number < 1 || number > pages)
      return base::fail(base::ErrorCode::invalid_argument,
                        fmt::format("Page out of range, page: {} page size: {}, len: {}", number,
                                    size, filtered));
    const std::size_t first = (number - 1) * size;
    JsonArray items;
    for (std::size_t i = first; i < std::min(filtered, first + size); ++i)
      items.push_back(std::move(list[i]));
    list = std::move(items);
    page = {{"filtered_count", filtered}, {"item_count", list.size()}, {"items", nullptr},
            {"page", number},             {"page_count", pages},       {"page_size", size},
            {"total_count", total}};
  }
  if (query.contains("columns")) {
    const std::string columns = value("columns");
    const std::vector<std::string_view> names = column_names(columns);
    for (Json& item : list) item = keep_columns(item, names);
  }
  if (!is_paged) return Json(std::move(list));
  page["items"] = std::move(list);
  return Json(std::move(page));
}

Json shape_object(Json object, const ListQuery& query) {
  const auto columns = query.find("columns");
  if (columns == query.end() || !object.is_object()) return object;
  return keep_columns(object, column_names(columns->second));
}

}  // namespace warren::management
