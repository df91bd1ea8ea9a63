#include "management/limits.h"

#include <fmt/format.h>

#include <algorithm>

namespace warren::management {
namespace {

std::unexpected<base::Error> refused(std::string text) {
  return base::fail(base::ErrorCode::invalid_argument, std::move(text));
}

}  // namespace

std::string erlang_text(const Json& value) {
  if (!value.is_string()) return print_json(value);
  return fmt::format("<<{}>>", print_json(value));
}

std::optional<std::int64_t>* find_limit(catalog::Limits& limits, std::string_view name) {
  if (name == "max-connections") return &limits.max_connections;
  if (name == "max-channels") return &limits.max_channels;
  if (name == "max-queues") return &limits.max_queues;
  return nullptr;
}

JsonObject limits_json(const catalog::Limits& limits) {
  JsonObject object;
  catalog::Limits readable = limits;
  for (const char* name : {"max-channels", "max-connections", "max-queues"})
    if (const auto& limit = *find_limit(readable, name)) object[name] = *limit;
  return object;
}

base::Result<> read_limits(std::string_view text, std::span<const std::string_view> names,
                           std::string_view what, catalog::Limits& limits) {
  auto parsed = parse_json(text);
  if (!parsed) return refused("JSON decoding error. Reason: badarg");
  if (!parsed->is_object()) return refused(fmt::format("{} must be a JSON object", what));
  catalog::Limits changed = limits;
  for (const auto& member : parsed->get_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::ranges::find(names, name) == names.end())
      return refused(fmt::format("Unrecognised terms [{{<<\"{}\">>,{}}}] in {}", name,
                                 erlang_text(member.value()), what));
    if (!member.value().is_int64())
      return refused(fmt::format("{} should be a number, actually was {}", name,
                                 erlang_text(member.value())));
    *find_limit(changed, name) = member.value().get_int64();
  }
  limits = changed;
  return {};
}

}  // namespace warren::management
