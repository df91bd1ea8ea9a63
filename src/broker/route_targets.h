#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/field_value.h"

namespace warren::broker {

/// What exchanges look at in a message besides its routing keys. Only views.
struct RoutedContent {
  // Most know no more than the headers.
  RoutedContent(const base::FieldTable* message_headers = nullptr) : headers(message_headers) {}

  const base::FieldTable* headers;  ///< may be null
  std::optional<std::string_view> message_id = {};
  std::optional<std::string_view> correlation_id = {};
  std::optional<std::uint64_t> timestamp = {};
};

/// What an exchange decides by.
struct Asked {
  /// At least one.
  std::span<const std::string_view> routing_keys;
  const RoutedContent& content;
  std::uint64_t chance = 0;  ///< a random number, for exchanges that choose by chance
};

/// A destination's place among those of its exchange.
using TargetNumber = std::uint32_t;

/// Hashes text without making a std::string of it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <typename T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

/// Where the bindings with one key lead, once for each binding. Mostly that is one place, which
/// takes no memory of its own.
class TargetList {
 public:
  bool empty() const { return count_ == 0; }
  void add(TargetNumber target);
  /// Removes one of the target's places; it must have one.
  void remove(TargetNumber target);
  void append_to(std::vector<TargetNumber>& out) const {
    if (count_ == 0) return;
    out.push_back(first_);
    if (rest_) out.insert(out.end(), rest_->begin(), rest_->end());
  }

 private:
  TargetNumber first_ = 0;
  std::uint32_t count_ = 0;
  std::unique_ptr<std::vector<TargetNumber>> rest_;
};

}  // namespace warren::broker
