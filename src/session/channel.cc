#include "session/channel.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "broker/names.h"
#include "session/exclusive_queues.h"

namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {

/// What a waiting method costs beyond its payload.
constexpr std::size_t waiting_overhead_bytes = 128;

template <typename Method>
bool is_payload_of(base::ByteView payload) {
  return peek_method(payload) == Method::ids;
}

bool has_content(const Method& method) {
  return std::visit([](const auto& typed) { return typed.has_content; }, method);
}

}  // namespace

Channel::Channel(Conversation& talk, std::uint16_t number)
    : talk_(talk),
      number_(number),
      id_(talk.environment.gateway.open_channel(*this)),
      assembler_(talk.environment.limits.max_message_size) {
  send(ChannelOpenOk{});
}

Channel::~Channel() {
  release();
}

void Channel::release() {
  if (id_) {
    gateway().close_channel(id_);
    if (talk_.exclusive_queues) talk_.exclusive_queues->forget(*this);
    talk_.environment.authorizer.forget(this);
  }
  id_ = {};
  if (is_congested_) --talk_.congested_channels;
  is_congested_ = false;
  for (const Waiting& waiting : inbox_) talk_.inbox_bytes -= waiting.bytes;
  inbox_.clear();
  pending_.reset();
  changes_.reset();
  getting_.reset();
  committing_.reset();
  transaction_.reset();
  last_served_ = nullptr;
  consumers_.clear();
  unacknowledged_ = {};
  held_up_.clear();
}

void Channel::on_frame(const Frame& frame) {
  if (state_ == State::closing) return while_closing(frame);
  ASSERT(state_ == State::open);
  Verdict verdict = take_frame(frame);
  if (!verdict) propose_changes();  // those before it take effect
  finish(std::move(verdict));
}

void Channel::while_closing(const Frame& frame) {
  if (frame.type != frame_method) return;
  if (is_payload_of<ChannelClose>(frame.payload)) send(ChannelCloseOk{});
  if (is_payload_of<ChannelCloseOk>(frame.payload)) state_ = State::closed;
}

Verdict Channel::take_frame(const Frame& frame) {
  if (assembler_.is_assembling()) {
    if (Verdict verdict = assembler_.add(frame); !verdict) return verdict;
    return assembler_.is_complete() ? take_publish(assembler_.take()) : Verdict{};
  }
  if (headless_) return take_headless(frame);
  if (frame.type != frame_method)
    return std::unexpected(Failure{ReplyCode::unexpected_frame,
                                   "expected method frame, got non method frame instead",
                                   MethodIds{}, false});
  const MethodIds ids = peek_method(frame.payload);
  if (ids == BasicPublish::ids) {
    Verdict verdict = assembler_.begin(frame);
    if (!verdict) verdict.error().method = BasicPublish::ids;
    return verdict;
  }
  if (ids == BasicAck::ids) return take_ack(frame.payload);
  return take_method(frame.payload);
}

Verdict Channel::take_headless(const Frame& frame) {
  if (frame.type == frame_header)
    return std::unexpected(
        Failure{ReplyCode::command_invalid, "unimplemented method", headless_, false});
  return std::unexpected(Failure{
      ReplyCode::unexpected_frame,
      fmt::format("expected content header for class {}, got non content header frame instead",
                  headless_->class_id),
      headless_, false});
}

void Channel::on_frames_end() {
  assembler_.keep();
  propose_changes();
  talk_.settlements.finish();
  note_congestion();
}

/// The most frequent method but publish is spared the variant of all methods.
Verdict Channel::take_ack(base::ByteView payload) {
  if (must_wait(false)) return take_method(payload);
  const auto ack = decode_ack(payload);
  if (!ack) return take_method(payload);
  current_ = BasicAck::ids;
  return handle(*ack);
}

