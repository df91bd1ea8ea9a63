#include "broker/route_spread.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <limits>

#include "base/assert.h"

namespace warren::broker {
namespace {

/// Spreads the bits of a number over all of it.
std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

/// FNV-1a: the same on every machine and in every release.
std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t hash = 0xcbf29ce484222325u) {
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// -ln(u) for a random u between 0 and 1. Only sums, products and quotients, which come out alike
/// on every machine; the standard library's logarithm may not.
double waiting_time(std::uint64_t random) {
  const double u = (static_cast<double>(random >> 11) + 1.0) * 0x1p-53;
  const auto bits = std::bit_cast<std::uint64_t>(u);
  int exponent = static_cast<int>(bits >> 52) - 1022;
  double part = std::bit_cast<double>((bits & 0x000fffffffffffffu) | 0x3fe0000000000000u);
  if (part < 0.70710678118654752) {
    part *= 2;
    --exponent;
  }
  const double s = (part - 1) / (part + 1);
  const double square = s * s;
  double sum = 0;
  for (int power = 15; power >= 1; power -= 2) sum = sum * square + 1.0 / power;
  return -(exponent * 0.69314718055994531 + 2 * s * sum);
}

constexpr std::size_t nowhere = SIZE_MAX;

std::string entry_name(const catalog::Binding& binding) {
  return (binding.destination_kind == catalog::DestinationKind::queue ? 'q' : 'e') +
         binding.destination;
}

}  // namespace

std::optional<std::int32_t> parse_weight(std::string_view binding_key) {
  const bool is_negative = binding_key.starts_with('-');
  if (is_negative || binding_key.starts_with('+')) binding_key.remove_prefix(1);
  if (binding_key.empty() || binding_key.find_first_not_of("0123456789") != binding_key.npos)
    return std::nullopt;
  std::int32_t weight = 0;
  const char* end = binding_key.data() + binding_key.size();
  if (std::from_chars(binding_key.data(), end, weight).ec != std::errc())
    weight = std::numeric_limits<std::int32_t>::max();
  return is_negative ? -weight : weight;
}

HashSource::HashSource(const base::FieldTable& arguments) {
  auto text = [&](std::string_view name) {
    const base::FieldValue* value = arguments.find(name);
    return value ? value->as<std::string>() : nullptr;
  };
  if (const std::string* header = text("hash-header")) {
    kind_ = Kind::header;
    header_ = *header;
  } else if (const std::string* property = text("hash-property")) {
    if (*property == "message_id") kind_ = Kind::message_id;
    if (*property == "correlation_id") kind_ = Kind::correlation_id;
    if (*property == "timestamp") kind_ = Kind::timestamp;
  }
}

std::uint64_t HashSource::hash(const Asked& asked) const {
  const RoutedContent& content = asked.content;
  base::Bytes bytes;
  switch (kind_) {
    case Kind::routing_key: {
      std::uint64_t all = mixed(hash_bytes(asked.routing_keys.front()));
      for (std::string_view key : asked.routing_keys.subspan(1)) all = mixed(hash_bytes(key, all));
      return all;
    }
    case Kind::header:
      if (const auto* value = content.headers ? content.headers->find(header_) : nullptr) {
        base::ByteWriter writer(bytes);
        base::write_field_table(writer, {{"", *value}});
      }
      break;
    case Kind::message_id: bytes = content.message_id.value_or(""); break;
    case Kind::correlation_id: bytes = content.correlation_id.value_or(""); break;
    case Kind::timestamp: return mixed(content.timestamp.value_or(0));
  }
  return mixed(hash_bytes(bytes));
}

void SpreadTable::add(const catalog::Binding& binding, TargetNumber target, std::int32_t weight) {
  ASSERT(weight > 0);
  if (target >= places_.size()) places_.resize(target + 1, nowhere);
  std::size_t& place = places_[target];
  if (place == nowhere) {
    place = entries_.size();
    std::string name = entry_name(binding);
    const std::uint64_t hash = mixed(hash_bytes(name));
    entries_.push_back({std::move(name), target, 0, hash});
  }
  entries_[place].weight += weight;
  weight_ += static_cast<std::uint64_t>(weight);
  is_prepared_ = false;
}

void SpreadTable::remove(TargetNumber target, std::int32_t weight) {
  ASSERT(target < places_.size() && places_[target] != nowhere);
  const std::size_t place = places_[target];
  ASSERT(entries_[place].weight >= weight);
  entries_[place].weight -= weight;
  weight_ -= static_cast<std::uint64_t>(weight);
  is_prepared_ = false;
  if (entries_[place].weight > 0) return;
  places_[target] = nowhere;
  if (place + 1 < entries_.size()) {
    entries_[place] = std::move(entries_.back());
    places_[entries_[place].target] = place;
  }
  entries_.pop_back();
}

// Each target draws a waiting time with its weight as the rate; who is first has the message. The
// draws of the others don't change when one comes or goes.
std::optional<TargetNumber> SpreadTable::closest(std::uint64_t hash) {
  if (!is_prepared_) prepare();
  const Entry* winner = nullptr;
  std::uint64_t highest = 0;
  double shortest = std::numeric_limits<double>::infinity();
  for (const Entry& entry : entries_) {
    const std::uint64_t draw = mixed(hash ^ entry.hash);
    if (is_even_) {
      if (winner && draw <= highest) continue;
      highest = draw;
    } else {
      const double time = waiting_time(draw) / static_cast<double>(entry.weight);
      if (time >= shortest) continue;
      shortest = time;
    }
    winner = &entry;
  }
  return winner ? std::optional(winner->target) : std::nullopt;
}

std::optional<TargetNumber> SpreadTable::at(std::uint64_t place) {
  if (weight_ == 0) return std::nullopt;
  if (!is_prepared_) prepare();
  place %= weight_;
  if (weight_ == entries_.size()) return entries_[place].target;
  for (const Entry& entry : entries_) {
    const auto weight = static_cast<std::uint64_t>(entry.weight);
    if (place < weight) return entry.target;
    place -= weight;
  }
  ASSERT(false);
  return std::nullopt;
}

void SpreadTable::prepare() {
  std::ranges::sort(entries_, {}, &Entry::name);
  is_even_ = true;
  for (std::size_t place = 0; place < entries_.size(); ++place) {
    places_[entries_[place].target] = place;
    is_even_ &= entries_[place].weight == entries_.front().weight;
  }
  is_prepared_ = true;
}

}  // namespace warren::broker
