#include "session/errors.h"

#include <fmt/format.h>

#include "broker/resource.h"

namespace warren::session::amqp091 {

std::string_view reply_name(ReplyCode code) {
  switch (code) {
    case ReplyCode::no_route:
      return "NO_ROUTE";
    case ReplyCode::connection_forced:
      return "CONNECTION_FORCED";
    case ReplyCode::access_refused:
      return "ACCESS_REFUSED";
    case ReplyCode::not_found:
      return "NOT_FOUND";
    case ReplyCode::resource_locked:
      return "RESOURCE_LOCKED";
    case ReplyCode::precondition_failed:
      return "PRECONDITION_FAILED";
    case ReplyCode::frame_error:
      return "FRAME_ERROR";
    case ReplyCode::syntax_error:
      return "SYNTAX_ERROR";
    case ReplyCode::command_invalid:
      return "COMMAND_INVALID";
    case ReplyCode::channel_error:
      return "CHANNEL_ERROR";
    case ReplyCode::unexpected_frame:
      return "UNEXPECTED_FRAME";
    case ReplyCode::resource_error:
      return "RESOURCE_ERROR";
    case ReplyCode::not_allowed:
      return "NOT_ALLOWED";
    case ReplyCode::not_implemented:
      return "NOT_IMPLEMENTED";
    case ReplyCode::internal_error:
      return "INTERNAL_ERROR";
  }
  return "INTERNAL_ERROR";
}

bool is_soft(ReplyCode code) {
  switch (code) {
    case ReplyCode::no_route:
    case ReplyCode::access_refused:
    case ReplyCode::not_found:
    case ReplyCode::resource_locked:
    case ReplyCode::precondition_failed:
      return true;
    default:
      return false;
  }
}

ReplyCode reply_code(base::ErrorCode code) {
  switch (code) {
    case base::ErrorCode::access_refused:
      return ReplyCode::access_refused;
    case base::ErrorCode::not_found:
      return ReplyCode::not_found;
    case base::ErrorCode::resource_locked:
      return ReplyCode::resource_locked;
    case base::ErrorCode::already_exists:
    case base::ErrorCode::invalid_argument:
    case base::ErrorCode::precondition_failed:
      return ReplyCode::precondition_failed;
    case base::ErrorCode::frame_error:
      return ReplyCode::frame_error;
    case base::ErrorCode::not_allowed:
      return ReplyCode::not_allowed;
    case base::ErrorCode::not_implemented:
      return ReplyCode::not_implemented;
    // A queue that can't be reached is "not found" to RabbitMQ's clients, which try again.
    case base::ErrorCode::timeout:
    case base::ErrorCode::unavailable:
      return ReplyCode::not_found;
    case base::ErrorCode::corrupt:
    case base::ErrorCode::internal:
    case base::ErrorCode::io:
      return ReplyCode::internal_error;
  }
  return ReplyCode::internal_error;
}

Failure undecodable(const base::Error& error, base::ByteView payload) {
  if (error.code == base::ErrorCode::invalid_argument)
    return {ReplyCode::frame_error, error.text, codec::amqp091::MethodIds{}, false};
  const bool is_unknown = error.code == base::ErrorCode::not_implemented;
  return {reply_code(error.code), error.text, codec::amqp091::peek_method(payload), is_unknown};
}

std::unexpected<Failure> refuse_queue(const base::Error& error,
                                      const catalog::ResourceName& queue) {
  for (std::string_view nameless : {"in exclusive use", "in use", "not empty"})
    if (error.text == nameless)
      return refuse(reply_code(error.code),
                    fmt::format("{} {}", broker::resource_text(broker::ResourceKind::queue, queue),
                                nameless));
  return refuse(error);
}

std::unexpected<Failure> refuse_change(const base::Error& error) {
  const bool is_undecided =
      error.code == base::ErrorCode::timeout || error.code == base::ErrorCode::unavailable;
  return refuse(is_undecided ? ReplyCode::resource_error : reply_code(error.code), error.text);
}

std::string Failure::reply_text() const {
  std::string whole(reply_name(code));
  if (!text.empty()) whole.append(" - ").append(text);
  constexpr std::size_t longest = 255;
  if (whole.size() > longest) whole.replace(longest - 3, std::string::npos, "...");
  return whole;
}

}  // namespace warren::session::amqp091
