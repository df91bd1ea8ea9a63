#include <fmt/format.h>

#include <utility>

#include "codec/amqp091_content.h"
#include "codec/amqp091_properties.h"
#include "session/channel.h"
#include "session/publish_checks.h"

/// From a whole basic.publish to its queues, and the confirms on the way back.
namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {

/// After so many copies of messages for several queues it is time to look at congestion.
constexpr std::uint32_t copies_at_once = 1'024;
/// What a queue takes of a transaction, about.
constexpr std::size_t held_queue_bytes = 64;

/// The answer to a question: as RabbitMQ counts it is never routed, although it arrives.
bool is_answer(const broker::Message& message) {
  return message.exchange().empty() && message.routing_key().starts_with(direct_reply_to) &&
         message.routing_key().size() > direct_reply_to.size();
}

}  // namespace

Verdict Channel::handle(const ConfirmSelect& select) {
  if (transaction_)
    return refuse(ReplyCode::precondition_failed, "cannot switch from tx to confirm mode");
  confirms_.select(last_publish_);
  if (!select.nowait) send(ConfirmSelectOk{});
  return {};
}

Verdict Channel::check_publish(const Publish& publish) const {
  return check_target(talk_.environment.authorizer, talk_.login, catalog(),
                      in_vhost(publish.exchange), publish.routing_key);
}

/// Leaves the queues in `routed_`.
Verdict Channel::find_route(const Publish& publish, std::span<const std::string> extra_keys) {
  broker::Router& router = talk_.environment.router;
  const QueueName exchange = in_vhost(publish.exchange);
  const broker::Router::Needs needs = router.needs(exchange);
  Properties properties;
  broker::RoutedContent content;
  if (needs.content) {
    auto decoded = decode_properties(publish.properties);
    if (!decoded) return refuse(decoded.error());
    properties = std::move(*decoded);
    content = routed_content(properties);
  }
  routed_.clear();
  if (extra_keys.empty()) {
    router.route(exchange, publish.routing_key, content, routed_);
    if (needs.key_alone) routes_.add(publish.exchange, publish.routing_key, routed_);
    return {};
  }
  std::vector<std::string_view> keys{publish.routing_key};
  keys.insert(keys.end(), extra_keys.begin(), extra_keys.end());
  router.route(exchange, keys, content, routed_);
  return {};
}

Verdict Channel::publish(const Publish& publish) {
  if (publish.immediate) return refuse(ReplyCode::not_implemented, "immediate=true");
  const std::uint64_t limit = talk_.environment.limits.max_message_size;
  if (publish.body_size > limit)
    return refuse(ReplyCode::precondition_failed,
                  fmt::format("message size {} is larger than configured max size {}",
                              publish.body_size, limit));
  // What was allowed and routed before needs neither again while the catalog stays as it is.
  const auto* known = routes_.find(catalog(), publish.exchange, publish.routing_key);
  if (known == nullptr)
    if (Verdict verdict = check_publish(publish); !verdict) return verdict;
  const auto scan = scan_properties(publish.properties);
  if (!scan) return refuse(scan.error());
  if (Verdict verdict = check_properties(*scan, talk_.login, replies_ != nullptr); !verdict)
    return verdict;
  const bool asks_for_reply = scan->reply_to == direct_reply_to;

  ExtraKeys extra;
  if (scan->has_headers) {
    auto read = read_extra_keys(*scan);
    if (!read) return std::unexpected(std::move(read).error());
    extra = std::move(*read);
  }
  std::span<const catalog::QueueId> queues;
  std::span<const catalog::ResourceName> histories;
  bool is_held_back = false;
  if (known != nullptr && extra.keys.empty()) {
    queues = *known;
  } else {
    if (Verdict verdict = find_route(publish, extra.keys); !verdict) return verdict;
    queues = routed_;
    histories = talk_.environment.router.histories();
    is_held_back = talk_.environment.router.is_held_back();
  }
  const bool is_watched = transaction_ || confirms_.is_selected() || publish.mandatory;
  if (queues.empty() && !is_watched && histories.empty() && !is_traced()) return {};

  const bool is_rewritten = extra.has_bcc || asks_for_reply;
  broker::Message message = is_rewritten ? broker::Message() : publish.message;
  if (!message) {
    base::Bytes rewritten;
    if (is_rewritten)
      rewritten = rewrite_properties(publish.properties, asks_for_reply ? replies_->queue : "");
    message = broker::Message::make(
        {publish.exchange, publish.routing_key,
         is_rewritten ? base::ByteView(rewritten) : publish.properties, publish.body,
         scan->delivery_mode == persistent_delivery_mode, scan->priority.value_or(0),
         read_expiration(scan->expiration), extra.blind_keys});
  }
  for (const QueueName& exchange : histories)
    talk_.environment.gateway.remember(exchange, message);
  if (is_traced())
    talk_.environment.firehose.copy_publish(
        place(), message, is_answer(message) ? std::span<const catalog::QueueId>() : queues);
  OutgoingPublish outgoing{std::move(message), publish.mandatory, is_held_back};
  if (transaction_) return hold(std::move(outgoing), queues);
  if (confirms_.is_selected()) confirms_.add();
  send_out(outgoing, queues);
  return {};
}

