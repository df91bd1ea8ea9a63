#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/field_value.h"
#include "broker/route_targets.h"
#include "catalog/records.h"

namespace warren::broker {

/// The weight that a binding key of a consistent-hash exchange says: a whole number, which may
/// have a sign. Numbers beyond 32 bits are the largest of these; empty for what is no number.
std::optional<std::int32_t> parse_weight(std::string_view binding_key);

/// What an exchange that spreads messages goes by.
class HashSource {
 public:
  /// The routing key, unless the exchange's arguments name a header or a property.
  explicit HashSource(const base::FieldTable& arguments = {});

  bool is_routing_key() const { return kind_ == Kind::routing_key; }
  /// The same for equal values on every node. Messages without the value are all equal.
  std::uint64_t hash(const Asked& asked) const;

 private:
  enum class Kind { routing_key, header, message_id, correlation_id, timestamp };

  Kind kind_ = Kind::routing_key;
  std::string header_;
};

/// The bindings of an exchange that sends each message to one of its targets: x-consistent-hash,
/// x-modulus-hash and x-random. A target with several bindings has their weights together.
///
/// Answers depend on the set of bindings alone, not on when and how it came about, so that every
/// node gives the same.
class SpreadTable {
 public:
  void add(const catalog::Binding& binding, TargetNumber target, std::int32_t weight);
  /// Takes the weight away again; it must have been added.
  void remove(TargetNumber target, std::int32_t weight);

  /// The target for a hash, in proportion to the weights; empty without targets. When a target
  /// comes or goes, only what it gains or had moves. Takes a step for each target.
  std::optional<TargetNumber> closest(std::uint64_t hash);
  /// The target at that place in their order by name, each as often as its weight; it starts
  /// over behind the last one.
  std::optional<TargetNumber> at(std::uint64_t place);

 private:
  struct Entry {
    std::string name;  ///< with a mark for the kind before it
    TargetNumber target = 0;
    std::int64_t weight = 0;
    std::uint64_t hash = 0;  ///< of the name
  };
  void prepare();

  std::vector<Entry> entries_;
  std::vector<std::size_t> places_;  ///< in entries_, by target
  std::uint64_t weight_ = 0;         ///< of all
  bool is_prepared_ = true;          ///< entries_ are in order, and is_even_ is right
  bool is_even_ = true;              ///< all weigh the same
};

}  // namespace warren::broker
