#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/names.h"
#include "codec/amqp091_method.h"

/// Failures as AMQP 0-9-1 tells them to clients.
namespace warren::session::amqp091 {

enum class ReplyCode : std::uint16_t {
  no_route = 312,
  connection_forced = 320,
  access_refused = 403,
  not_found = 404,
  resource_locked = 405,
  precondition_failed = 406,
  frame_error = 501,
  syntax_error = 502,
  command_invalid = 503,
  channel_error = 504,
  unexpected_frame = 505,
  resource_error = 506,
  not_allowed = 530,
  not_implemented = 540,
  internal_error = 541,
};

/// "NOT_FOUND".
std::string_view reply_name(ReplyCode code);
/// Soft errors close the channel, hard ones the connection.
bool is_soft(ReplyCode code);
/// The code for an error of the broker that stopped a channel's method.
ReplyCode reply_code(base::ErrorCode code);

/// Why a channel or the connection must be closed.
struct Failure {
  ReplyCode code = ReplyCode::internal_error;
  std::string text;
  /// The method that failed, zeros where none is to blame. The dispatcher fills it in where it
  /// is left out.
  std::optional<codec::amqp091::MethodIds> method;
  /// The peer gets no close, only a reset.
  bool without_words = false;

  /// "NOT_FOUND - no queue 'q' in vhost '/'", at most 255 octets: a longer one ends in "...".
  std::string reply_text() const;
};

/// How the handling of a method ended.
using Verdict = std::expected<void, Failure>;

inline std::unexpected<Failure> refuse(ReplyCode code, std::string text) {
  return std::unexpected(Failure{code, std::move(text), {}, false});
}
inline std::unexpected<Failure> refuse(const base::Error& error) {
  return refuse(reply_code(error.code), error.text);
}
/// For a method frame that could not be decoded.
Failure undecodable(const base::Error& error, base::ByteView payload);
/// For errors of one queue, which may leave it to us to name it: "in use", "not empty".
std::unexpected<Failure> refuse_queue(const base::Error& error, const catalog::ResourceName& queue);
/// For changes of the catalog. One that could not be decided closes the connection: clients
/// reconnect then, perhaps to a node that can.
std::unexpected<Failure> refuse_change(const base::Error& error);

}  // namespace warren::session::amqp091
