#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace warren::catalog {

/// Why a regular expression does not compile, and at which byte of it.
struct PatternError {
  std::string text;
  std::size_t offset;
};

/// A compiled regular expression (PCRE2 over bytes), as policies and permissions have them. It is
/// matched without JIT, whose limits count differently: every node must find the same answer.
class Pattern {
 public:
  static std::expected<Pattern, PatternError> compile(std::string_view text);

  /// Whether it matches anywhere in `name`. A search that takes more than 10,000 steps counts as
  /// no match.
  bool matches(std::string_view name) const;

 private:
  explicit Pattern(std::shared_ptr<const void> code) : code_(std::move(code)) {}

  std::shared_ptr<const void> code_;
};

}  // namespace warren::catalog
