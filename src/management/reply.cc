#include "management/reply.h"

#include <fmt/format.h>

namespace warren::management {

JsonObject ok_reply() { return {{"status", "ok"}, {"exit", 0}}; }

JsonObject text_reply(std::string_view text) {
  JsonObject reply = ok_reply();
  reply["text"] = text_json(text);
  return reply;
}

JsonObject value_reply(JsonObject value) {
  JsonObject reply = ok_reply();
  reply["value"] = std::move(value);
  return reply;
}

JsonObject rows_reply(const std::vector<std::string>& columns, JsonArray rows) {
  JsonObject reply = ok_reply();
  JsonArray names;
  for (const std::string& column : columns) names.push_back(text_json(column));
  reply["columns"] = std::move(names);
  reply["rows"] = std::move(rows);
  return reply;
}

JsonObject error_reply(int exit, std::string_view kind, std::string_view text) {
  return {{"status", "error"},
          {"exit", exit},
          {"kind", text_json(kind)},
          {"text", text_json(text)}};
}

JsonObject failed_reply(const base::Error& error) {
  if (error.code == base::ErrorCode::timeout)
    return error_reply(75, "plain", "Error: " + error.text);
  return error_reply(69, "failed", error.text);
}

Json atom_cell(std::string_view name) { return JsonObject{{"atom", text_json(name)}}; }

Json tuple_cell(JsonArray items) { return JsonObject{{"tuple", std::move(items)}}; }

Json table_cell(const base::FieldTable& table) {
  return JsonObject{{"table", typed_table_json(table)}};
}

Json pid_cell(std::string_view node, std::uint64_t creation, std::uint64_t number) {
  return JsonObject{{"pid", text_json(fmt::format("{}.{}.{}.0", node, creation, number))}};
}

}  // namespace warren::management
