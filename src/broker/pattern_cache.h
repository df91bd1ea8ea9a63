#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "catalog/pattern.h"

namespace warren::broker {

/// Regular expressions by their text, compiled once, with the answers of late. An answer follows
/// from the two texts alone, so nothing here grows old. Bounded: a full cache starts anew.
class PatternCache {
 public:
  static constexpr std::size_t max_patterns = 1024;
  static constexpr std::size_t max_answers = 256;  ///< of each pattern

  /// Whether the pattern, unanchored, matches. The empty pattern matches only the empty subject; a
  /// pattern that does not compile, or takes too many steps, matches nothing.
  bool matches(std::string_view pattern, std::string_view subject);

 private:
  struct Compiled {
    std::optional<catalog::Pattern> pattern;
    std::map<std::string, bool, std::less<>> answers;
  };

  Compiled& compile(std::string_view pattern);

  std::map<std::string, Compiled, std::less<>> patterns_;
};

}  // namespace warren::broker