/// Until the commit.
Verdict Channel::hold(OutgoingPublish publish, std::span<const catalog::QueueId> queues) {
  transaction_->bytes += sizeof(Transaction::RoutedPublish) + publish.message.encoded().size() +
                         queues.size() * held_queue_bytes;
  if (transaction_->bytes > talk_.environment.limits.transaction_bytes)
    return refuse(ReplyCode::precondition_failed, "transaction is too large");
  Transaction::RoutedPublish& held = transaction_->publishes.emplace_back();
  held.publish = std::move(publish);
  for (catalog::QueueId id : queues)
    if (const catalog::Queue* queue = catalog().find_queue(id)) held.queues.push_back(queue->name);
  return {};
}

/// The return of an unroutable message goes out before its confirm can.
void Channel::send_out(const OutgoingPublish& publish, std::span<const catalog::QueueId> queues) {
  const bool is_unsure = queues.empty() || publish.is_held_back;
  if (publish.mandatory && (is_unsure || is_answer(publish.message)))
    send_return(publish.message);
  const bool is_awaited = committing_ || confirms_.is_selected();
  if (queues.empty() && !is_awaited) return;
  if (committing_) ++committing_->unconfirmed;
  last_publish_ = last_publish_.next();
  has_sent_out_ = true;
  talk_.environment.gateway.publish(id_, last_publish_, publish.message, queues);
  if (queues.size() <= 1) return;
  copies_ += static_cast<std::uint32_t>(queues.size());
  if (copies_ >= copies_at_once) note_congestion();
}

void Channel::send_return(const broker::Message& message) {
  send(BasicReturn{static_cast<std::uint16_t>(ReplyCode::no_route),
                   std::string(reply_name(ReplyCode::no_route)), std::string(message.exchange()),
                   std::string(message.routing_key())});
  send_content(BasicReturn::ids, message);
}

void Channel::send_content(MethodIds method, const broker::Message& message) {
  write_content(talk_.output, number_, method.class_id,
                {message.properties(), message.body(), message.block()}, talk_.frame_max);
}

void Channel::note_congestion() {
  copies_ = 0;
  if (!std::exchange(has_sent_out_, false) || is_congested_ || !id_) return;
  if (!talk_.environment.gateway.is_congested(id_)) return;
  is_congested_ = true;
  ++talk_.congested_channels;
}

void Channel::on_uncongested() {
  talk_.note_event();
  if (!is_congested_) return;
  is_congested_ = false;
  --talk_.congested_channels;
  drain_inbox();
}

void Channel::on_confirmed(std::span<const broker::PublishSeq> publishes) {
  on_settled(publishes, false);
}

void Channel::on_rejected(std::span<const broker::PublishSeq> publishes) {
  on_settled(publishes, true);
}

void Channel::on_settled(std::span<const broker::PublishSeq> publishes, bool is_rejected) {
  talk_.note_event();
  if (confirms_.is_selected()) {
    if (!confirms_.has_gathered()) talk_.confirming.push_back(number_);
    return confirms_.settle(publishes, is_rejected);
  }
  if (!committing_) return;
  for (broker::PublishSeq publish : publishes) {
    if (publish < committing_->first_publish) continue;
    --committing_->unconfirmed;
    if (is_rejected) committing_->has_failed = true;
  }
  continue_commit();
}

}  // namespace warren::session::amqp091
