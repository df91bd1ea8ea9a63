#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace warren::broker {

/// A binding's place among the compiled bindings of its exchange.
using BindingNumber = std::uint32_t;

/// Hashes text without making a std::string of it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <typename T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

/// The bindings of a direct exchange by their keys.
class DirectTable {
 public:
  void add(std::string_view binding_key, BindingNumber binding);
  /// Appends the bindings whose key is equal to the routing key.
  void match(std::string_view routing_key, std::vector<BindingNumber>& out) const;

 private:
  TextMap<std::vector<BindingNumber>> bindings_;
};

}  // namespace warren::broker