Verdict Channel::take_method(base::ByteView payload) {
  const auto method = decode_method(payload);
  if (!method) return std::unexpected(undecodable(method.error(), payload));
  if (has_content(*method)) {
    // Only servers send these; the client is told once its content has begun.
    headless_ = ids(*method);
    return {};
  }
  if (must_wait(std::holds_alternative<BasicGet>(*method))) {
    if (!inbox_.empty() || !join(*method, payload.size()))
      enqueue({*method, payload.size() + waiting_overhead_bytes});
    return {};
  }
  Verdict verdict = handle_method(*method);
  if (verdict || !must_ask_first(verdict)) return verdict;
  put_back({*method, payload.size() + waiting_overhead_bytes});
  return {};
}

Verdict Channel::take_publish(const Publish& publish) {
  if (must_wait(true)) {
    enqueue(own(publish));
    return {};
  }
  current_ = BasicPublish::ids;
  Verdict verdict = this->publish(publish);
  if (verdict || !must_ask_first(verdict)) return verdict;
  put_back(own(publish));
  return {};
}

Channel::Waiting Channel::own(const Publish& publish) {
  OwnedPublish owned{std::string(publish.exchange),
                     std::string(publish.routing_key),
                     publish.mandatory,
                     publish.immediate,
                     base::Bytes(publish.properties),
                     base::Bytes(publish.body),
                     publish.body_size};
  return {std::move(owned),
          publish.properties.size() + publish.body.size() + waiting_overhead_bytes};
}

/// Whether a method failed only because it isn't known yet what the user may do. Then the channel
/// is busy until it is, and the method has to be put back.
bool Channel::must_ask_first(const Verdict& verdict) {
  if (verdict || is_busy()) return false;
  const bool waits = talk_.environment.authorizer.wait(talk_.login, this, [this] {
    pending_.reset();
    talk_.note_event();
    drain_inbox();
  });
  if (waits) pending_ = Pending{talk_.next_request(), {}};
  return waits;
}

void Channel::put_back(Waiting waiting) {
  talk_.inbox_bytes += waiting.bytes;
  inbox_.push_front(std::move(waiting));
}

void Channel::enqueue(Waiting waiting) {
  if (!is_busy() && !changes_) talk_.has_stalled = true;
  talk_.inbox_bytes += waiting.bytes;
  inbox_.push_back(std::move(waiting));
}

/// Publishes that are returned and messages that are fetched are held up while the client does
/// not read what it was sent, or too much of what it published is under way; other methods write
/// little.
bool Channel::must_wait(bool may_write_much) const {
  return is_busy() || changes_ || !inbox_.empty() ||
         (may_write_much && (talk_.is_output_full() || is_congested_));
}

void Channel::drain_inbox() {
  while (state_ == State::open && !is_busy() && !is_congested_ && !inbox_.empty()) {
    if (talk_.is_output_full()) {
      talk_.has_stalled = true;
      break;
    }
    if (changes_) {
      if (!join_first_waiting()) break;
      continue;
    }
    Waiting waiting = std::move(inbox_.front());
    inbox_.pop_front();
    talk_.inbox_bytes -= waiting.bytes;
    Verdict verdict;
    if (const auto* owned = std::get_if<OwnedPublish>(&waiting.what)) {
      current_ = BasicPublish::ids;
      verdict = publish({owned->exchange, owned->routing_key, owned->mandatory, owned->immediate,
                         owned->properties, owned->body, owned->body_size});
    } else {
      verdict = handle_method(std::get<Method>(waiting.what));
    }
    if (must_ask_first(verdict))
      put_back(std::move(waiting));
    else
      finish(std::move(verdict));
  }
  propose_changes();
  talk_.settlements.finish();
  note_congestion();
}

Verdict Channel::handle_method(const Method& method) {
  current_ = ids(method);
  return std::visit(
      [this](const auto& typed) -> Verdict {
        if constexpr (requires { handle(typed); })
          return handle(typed);
        else
          return refuse(ReplyCode::command_invalid, "unimplemented method");
      },
      method);
}

/// Closes what a failure closes.
void Channel::finish(Verdict verdict) {
  if (verdict) return;
  Failure failure = std::move(verdict).error();
  if (!failure.method) failure.method = current_;
  close(failure);
}

