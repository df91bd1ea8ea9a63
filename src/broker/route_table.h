#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/field_value.h"
#include "broker/route_direct.h"
#include "broker/route_headers.h"
#include "broker/route_spread.h"
#include "broker/route_topic.h"
#include "catalog/records.h"

namespace warren::broker {

/// One exchange, compiled: its bindings by what they ask for, and where they lead. Bindings come
/// and go one by one. Tables point to each other; the router sees to it that they live.
class RouteTable {
 public:
  enum class Kind {
    nowhere,        ///< the exchange does not exist, or is of a type that routes nothing
    default_queue,  ///< the default exchange: leads to the queue of that name
    direct,
    fanout,
    topic,
    headers,
    consistent_hash,
    modulus_hash,
    random,
    recent_history,
  };
  /// A queue, or the exchange behind a table.
  struct Target {
    catalog::QueueId queue;
    RouteTable* table = nullptr;
    std::uint32_t bindings = 0;  ///< that lead here
  };

  /// Begins anew, without bindings. Answers stay; the router judges them.
  void reset(Kind kind, const base::FieldTable& arguments = {});
  void reset(const catalog::Exchange& exchange);
  static Kind kind_of(std::string_view type);
  Kind kind() const { return kind_; }
  /// Whether the exchange looks at more than the routing keys.
  bool looks_at_content() const {
    return kind_ == Kind::headers || keeps_messages() || delays_ ||
           !hash_source_.is_routing_key();
  }
  /// Whether messages may have to wait before they are matched.
  bool delays() const { return delays_; }
  /// Whether equal messages go the same way for as long as the bindings stay.
  bool is_constant() const { return kind_ != Kind::random; }
  /// Whether the exchange remembers messages for who binds late.
  bool keeps_messages() const { return kind_ == Kind::recent_history; }

  void add(const catalog::Binding& binding, catalog::QueueId queue, RouteTable* table);
  /// Removes a binding that was added; passes over others. Answers the table that it led to.
  RouteTable* remove(const catalog::Binding& binding);

  /// Fills `out` with the targets of the bindings that fit one of the keys, perhaps with repeats.
  void match(const Asked& asked, std::vector<TargetNumber>& out);
  const Target& target(TargetNumber number) const { return targets_[number]; }
  /// Those that are in use have bindings.
  const std::vector<Target>& targets() const { return targets_; }

  catalog::ResourceName name;
  RouteTable* alternate = nullptr;
  /// Bindings and alternates of other tables that lead here.
  std::uint32_t references = 0;
  /// The router's last walk that came by.
  std::uint64_t visited = 0;
  /// Whether this exchange or one that it leads to looks at content, and whether all of them are
  /// constant; for one shape of the whole.
  bool needs_content = false;
  bool is_repeatable = true;
  std::uint64_t judged_shape = 0;

  /// Remembered answers by routing key, in bounded number.
  struct Answers {
    TextMap<std::vector<catalog::QueueId>> by_key;
    std::size_t queues = 0;
    std::size_t hits = 0;
    /// Too many keys to remember: so many lookups go by before it is tried again.
    std::size_t pause = 0;
    std::uint64_t valid_for = 0;

    void clear() {
      by_key.clear();
      queues = hits = 0;
    }
    void forget(std::string_view key);
  } answers;

 private:
  struct Fanout {};
  using Numbers = TextMap<TargetNumber>;

  Numbers& numbers_of(catalog::DestinationKind kind) {
    return kind == catalog::DestinationKind::queue ? queue_numbers_ : exchange_numbers_;
  }

  void add_match(const catalog::Binding& binding, TargetNumber number);
  void remove_match(const catalog::Binding& binding, TargetNumber number);
  std::optional<TargetNumber> choose(SpreadTable& table, const Asked& asked) const;
  /// Of a binding within a SpreadTable.
  std::int32_t weight_of(const catalog::Binding& binding) const;

  Kind kind_ = Kind::nowhere;
  bool delays_ = false;
  HashSource hash_source_;
  std::variant<DirectTable, Fanout, TopicTable, HeadersTable, SpreadTable> bindings_;
  std::vector<Target> targets_;
  std::vector<TargetNumber> free_targets_;
  Numbers queue_numbers_;
  Numbers exchange_numbers_;
};

}  // namespace warren::broker
