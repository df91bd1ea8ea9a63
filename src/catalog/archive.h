#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "base/field_value.h"
#include "base/id.h"
#include "catalog/records.h"

/// The bytes of records, in commands and in snapshots. A record is its fields in the order of its
/// `fields_of`: texts with four length octets, integers in network order, a list as its count (4
/// octets) and its items, an optional as one octet 0 or 1 and the value, tables as in AMQP.
namespace warren::catalog {

template <typename T, typename Record>
concept Is = std::same_as<std::remove_const_t<T>, Record>;

auto fields_of(Is<ResourceName> auto& r) { return std::tie(r.vhost, r.name); }
auto fields_of(Is<Limits> auto& r) {
  return std::tie(r.max_connections, r.max_channels, r.max_queues);
}
auto fields_of(Is<Vhost> auto& r) { return std::tie(r.name, r.description, r.tags, r.limits); }
auto fields_of(Is<User> auto& r) {
  return std::tie(r.name, r.password_hash, r.hashing_algorithm, r.tags, r.limits);
}
auto fields_of(Is<Permission> auto& r) {
  return std::tie(r.user, r.vhost, r.configure, r.write, r.read);
}
auto fields_of(Is<TopicPermissionName> auto& r) { return std::tie(r.vhost, r.user, r.exchange); }
auto fields_of(Is<TopicPermission> auto& r) { return std::tie(r.name, r.write, r.read); }
auto fields_of(Is<Exchange> auto& r) {
  return std::tie(r.name, r.type, r.durable, r.auto_delete, r.internal, r.arguments, r.policy);
}
auto fields_of(Is<Binding> auto& r) {
  return std::tie(r.source, r.destination_kind, r.destination, r.routing_key, r.arguments);
}
auto fields_of(Is<ExclusiveOwner> auto& r) { return std::tie(r.connection, r.node); }
auto fields_of(Is<Queue> auto& r) {
  return std::tie(r.id, r.name, r.durable, r.auto_delete, r.exclusive_owner, r.arguments, r.policy,
                  r.operator_policy, r.leader, r.epoch, r.replicas, r.in_sync, r.placement_version);
}
auto fields_of(Is<Policy> auto& r) {
  return std::tie(r.name, r.pattern, r.definition, r.priority, r.applies_to);
}
auto fields_of(Is<NodeRun> auto& r) { return std::tie(r.name, r.incarnation); }
auto fields_of(Is<Node> auto& r) {
  return std::tie(r.name, r.kind, r.uuid, r.incarnation, r.running);
}

constexpr DestinationKind last_of(DestinationKind) { return DestinationKind::exchange; }
constexpr AppliesTo last_of(AppliesTo) { return AppliesTo::exchanges; }
constexpr NodeKind last_of(NodeKind) { return NodeKind::ram; }

/// Appends values to a byte string.
class Encoder {
 public:
  explicit Encoder(base::Bytes& out) : writer_(out) {}

  void put(bool value) { writer_.boolean(value); }
  void put(std::uint8_t value) { writer_.u8(value); }
  void put(std::int32_t value) { writer_.u32(static_cast<std::uint32_t>(value)); }
  void put(std::uint32_t value) { writer_.u32(value); }
  void put(std::uint64_t value) { writer_.u64(value); }
  void put(std::int64_t value) { writer_.u64(static_cast<std::uint64_t>(value)); }
  void put(const std::string& value) { writer_.long_string(value); }
  void put(const base::FieldTable& value) { base::write_field_table(writer_, value); }
  template <typename Tag>
  void put(base::Id<Tag> value) { writer_.u64(value.value); }
  template <typename T>
    requires std::is_enum_v<T>
  void put(T value) { writer_.u8(static_cast<std::uint8_t>(value)); }
  template <typename T>
  void put(const std::vector<T>& list) {
    put(static_cast<std::uint32_t>(list.size()));
    for (const T& item : list) put(item);
  }
  template <typename T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <typename Record>
    requires requires(const Record& record) { fields_of(record); }
  void put(const Record& record) {
    std::apply([this](const auto&... field) { (put(field), ...); }, fields_of(record));
  }

 private:
  base::ByteWriter writer_;
};

/// Takes values from the front of a byte view, which may hold anything. After a malformed value
/// `failed()` is true and the rest reads as empty. Memory stays in proportion to the view.
class Decoder {
 public:
  explicit Decoder(base::ByteView bytes) : reader_(bytes) {}

  bool failed() const { return reader_.failed(); }
  bool empty() const { return reader_.empty(); }
  void fail() { reader_.fail(); }

  void take(bool& value) { value = reader_.boolean(); }
  void take(std::uint8_t& value) { value = reader_.u8(); }
  void take(std::int32_t& value) { value = static_cast<std::int32_t>(reader_.u32()); }
  void take(std::uint32_t& value) { value = reader_.u32(); }
  void take(std::uint64_t& value) { value = reader_.u64(); }
  void take(std::int64_t& value) { value = static_cast<std::int64_t>(reader_.u64()); }
  void take(std::string& value) { value = reader_.long_string(); }
  void take(base::FieldTable& value) {
    if (auto table = base::read_field_table(reader_))
      value = std::move(*table);
    else
      reader_.fail();
  }
  template <typename Tag>
  void take(base::Id<Tag>& value) { value.value = reader_.u64(); }
  template <typename T>
    requires std::is_enum_v<T>
  void take(T& value) {
    std::uint8_t octet = reader_.u8();
    value = static_cast<T>(octet);
    if (octet > static_cast<std::uint8_t>(last_of(T{}))) reader_.fail();
  }
  template <typename T>
  void take(std::vector<T>& list) {
    // Each item takes bytes of the view, so a count that lies ends at the end of the view.
    for (std::uint32_t count = reader_.u32(); count > 0 && !failed(); --count)
      take(list.emplace_back());
  }
  template <typename T>
  void take(std::optional<T>& value) {
    if (reader_.boolean()) take(value.emplace());
  }
  template <typename Record>
    requires requires(Record& record) { fields_of(record); }
  void take(Record& record) {
    std::apply([this](auto&... field) { (take(field), ...); }, fields_of(record));
  }

 private:
  base::ByteReader reader_;
};

}  // namespace warren::catalog
