#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace warren::base {

/// A number that names one kind of thing and mixes with no other kind. Zero names nothing.
template <typename Tag>
struct Id {
  std::uint64_t value = 0;

  constexpr auto operator<=>(const Id&) const = default;
  constexpr explicit operator bool() const { return value != 0; }
  constexpr Id next() const { return Id{value + 1}; }
};

}  // namespace warren::base

template <typename Tag>
struct std::hash<warren::base::Id<Tag>> {
  std::size_t operator()(warren::base::Id<Tag> id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value * 0x9E3779B97F4A7C15ull);
  }
};
