#include "catalog/policy_definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "catalog/pattern.h"

namespace warren::catalog {
namespace {

namespace json = boost::json;

/// What is wrong, without the frame that users see around it; empty when nothing is.
using Complaint = std::string;
using Choices = std::initializer_list<std::string_view>;

constexpr std::size_t max_definition_bytes = 1024 * 1024;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

// JSON values as RabbitMQ shows them: with sorted keys and, in errors, as Erlang terms.

using JsonMember = std::pair<std::string_view, const json::value*>;

std::string json_text(const json::value& value);

// Shortest text that reads back as the same number, never in the form of an integer.
std::string double_text(double number) {
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string erlang_binary(std::string_view text) {
  bool is_printable = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  std::string result = "<<";
  if (is_printable && !text.empty()) {
    result += '"';
    for (char c : text) {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
    result += '"';
  } else {
    for (std::size_t i = 0; i < text.size(); ++i)
      result += fmt::format("{}{}", i == 0 ? "" : ",", static_cast<unsigned char>(text[i]));
  }
  return result + ">>";
}

template <typename Items, typename Write>
std::string joined(const Items& items, Write write) {
  std::string result;
  for (const auto& item : items) {
    if (!result.empty()) result += ',';
    result += write(item);
  }
  return result;
}

std::string erlang_scalar(const json::value& value) {
  if (value.is_string()) return erlang_binary(view(value.get_string()));
  if (value.is_double()) return double_text(value.get_double());
  return json_text(value);
}

std::vector<JsonMember> sorted_members(const json::object& object) {
  std::vector<JsonMember> members;
  for (const auto& member : object)
    members.emplace_back(std::string_view(member.key().data(), member.key().size()),
                         &member.value());
  std::ranges::sort(members, {}, &JsonMember::first);
  return members;
}

std::string json_text(const json::value& value) {
  if (value.is_double()) return double_text(value.get_double());
  if (value.is_array())
    return "[" + joined(value.get_array(), [](const auto& item) { return json_text(item); }) + "]";
  if (!value.is_object()) return json::serialize(value);
  auto member_text = [](const JsonMember& member) {
    return json::serialize(json::string(member.first)) + ":" + json_text(*member.second);
  };
  return "{" + joined(sorted_members(value.get_object()), member_text) + "}";
}

std::string erlang_term(const json::value& value) {
  if (value.is_array())
    return "[" + joined(value.get_array(), [](const auto& item) { return erlang_term(item); }) +
           "]";
  if (!value.is_object()) return erlang_scalar(value);
  auto member_text = [](const JsonMember& member) {
    return erlang_binary(member.first) + " => " + erlang_term(*member.second);
  };
  return "#{" + joined(sorted_members(value.get_object()), member_text) + "}";
}

std::string erlang_property_list(const json::object& object) {
  auto member_text = [](const JsonMember& member) {
    return "{" + erlang_binary(member.first) + "," + erlang_term(*member.second) + "}";
  };
  return "[" + joined(sorted_members(object), member_text) + "]";
}

std::unexpected<base::Error> invalid(const Complaint& complaint) {
  return base::fail(base::ErrorCode::invalid_argument,
                    fmt::format("Validation failed\n\n{}\n", complaint));
}

std::optional<std::uint64_t> natural(const json::value& value) {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0)
    return static_cast<std::uint64_t>(value.get_int64());
  return {};
}

bool is_one_of(const json::value& value, Choices choices) {
  return value.is_string() && std::ranges::find(choices, view(value.get_string())) != choices.end();
}

// A number and a unit: "7D", "1h".
bool is_age(const json::value& value) {
  if (!value.is_string()) return false;
  std::string_view text = view(value.get_string());
  if (text.size() < 2 || !std::string_view("YMDhms").contains(text.back())) return false;
  return std::ranges::all_of(text.substr(0, text.size() - 1),
                             [](char c) { return c >= '0' && c <= '9'; });
}

bool is_natural(const json::value& value) { return natural(value).has_value(); }
bool is_positive(const json::value& value) { return natural(value).value_or(0) > 0; }
bool is_text(const json::value& value) { return value.is_string(); }

struct Key {
  std::string_view name;
  bool (*is_valid)(const json::value&);
  std::string_view noun;  ///< in "... is not a valid noun"
  std::string_view verdict = "is not a valid";
};

constexpr Key keys[] = {
    {"alternate-exchange", is_text, "alternate exchange name"},
    {"dead-letter-exchange", is_text, "dead letter exchange name"},
    {"dead-letter-routing-key", is_text, "dead letter routing key"},
    {"dead-letter-strategy",
     [](const json::value& v) { return is_one_of(v, {"at-most-once", "at-least-once"}); },
     "dead letter strategy"},
    {"delivery-limit", is_natural, "delivery limit"},
    {"expires", is_positive, "queue expiry"},
    {"federation-upstream", is_text, "federation upstream name"},
    {"federation-upstream-pattern", is_text, "federation upstream pattern"},
    {"federation-upstream-set", is_text, "federation upstream set name"},
    {"initial-cluster-size", is_positive, "cluster size"},
    {"max-age", is_age, "max age"},
    {"max-in-memory-bytes", is_natural, "maximum memory in bytes"},
    {"max-in-memory-length", is_natural, "maximum memory in bytes"},
    {"max-length", is_natural, "maximum length"},
    {"max-length-bytes", is_natural, "maximum length in bytes"},
    {"message-ttl", is_natural, "message TTL"},
    {"overflow",
     [](const json::value& v) {
       return is_one_of(v, {"drop-head", "reject-publish", "reject-publish-dlx"});
     },
     "overflow value"},
    {"queue-leader-locator",
     [](const json::value& v) {
       return is_one_of(v, {"client-local", "balanced", "random", "least-leaders"});
     },
     "queue leader locator value"},
    {"queue-master-locator",
     [](const json::value& v) { return is_one_of(v, {"client-local", "min-masters", "random"}); },
     "queue-master-locator value", "invalid"},
    {"queue-mode", [](const json::value& v) { return is_one_of(v, {"default", "lazy"}); },
     "queue-mode value"},
    {"queue-version",
     [](const json::value& v) { return is_positive(v) && *natural(v) <= 2; },
     "queue-version value"},
    {"stream-max-segment-size-bytes",
     [](const json::value& v) { return is_positive(v) && *natural(v) <= 3'000'000'000; },
     "segment size"},
};

constexpr std::string_view ha_keys[] = {
    "ha-mode",       "ha-params", "ha-promote-on-failure", "ha-promote-on-shutdown",
    "ha-sync-batch-size", "ha-sync-mode"};

Complaint read_ha_params(const json::value& mode, const json::value* params,
                         PolicyDefinition& definition) {
  std::string shown = params == nullptr ? "none" : erlang_term(*params);
  if (is_one_of(mode, {"all"})) {
    definition.ha_mode = HaMode::all;
    return params == nullptr ? "" : "ha-mode=\"all\" does not take parameters";
  }
  if (is_one_of(mode, {"exactly"})) {
    definition.ha_mode = HaMode::exactly;
    if (params == nullptr || !is_positive(*params))
      return fmt::format("ha-mode=\"exactly\" takes an integer, {} given", shown);
    definition.ha_count = *natural(*params);
    return {};
  }
  if (!is_one_of(mode, {"nodes"}))
    return fmt::format("{} is not a valid ha-mode value", erlang_term(mode));
  definition.ha_mode = HaMode::nodes;
  if (params == nullptr || !params->is_array())
    return fmt::format("ha-mode=\"nodes\" takes a list, {} given", shown);
  if (params->get_array().empty()) return "ha-mode=\"nodes\" list must be non-empty";
  for (const json::value& node : params->get_array()) {
    if (!node.is_string())
      return fmt::format("ha-mode=\"nodes\" takes a list of strings, {} was not a string",
                         erlang_term(node));
    definition.ha_nodes.emplace_back(view(node.get_string()));
  }
  return {};
}

Complaint read_promotion(const json::object& object, std::string_view key, Promotion& promotion) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return {};
  if (!is_one_of(*value, {"always", "when-synced"}))
    return fmt::format("{} must be \"always\" or \"when-synced\", got {}", key,
                       erlang_term(*value));
  promotion = is_one_of(*value, {"always"}) ? Promotion::always : Promotion::when_synced;
  return {};
}

Complaint read_ha(const json::object& object, PolicyDefinition& definition) {
  bool is_present =
      std::ranges::any_of(ha_keys, [&](auto key) { return object.if_contains(key) != nullptr; });
  if (!is_present) return {};
  const json::value* mode = object.if_contains("ha-mode");
  if (mode == nullptr)
    return "ha-mode must be specified to specify ha-params, ha-sync-mode or "
           "ha-promote-on-shutdown";
  Complaint complaint = read_ha_params(*mode, object.if_contains("ha-params"), definition);
  if (!complaint.empty()) return complaint;
  if (const json::value* sync = object.if_contains("ha-sync-mode")) {
    if (!is_one_of(*sync, {"manual", "automatic"}))
      return fmt::format("ha-sync-mode must be \"manual\" or \"automatic\", got {}",
                         erlang_term(*sync));
    definition.ha_sync_automatic = is_one_of(*sync, {"automatic"});
  }
  if (const json::value* size = object.if_contains("ha-sync-batch-size")) {
    if (!is_positive(*size))
      return fmt::format("ha-sync-batch-size takes an integer greater than 0, {} given",
                         erlang_term(*size));
    definition.ha_sync_batch_size = *natural(*size);
  }
  complaint = read_promotion(object, "ha-promote-on-shutdown", definition.promote_on_shutdown);
  if (!complaint.empty()) return complaint;
  return read_promotion(object, "ha-promote-on-failure", definition.promote_on_failure);
}

/// What operators may set.
constexpr std::string_view operator_keys[] = {
    "delivery-limit", "expires",    "max-in-memory-bytes", "max-in-memory-length",
    "max-length",     "max-length-bytes", "message-ttl"};

bool is_allowed(std::string_view name, PolicyKind kind) {
  return kind == PolicyKind::users ||
         std::ranges::find(operator_keys, name) != std::end(operator_keys);
}

Complaint check_keys(const json::object& object, PolicyKind kind) {
  if (object.empty()) return "no policy provided";
  json::object unknown;
  Complaint complaint;
  for (const auto& [name, value] : sorted_members(object)) {
    const bool is_known = is_allowed(name, kind);
    if (is_known && std::ranges::find(ha_keys, name) != std::end(ha_keys)) continue;
    const Key* key = std::ranges::find(keys, name, &Key::name);
    if (key == std::end(keys) || !is_known)
      unknown.emplace(name, *value);
    else if (!key->is_valid(*value) && complaint.empty())
      complaint = fmt::format("{} {} {}", erlang_term(*value), key->verdict, key->noun);
  }
  if (!complaint.empty() || unknown.empty()) return complaint;
  return fmt::format("{} are not recognised policy settings", erlang_property_list(unknown));
}

void read_values(const json::object& object, PolicyDefinition& definition) {
  auto number = [&](std::string_view key) -> std::optional<std::uint64_t> {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? std::nullopt : natural(*value);
  };
  auto text = [&](std::string_view key) -> std::optional<std::string> {
    const json::value* value = object.if_contains(key);
    if (value == nullptr) return {};
    return std::string(view(value->get_string()));
  };
  definition.message_ttl_ms = number("message-ttl");
  definition.expires_ms = number("expires");
  definition.max_length = number("max-length");
  definition.max_length_bytes = number("max-length-bytes");
  definition.delivery_limit = number("delivery-limit");
  definition.overflow = text("overflow");
  definition.dead_letter_exchange = text("dead-letter-exchange");
  definition.dead_letter_routing_key = text("dead-letter-routing-key");
  definition.alternate_exchange = text("alternate-exchange");
  definition.queue_mode = text("queue-mode");
  definition.max_age = text("max-age");
}

}  // namespace

base::Result<PolicyDefinition> parse_policy_definition(std::string_view text, PolicyKind kind) {
  if (text.size() > max_definition_bytes)
    return base::fail(base::ErrorCode::invalid_argument,
                      "policy definition is larger than 1 MiB");
  boost::system::error_code error;
  json::value parsed = json::parse({text.data(), text.size()}, error);
  if (error)
    return base::fail(base::ErrorCode::invalid_argument, "JSON decoding error. Reason: badarg");
  if (!parsed.is_object())
    return invalid(fmt::format("definition must be a dictionary: {}", erlang_term(parsed)));
  const json::object& object = parsed.get_object();
  PolicyDefinition definition;
  Complaint complaint;
  if (kind == PolicyKind::users) complaint = read_ha(object, definition);
  if (complaint.empty()) complaint = check_keys(object, kind);
  if (!complaint.empty()) return invalid(complaint);
  read_values(object, definition);
  definition.text = json_text(parsed);
  return definition;
}

std::string merge_definitions(const PolicyDefinition* policy,
                              const PolicyDefinition* operator_policy) {
  json::object merged;
  for (const PolicyDefinition* definition : {policy, operator_policy}) {
    if (definition == nullptr) continue;
    boost::system::error_code error;
    json::value parsed = json::parse(definition->text, error);
    if (error || !parsed.is_object()) continue;
    for (const auto& [name, value] : parsed.get_object()) {
      json::value& place = merged.emplace(name, value).first->value();
      auto one = natural(place), other = natural(value);
      if (one && other && *other < *one) place = value;
    }
  }
  return merged.empty() ? std::string() : json_text(merged);
}

base::Result<> check_policy_pattern(std::string_view pattern) {
  auto compiled = Pattern::compile(pattern);
  if (compiled) return {};
  // The tool breaks a term that would go past the 80th column behind its first element, and
  // indents the rest to the column behind the brace.
  std::string prefix = "pattern should be regular expression but is invalid: ";
  std::string text = fmt::format("\"{}\"", compiled.error().text);
  std::string offset = fmt::format("{}", compiled.error().offset);
  bool fits = prefix.size() + text.size() + offset.size() + 3 <= 80;
  std::string gap = fits ? "" : "\n" + std::string(prefix.size() + 1, ' ');
  return invalid(fmt::format("{}{{{},{}{}}}", prefix, text, gap, offset));
}

base::Result<AppliesTo> parse_applies_to(std::string_view text) {
  for (AppliesTo applies_to : {AppliesTo::all, AppliesTo::queues, AppliesTo::exchanges})
    if (text == applies_to_name(applies_to)) return applies_to;
  return invalid(fmt::format(
      "apply-to '{}' unrecognised; should be 'queues', 'exchanges' or 'all'", text));
}

std::string_view applies_to_name(AppliesTo applies_to) {
  switch (applies_to) {
    case AppliesTo::queues: return "queues";
    case AppliesTo::exchanges: return "exchanges";
    case AppliesTo::all: break;
  }
  return "all";
}

}  // namespace warren::catalog
