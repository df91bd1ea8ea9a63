#include "broker/queue_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "broker/names.h"
#include "broker/resource.h"

namespace warren::broker {
namespace {

using base::ErrorCode;
using base::FieldTable;
using base::FieldValue;
/// What is wrong with an argument, in the words that follow "invalid arg 'x' for R: ".
using Fault = std::optional<std::string>;

/// Ten years: longer than that no timer runs.
constexpr std::int64_t most_milliseconds = std::int64_t{10} * 365 * 24 * 60 * 60 * 1000;

base::Result<> refused(std::string text) {
  return base::fail(ErrorCode::precondition_failed, std::move(text));
}

Fault unacceptable_type(const FieldValue& value) {
  return fmt::format("{{unacceptable_type,{}}}", value.type_name());
}

Fault check_integer(const FieldValue& value) {
  if (value.is_integer()) return {};
  return fmt::format("\"expected integer, got {}\"", value.type_name());
}

Fault check_not_negative(const FieldValue& value, const FieldTable&) {
  if (Fault fault = check_integer(value)) return fault;
  if (value.to_integer() >= 0) return {};
  return fmt::format("{{value_negative,{}}}", value.to_integer());
}

Fault check_milliseconds(const FieldValue& value, const FieldTable& arguments) {
  if (Fault fault = check_not_negative(value, arguments)) return fault;
  if (value.to_integer() <= most_milliseconds) return {};
  return fmt::format("{{value_too_large,{}}}", value.to_integer());
}

Fault check_positive(const FieldValue& value, const FieldTable& arguments) {
  if (Fault fault = check_milliseconds(value, arguments)) return fault;
  if (value.to_integer() > 0) return {};
  return "{value_zero,0}";
}

Fault check_max_priority(const FieldValue& value, const FieldTable& arguments) {
  if (Fault fault = check_not_negative(value, arguments)) return fault;
  if (value.to_integer() <= 255) return {};
  return fmt::format("{{max_value_exceeded,{}}}", value.to_integer());
}

Fault check_text(const FieldValue& value, const FieldTable&) {
  if (value.as<std::string>()) return {};
  return unacceptable_type(value);
}

Fault check_flag(const FieldValue& value, const FieldTable&) {
  if (value.as<bool>()) return {};
  return unacceptable_type(value);
}

template <std::size_t n>
Fault check_choice(const FieldValue& value, const std::array<std::string_view, n>& choices,
                   std::string_view fault) {
  const std::string* text = value.as<std::string>();
  if (!text) return unacceptable_type(value);
  if (std::ranges::find(choices, *text) != choices.end()) return {};
  return fmt::format(fmt::runtime(fault), *text);
}

Fault check_dead_letter_routing_key(const FieldValue& value, const FieldTable& arguments) {
  if (Fault fault = check_text(value, arguments)) return fault;
  if (arguments.find("x-dead-letter-exchange")) return {};
  return "routing_key_but_no_dlx_defined";
}

Fault check_dead_letter_strategy(const FieldValue& value, const FieldTable&) {
  static constexpr std::array<std::string_view, 2> choices = {"at-most-once", "at-least-once"};
  return check_choice(value, choices, "invalid_dlx_strategy");
}

Fault check_overflow(const FieldValue& value, const FieldTable&) {
  static constexpr std::array<std::string_view, 3> choices = {"drop-head", "reject-publish",
                                                              "reject-publish-dlx"};
  return check_choice(value, choices, "invalid_overflow");
}

Fault check_queue_mode(const FieldValue& value, const FieldTable&) {
  static constexpr std::array<std::string_view, 2> choices = {"default", "lazy"};
  return check_choice(value, choices, "\"unsupported queue mode '{}'\"");
}

Fault check_queue_type(const FieldValue& value, const FieldTable&) {
  static constexpr std::array<std::string_view, 3> choices = {"classic", "quorum", "stream"};
  return check_choice(value, choices, "\"unsupported queue type '{}'\"");
}

Fault check_queue_version(const FieldValue& value, const FieldTable& arguments) {
  if (Fault fault = check_not_negative(value, arguments)) return fault;
  if (value.to_integer() == 1 || value.to_integer() == 2) return {};
  return fmt::format("\"unsupported queue version '{}'\"", value.to_integer());
}

Fault check_master_locator(const FieldValue& value, const FieldTable&) {
  static constexpr std::array<std::string_view, 3> choices = {"client-local", "min-masters",
                                                              "random"};
  // RabbitMQ looks at the octets alone here.
  if (const auto* binary = value.as<base::FieldBinary>())
    return check_choice(FieldValue(binary->bytes), choices, "invalid_queue_locator_arg");
  return check_choice(value, choices, "invalid_queue_locator_arg");
}

/// A number and one of Y, M, D, h, m, s.
Fault check_max_age(const FieldValue& value, const FieldTable&) {
  const std::string* text = value.as<std::string>();
  if (!text) return unacceptable_type(value);
  std::uint64_t number = 0;
  const char* end = text->data() + text->size();
  auto [rest, error] = std::from_chars(text->data(), end, number);
  if (error == std::errc() && rest + 1 == end && std::string_view("YMDhms").contains(*rest))
    return {};
  return "invalid_max_age";
}

Fault accept(const FieldValue&, const FieldTable&) {
  return {};
}

/// RabbitMQ knows it of quorum queues, and takes any value.
Fault check_delivery_limit(const FieldValue& value, const FieldTable& arguments) {
  const FieldValue* type = arguments.find("x-queue-type");
  return type && *type == FieldValue("quorum") ? Fault() : check_not_negative(value, arguments);
}

constexpr unsigned classic = 1, quorum = 2, stream = 4, all_types = 7;

struct Argument {
  std::string_view name;
  Fault (*check)(const FieldValue& value, const FieldTable& arguments);
  unsigned queue_types;
};

/// In the order in which faults are reported. x-dead-letter-exchange has a check of its own.
constexpr Argument known_arguments[] = {
    {"x-queue-type", check_queue_type, all_types},
    {"x-expires", check_positive, classic | quorum},
    {"x-message-ttl", check_milliseconds, classic | quorum},
    {"x-dead-letter-exchange", accept, classic | quorum},
    {"x-dead-letter-routing-key", check_dead_letter_routing_key, classic | quorum},
    {"x-dead-letter-strategy", check_dead_letter_strategy, quorum},
    {"x-max-length", check_not_negative, classic | quorum},
    {"x-max-length-bytes", check_not_negative, all_types},
    {"x-max-in-memory-length", check_not_negative, quorum},
    {"x-max-in-memory-bytes", check_not_negative, quorum},
    {"x-max-priority", check_max_priority, classic},
    {"x-overflow", check_overflow, classic | quorum},
    {"x-queue-mode", check_queue_mode, classic},
    {"x-queue-version", check_queue_version, classic},
    {"x-single-active-consumer", check_flag, classic | quorum},
    {"x-quorum-initial-group-size", check_positive, quorum},
    {"x-max-age", check_max_age, stream},
    {"x-stream-max-segment-size-bytes", check_not_negative, stream},
    {"x-initial-cluster-size", check_positive, stream},
    {"x-queue-master-locator", check_master_locator, classic},
    // RabbitMQ takes any value of this one.
    {"x-queue-leader-locator", accept, quorum | stream},
    {"x-delivery-limit", check_delivery_limit, classic | quorum},
};

struct QueueType {
  std::string_view name;
  unsigned bit;
  std::string_view implementation;  ///< as error texts call it
};

constexpr QueueType queue_types[] = {{"classic", classic, "rabbit_classic_queue"},
                                     {"quorum", quorum, "rabbit_quorum_queue"},
                                     {"stream", stream, "rabbit_stream_queue"}};

/// Classic also for a value that is no queue type: that is check_queue_type's to refuse.
const QueueType& type_asked(const FieldTable& arguments) {
  const FieldValue* value = arguments.find("x-queue-type");
  const std::string* text = value ? value->as<std::string>() : nullptr;
  for (const QueueType& type : queue_types)
    if (text && type.name == *text) return type;
  return queue_types[0];
}

base::Result<> check_replicated_properties(const QueueDeclaration& declaration,
                                           std::string_view resource) {
  auto invalid = [&](std::string_view property) {
    return refused(fmt::format("invalid property '{}' for {}", property, resource));
  };
  if (declaration.auto_delete) return invalid("auto-delete");
  if (declaration.exclusive) return invalid("exclusive-owner");
  if (!declaration.durable) return invalid("non-durable");
  return {};
}

}  // namespace

std::span<const std::string_view> known_queue_arguments() {
  static constexpr auto names = [] {
    std::array<std::string_view, std::size(known_arguments)> all;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = known_arguments[i].name;
    return all;
  }();
  return names;
}

base::Result<> check_queue_name(std::string_view name) {
  if (!has_reserved_prefix(name)) return {};
  return base::fail(ErrorCode::access_refused,
                    fmt::format("queue name '{}' contains reserved prefix 'amq.*'", name));
}

base::Result<> check_server_named(const FieldTable& arguments) {
  const QueueType& type = type_asked(arguments);
  if (type.bit == classic) return {};
  return refused(
      fmt::format("Cannot declare a server-named queue for type {}", type.implementation));
}

base::Result<> check_new_queue(const QueueDeclaration& declaration) {
  const FieldTable& arguments = declaration.arguments;
  std::string resource = resource_text(ResourceKind::queue, declaration.name);
  const FieldValue* dead_letter = arguments.find("x-dead-letter-exchange");
  if (dead_letter && !dead_letter->as<std::string>())
    return refused(fmt::format("invalid type '{}' for arg 'x-dead-letter-exchange' in {}",
                               dead_letter->type_name(), resource));
  const QueueType& type = type_asked(arguments);
  for (const Argument& known : known_arguments) {
    const FieldValue* value = arguments.find(known.name);
    if (!value || (known.queue_types & type.bit) == 0) continue;
    if (Fault fault = known.check(*value, arguments))
      return refused(fmt::format("invalid arg '{}' for {}: {}", known.name, resource, *fault));
  }
  for (const Argument& known : known_arguments)
    if ((known.queue_types & type.bit) == 0 && arguments.find(known.name))
      return refused(fmt::format("invalid arg '{}' for {} of queue type {}", known.name, resource,
                                 type.implementation));
  if (type.bit == classic) return {};
  TRY(check_replicated_properties(declaration, resource));
  return refused(fmt::format("queue type '{}' is not offered yet: declare {} as classic", type.name,
                             resource));
}

std::uint8_t max_priority(const base::FieldTable& arguments) {
  const FieldValue* most = arguments.find("x-max-priority");
  return most ? static_cast<std::uint8_t>(std::clamp<std::int64_t>(most->to_integer(), 0, 255)) : 0;
}

bool has_single_active_consumer(const base::FieldTable& arguments) {
  const FieldValue* value = arguments.find("x-single-active-consumer");
  const bool* flag = value ? value->as<bool>() : nullptr;
  return flag && *flag;
}

base::Result<> check_consumer_arguments(const catalog::ResourceName& queue,
                                        const FieldTable& arguments) {
  auto check = [&](std::string_view name, Fault fault) -> base::Result<> {
    if (!fault) return {};
    return refused(fmt::format("invalid arg '{}' for {}: {}", name,
                               resource_text(ResourceKind::queue, queue), *fault));
  };
  if (const FieldValue* priority = arguments.find("x-priority"))
    TRY(check("x-priority", check_integer(*priority)));
  if (const FieldValue* cancel = arguments.find("x-cancel-on-ha-failover"))
    TRY(check("x-cancel-on-ha-failover", check_flag(*cancel, arguments)));
  // Only streams have offsets, and there are none.
  if (arguments.find("x-stream-offset"))
    return refused(fmt::format("invalid arg 'x-stream-offset' for {} of queue type {}",
                               resource_text(ResourceKind::queue, queue),
                               queue_types[0].implementation));
  return {};
}

}  // namespace warren::broker