void Channel::close(const Failure& failure) {
  flush();
  release();
  if (!is_soft(failure.code)) {
    state_ = State::closed;
    if (!talk_.failure) talk_.failure = std::make_unique<Failure>(failure);
    return;
  }
  state_ = State::closing;
  send(ChannelClose{static_cast<std::uint16_t>(failure.code), failure.reply_text(),
                    failure.method->class_id, failure.method->method_id});
}

void Channel::flush() {
  if (confirms_.has_gathered()) confirms_.flush(talk_.output.text(), number_);
}

/// Remembers what to do with the answer to the request that is made next.
broker::RequestId Channel::ask(Continuation then) {
  ASSERT(!is_busy());
  pending_ = Pending{talk_.next_request(), std::move(then)};
  return pending_->request;
}

void Channel::on_reply(broker::RequestId request, base::Result<broker::Reply> reply) {
  talk_.note_event();
  if (committing_ && committing_->sync == request) {
    committing_->is_synced = true;
    if (!reply) committing_->has_failed = true;
    return continue_commit();
  }
  if (!pending_ || pending_->request != request) return;
  const Continuation then = std::move(pending_->then);
  pending_.reset();
  finish(then(std::move(reply)));
  drain_inbox();
}

base::Result<> Channel::check_access(broker::ResourceKind kind, std::string_view name,
                                     broker::Access access) const {
  return talk_.environment.authorizer.check(talk_.login, talk_.vhost, kind, name, access);
}

std::string Channel::make_name(std::string (*maker)(std::string_view)) const {
  return maker(talk_.environment.random_bytes(broker::name_random_bytes));
}

Verdict Channel::handle(const ChannelOpen&) {
  return refuse(ReplyCode::channel_error, "second 'channel.open' seen");
}

Verdict Channel::handle(const ChannelFlow& flow) {
  if (!flow.active) return refuse(ReplyCode::not_implemented, "active=false");
  send(ChannelFlowOk{true});
  return {};
}

Verdict Channel::handle(const ChannelClose&) {
  return leave_queues([this]() -> Verdict {
    flush();
    release();
    state_ = State::closed;
    send(ChannelCloseOk{});
    return {};
  });
}

void Channel::leave() {
  if (state_ == State::open) finish(leave_queues([] { return Verdict{}; }));
}

/// A queue that goes with its last consumer is gone before the client is told that the consumer is;
/// other queues need not be waited for.
Verdict Channel::leave_queues(const std::function<Verdict()>& then) {
  for (auto& [tag, consumer] : consumers_) {
    const catalog::Queue* queue = catalog().find_queue(consumer.queue);
    if (queue == nullptr || !queue->auto_delete) continue;
    consumer.stage = Consumer::Stage::cancelling;
    const broker::RequestId request = ask([this, then, ended = tag](Answer) -> Verdict {
      forget_consumer(ended);
      return leave_queues(then);
    });
    gateway().unsubscribe(id_, request, tag);
    return {};
  }
  return then();
}

Verdict Channel::handle(const AccessRequest&) {
  send(AccessRequestOk{1});
  return {};
}

ChannelInfo Channel::info() const {
  ChannelInfo info;
  info.id = id_;
  info.connection = talk_.connection;
  info.name = fmt::format("{} ({})", talk_.name(), number_);
  info.number = number_;
  info.user = talk_.login.user;
  info.vhost = talk_.vhost;
  info.transactional = transaction_ != nullptr;
  info.confirm = confirms_.is_selected();
  info.consumer_count = consumers_.size();
  info.messages_unacknowledged = unacknowledged_.size();
  if (transaction_) {
    info.messages_uncommitted = transaction_->publishes.size();
    info.acks_uncommitted = transaction_->uncommitted_acks();
  }
  info.messages_unconfirmed = confirms_.outstanding();
  info.prefetch_count = prefetch_;
  info.global_prefetch_count = global_prefetch_;
  info.state = state_ != State::open ? "closing" : is_congested_ ? "flow" : "running";
  return info;
}

}  // namespace warren::session::amqp091
