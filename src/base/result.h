#pragma once

#include <expected>
#include <string>
#include <utility>

namespace warren::base {

/// Why an operation failed, in the broker's terms. Each protocol maps these to its own codes.
enum class ErrorCode {
  access_refused,        ///< the user may not do this
  already_exists,        ///< the thing to be made exists
  corrupt,               ///< stored bytes do not verify
  frame_error,           ///< bytes that do not follow the framing
  internal,              ///< a fault of ours, reported instead of hidden
  invalid_argument,      ///< the request itself is wrong
  io,                    ///< the operating system refused
  not_allowed,           ///< well formed, but forbidden in this state
  not_found,             ///< the thing named does not exist
  not_implemented,       ///< known, and not offered
  precondition_failed,   ///< the thing exists with other properties, or a limit is reached
  resource_locked,       ///< held exclusively by somebody else
  timeout,               ///< a deadline passed
  unavailable,           ///< the node or the quorum that could answer is not there
};

/// A failure that was expected to be possible: a code for programs, a text for people. The text
/// is written where the cause is known and says what to do about it.
struct Error {
  ErrorCode code;
  std::string text;

  bool operator==(const Error&) const = default;
};

template <typename T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string text) {
  return std::unexpected(Error{code, std::move(text)});
}

}  // namespace warren::base

#define WARREN_CONCAT_INNER(a, b) a##b
#define WARREN_CONCAT(a, b) WARREN_CONCAT_INNER(a, b)

/// TRY(expression) leaves the function with the error of a failed Result.
#define TRY(expression)                                                    \
  do {                                                                     \
    if (auto try_result = (expression); !try_result)                       \
      return std::unexpected(std::move(try_result).error());               \
  } while (false)

/// TRY_ASSIGN(auto name, expression) takes a Result's value or leaves with its error.
#define TRY_ASSIGN(declaration, expression)                                \
  TRY_ASSIGN_INNER(WARREN_CONCAT(try_result_, __LINE__), declaration, expression)
#define TRY_ASSIGN_INNER(temporary, declaration, expression)               \
  auto temporary = (expression);                                           \
  if (!temporary) return std::unexpected(std::move(temporary).error());    \
  declaration = std::move(*temporary)
