#include <fmt/format.h>

#include "broker/exchange_declaration.h"
#include "codec/amqp091_properties.h"
#include "session/channel.h"
#include "session/publish_checks.h"

/// From a whole basic.publish to its queues, and the confirms on the way back.
namespace warren::session::amqp091 {

using namespace codec::amqp091;
using broker::ResourceKind;

Verdict Channel::handle(const ConfirmSelect& select) {
  if (transaction_)
    return refuse(ReplyCode::precondition_failed, "cannot switch from tx to confirm mode");
  confirms_.select(last_publish_);
  if (!select.nowait) send(ConfirmSelectOk{});
  return {};
}

Verdict Channel::check_publish(const Publish& publish) const {
  if (publish.immediate) return refuse(ReplyCode::not_implemented, "immediate=true");
  const std::uint64_t limit = talk_.environment.limits.max_message_size;
  if (publish.body_size > limit)
    return refuse(ReplyCode::precondition_failed,
                  fmt::format("message size {} is larger than configured max size {}",
                              publish.body_size, limit));
  if (auto allowed = check_access(ResourceKind::exchange, publish.exchange, broker::Access::write);
      !allowed)
    return refuse(allowed.error());
  if (publish.exchange.empty()) return {};
  const QueueName name = in_vhost(publish.exchange);
  const catalog::Exchange* exchange = catalog().find_exchange(name);
  if (exchange == nullptr) return refuse(broker::no_such_resource(ResourceKind::exchange, name));
  if (auto allowed = broker::check_publishable(*exchange); !allowed) return refuse(allowed.error());
  return {};
}

Verdict Channel::publish(const Publish& publish) {
  has_published_ = true;
  if (Verdict verdict = check_publish(publish); !verdict) return verdict;
  const auto scan = scan_properties(publish.properties);
  if (!scan) return refuse(scan.error());
  if (Verdict verdict = check_properties(*scan, talk_.user, catalog()); !verdict) return verdict;

  const bool asks_for_reply = scan->reply_to == direct_reply_to;
  if (asks_for_reply && reply_queue_.empty())
    return refuse(ReplyCode::precondition_failed, "fast reply consumer does not exist");

  auto extra = read_extra_keys(*scan);
  if (!extra) return std::unexpected(std::move(extra).error());
  broker::Router& router = talk_.environment.router;
  const QueueName exchange = in_vhost(publish.exchange);
  base::FieldTable headers;
  const bool needs_headers = scan->has_headers && router.needs_headers(exchange);
  if (needs_headers) {
    auto table = base::read_field_table_body(scan->headers);
    if (!table) return refuse(ReplyCode::frame_error, table.error().text);
    headers = std::move(*table);
  }
  const base::FieldTable* seen_headers = needs_headers ? &headers : nullptr;
  routed_.clear();
  if (extra->keys.empty()) {
    router.route(exchange, publish.routing_key, seen_headers, routed_);
  } else {
    std::vector<std::string_view> keys{publish.routing_key};
    for (const std::string& key : extra->keys) keys.push_back(key);
    router.route(exchange, keys, seen_headers, routed_);
  }

  const bool is_watched = transaction_ || confirms_.is_selected() || publish.mandatory;
  if (routed_.empty() && !is_watched) return {};

  broker::MessageParts parts{publish.exchange, publish.routing_key, publish.properties,
                             publish.body};
  base::Bytes rewritten;
  if (extra->has_bcc || asks_for_reply) {
    rewritten = rewrite_properties(publish.properties, asks_for_reply ? reply_queue_ : "");
    parts.properties = rewritten;
  }
  parts.persistent = scan->delivery_mode == 2;
  parts.priority = scan->priority.value_or(0);
  OutgoingPublish outgoing{broker::Message::make(parts), publish.mandatory};
  if (!transaction_) {
    if (confirms_.is_selected()) confirms_.add();
    send_out(outgoing, routed_);
    return {};
  }
  transaction_->body_bytes += publish.body.size();
  if (transaction_->body_bytes > talk_.environment.limits.transaction_bytes)
    return refuse(ReplyCode::precondition_failed, "transaction is too large");
  transaction_->publishes.push_back({std::move(outgoing), routed_});
  return {};
}

/// The return of an unroutable message goes out before its confirm can.
void Channel::send_out(const OutgoingPublish& publish, std::span<const catalog::QueueId> queues) {
  if (queues.empty() && publish.mandatory) send_return(publish.message);
  const bool is_awaited = committing_ || confirms_.is_selected();
  if (queues.empty() && !is_awaited) return;
  if (committing_) ++committing_->unconfirmed;
  last_publish_ = last_publish_.next();
  gateway().publish(id_, last_publish_, publish.message, queues);
  note_congestion();
}

void Channel::send_return(const broker::Message& message) {
  send(BasicReturn{static_cast<std::uint16_t>(ReplyCode::no_route),
                   std::string(reply_name(ReplyCode::no_route)), std::string(message.exchange()),
                   std::string(message.routing_key())});
  write_header_frame(talk_.output, number_, BasicReturn::ids.class_id, message.body().size(),
                     message.properties());
  write_body_frames(talk_.output, number_, message.body(), talk_.frame_max);
}

void Channel::note_congestion() {
  if (is_congested_ || !gateway().is_congested(id_)) return;
  is_congested_ = true;
  ++talk_.congested_channels;
}

void Channel::on_uncongested() {
  if (!is_congested_) return;
  is_congested_ = false;
  --talk_.congested_channels;
}

void Channel::on_confirmed(std::span<const broker::PublishSeq> publishes) {
  on_settled(publishes, false);
}

void Channel::on_rejected(std::span<const broker::PublishSeq> publishes) {
  on_settled(publishes, true);
}

void Channel::on_settled(std::span<const broker::PublishSeq> publishes, bool is_rejected) {
  if (confirms_.is_selected()) return confirms_.settle(publishes, is_rejected);
  if (!committing_) return;
  for (broker::PublishSeq publish : publishes) {
    if (publish < committing_->first_publish) continue;
    --committing_->unconfirmed;
    if (is_rejected) committing_->has_failed = true;
  }
  continue_commit();
}

}  // namespace warren::session::amqp091
