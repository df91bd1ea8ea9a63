#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ring.h"
#include "broker/channel.h"
#include "broker/queue_arguments.h"
#include "broker/resource.h"
#include "codec/amqp091_frame.h"
#include "codec/amqp091_method.h"
#include "codec/amqp091_properties.h"
#include "session/confirm.h"
#include "session/consumer.h"
#include "session/content.h"
#include "session/conversation.h"
#include "session/delivery_ages.h"
#include "session/errors.h"
#include "session/info.h"
#include "session/route_cache.h"
#include "session/transaction.h"
#include "session/unacknowledged.h"

namespace warren::session::amqp091 {

/// One channel of a connection. It handles its methods strictly one after the other: while one
/// waits for an answer of the gateway, later ones wait in the inbox. A soft failure closes the
/// channel; a hard one is left in `Conversation::failure` for the connection.
class Channel final : public broker::ChannelEvents {
 public:
  /// Opens a gateway channel and answers open-ok.
  Channel(Conversation& talk, std::uint16_t number);
  ~Channel() override;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Takes any frame that carries this channel's number.
  void on_frame(const codec::amqp091::Frame& frame);
  /// No frame follows for now: the bytes that the last ones lay in are about to go.
  void on_frames_end();
  /// Where the next octets of a body belong, if they can be put there.
  std::span<char> room() const { return assembler_.room(); }
  void note_filled(std::size_t octets) { assembler_.note_filled(octets); }
  /// Writes the confirms that gathered since the last time.
  void flush();
  /// Goes on with methods that waited for the output to drain.
  void resume() { drain_inbox(); }
  /// Gives consumers the credit that they used up.
  void grant_credit();

  /// Ends the consumers with which queues go; not idle until those are gone.
  void leave();
  /// Closes the channel if its client has kept a delivery for too long. To be called every now and
  /// then, as long as it says that there is something to watch.
  bool check_timeout(base::Time now);
  /// No method of the client waits, so the channel may be ended without loss.
  bool is_idle() const { return state_ != State::open || (!is_busy() && inbox_.empty()); }
  /// Both sides have closed; the number may be used again.
  bool is_closed() const { return state_ == State::closed; }
  ChannelInfo info() const;

 private:
  using Answer = base::Result<broker::Reply>;
  using Continuation = std::function<Verdict(const Answer&)>;
  using QueueName = catalog::ResourceName;

  enum class State : std::uint8_t { open, closing, closed };

  /// The method that waits for its answer.
  struct Pending {
    broker::RequestId request;
    Continuation then;
  };
  /// A basic.get that waits for its answer.
  struct Getting {
    broker::RequestId request;
    std::string queue;
    bool no_ack = false;
  };
  /// A method that came while another one was pending. Publishes are kept with their content.
  struct OwnedPublish {
    std::string exchange, routing_key;
    bool mandatory = false, immediate = false;
    base::Bytes properties, body;
    std::uint64_t body_size = 0;
  };
  struct Waiting {
    std::variant<codec::amqp091::Method, OwnedPublish> what;
    std::size_t bytes = 0;
  };
  /// Changes of the catalog that are made together, and what follows each.
  struct Changes {
    struct Next {
      codec::amqp091::MethodIds method;
      Continuation then;
    };
    std::vector<catalog::Command> commands;
    std::vector<Next> next;
    std::size_t bytes = 0;  ///< of the methods that joined others
  };
  using Consumers = std::map<std::string, Consumer, std::less<>>;
  using NamedConsumer = Consumers::value_type;

  // channel.cc
  bool is_busy() const { return pending_ || getting_ || committing_; }
  Verdict take_frame(const codec::amqp091::Frame& frame);
  Verdict take_method(base::ByteView payload);
  Verdict take_ack(base::ByteView payload);
  Verdict take_headless(const codec::amqp091::Frame& frame);
  Verdict take_publish(const Publish& publish);
  Verdict handle_method(const codec::amqp091::Method& method);
  void while_closing(const codec::amqp091::Frame& frame);
  bool must_wait(bool may_write_much) const;
  void enqueue(Waiting waiting);
  static Waiting own(const Publish& publish);
  bool must_ask_first(const Verdict& verdict);
  void put_back(Waiting waiting);
  void drain_inbox();
  void finish(Verdict verdict);
  void close(const Failure& failure);
  void release();
  broker::RequestId ask(Continuation then);

  // changes.cc
  Verdict change(catalog::Command command, Continuation then);
  bool may_join(const codec::amqp091::Method& method) const;
  bool join(const codec::amqp091::Method& method, std::size_t bytes);
  bool join_first_waiting();
  void propose_changes();
  Verdict on_changed(Changes& changes, const Answer& answer);

  template <typename Method>
  void send(const Method& method) {
    encode_method(talk_.output.text(), number_, method);
  }
  /// For all but publishes: what was settled before goes first.
  broker::Gateway& gateway() const {
    talk_.settlements.finish();
    return talk_.environment.gateway;
  }
  const catalog::Catalog& catalog() const { return talk_.environment.gateway.catalog(); }
  QueueName in_vhost(std::string_view name) const { return {talk_.vhost, std::string(name)}; }
  base::Result<> check_access(broker::ResourceKind kind, std::string_view name,
                              broker::Access access) const;
  std::string make_name(std::string (*maker)(std::string_view)) const;
  bool is_traced() const { return talk_.environment.firehose.is_tracing(talk_.vhost); }
  Firehose::Place place() const { return {talk_.vhost, talk_.name(), talk_.login.user, number_}; }

  Verdict handle(const codec::amqp091::ChannelOpen& open);
  Verdict handle(const codec::amqp091::ChannelFlow& flow);
  Verdict handle(const codec::amqp091::ChannelClose& close);
  Verdict handle(const codec::amqp091::AccessRequest& request);

  // declare_exchange.cc
  Verdict handle(const codec::amqp091::ExchangeDeclare& declare);
  Verdict handle(const codec::amqp091::ExchangeDelete& remove);
  Verdict handle(const codec::amqp091::ExchangeBind& bind);
  Verdict handle(const codec::amqp091::ExchangeUnbind& unbind);
  Verdict make_exchange(const catalog::Exchange& wanted, bool no_wait);

  // bind.cc
  Verdict handle(const codec::amqp091::QueueBind& bind);
  Verdict handle(const codec::amqp091::QueueUnbind& unbind);
  template <typename Answered>
  Verdict change_binding(const catalog::Binding& binding, bool adds, bool no_wait);
  Verdict check_binding(const catalog::Binding& binding) const;

  // declare_queue.cc
  Verdict handle(const codec::amqp091::QueueDeclare& declare);
  Verdict handle(const codec::amqp091::QueueDelete& remove);
  Verdict handle(const codec::amqp091::QueuePurge& purge);
  Verdict declare_passively(const codec::amqp091::QueueDeclare& declare);
  Verdict declare_queue(const broker::QueueDeclaration& wanted, bool no_wait, bool may_retry);
  Verdict make_queue(const broker::QueueDeclaration& wanted, bool no_wait, bool may_retry);
  Verdict answer_declared(const catalog::Queue& queue, bool no_wait);
  std::expected<std::string, Failure> expand_name(const std::string& name) const;
  std::expected<const catalog::Queue*, Failure> find_queue(const std::string& name) const;

  // publish.cc
  Verdict publish(const Publish& publish);
  Verdict find_route(const Publish& publish, std::span<const std::string> extra_keys);
  Verdict handle(const codec::amqp091::ConfirmSelect& select);
  Verdict check_publish(const Publish& publish) const;
  void send_out(const OutgoingPublish& publish, std::span<const catalog::QueueId> queues);
  Verdict hold(OutgoingPublish publish, std::span<const catalog::QueueId> queues);
  void send_return(const broker::Message& message);
  void send_content(codec::amqp091::MethodIds method, const broker::Message& message);
  void note_congestion();
  void on_settled(std::span<const broker::PublishSeq> publishes, bool is_rejected);

  // consume.cc
  Verdict handle(const codec::amqp091::BasicQos& qos);
  Verdict handle(const codec::amqp091::BasicConsume& consume);
  Verdict handle(const codec::amqp091::BasicCancel& cancel);
  Verdict handle(const codec::amqp091::BasicCancelOk&) { return {}; }
  Verdict handle(const codec::amqp091::BasicGet& get);
  std::string subscribe(const codec::amqp091::BasicConsume& consume, const catalog::Queue& queue);
  Verdict on_subscribed(const std::string& consumer_tag, const QueueName& queue, Answer answer);
  NamedConsumer* find_consumer(std::string_view consumer_tag);
  void become_active(const std::string& consumer_tag, Consumer& consumer);
  void deliver(NamedConsumer& to, const broker::Delivery& delivery);
  std::uint64_t next_tag(const Consumer& consumer, const broker::Delivery& delivery);
  bool is_prefetch_used_up() const;
  void deliver_held_up();
  void watch(const Unsettled& delivery);
  void forget_consumer(const std::string& consumer_tag);
  Verdict leave_queues(const std::function<Verdict()>& then);
  void note_delivered(Consumer& consumer, std::size_t body_bytes);
  std::uint32_t credit_window(const Consumer& consumer) const;

  // reply_to.cc
  Verdict consume_replies(const codec::amqp091::BasicConsume& consume);

  // settle.cc
  Verdict handle(const codec::amqp091::BasicAck& ack);
  Verdict handle(const codec::amqp091::BasicNack& nack);
  Verdict handle(const codec::amqp091::BasicReject& reject);
  Verdict handle(const codec::amqp091::BasicRecover& recover);
  Verdict handle(const codec::amqp091::BasicRecoverAsync& recover);
  Verdict settle(std::uint64_t tag, bool multiple, broker::Outcome outcome);
  Verdict recover(bool requeue);
  void settle_all(const std::vector<Unsettled>& deliveries, broker::Outcome outcome);

  // transaction.cc
  Verdict handle(const codec::amqp091::TxSelect& select);
  Verdict handle(const codec::amqp091::TxCommit& commit);
  Verdict handle(const codec::amqp091::TxRollback& rollback);
  void continue_commit();

  // ChannelEvents
  void on_confirmed(std::span<const broker::PublishSeq> publishes) override;
  void on_rejected(std::span<const broker::PublishSeq> publishes) override;
  void on_delivery(std::string_view consumer_tag, const broker::Delivery& delivery) override;
  void on_consumer_cancelled(std::string_view consumer_tag) override;
  void on_got(broker::RequestId request, base::Result<std::optional<broker::Delivery>> delivery,
              std::uint64_t remaining) override;
  void on_reply(broker::RequestId request, base::Result<broker::Reply> reply) override;
  void on_uncongested() override;

  Conversation& talk_;
  std::uint16_t number_;
  State state_ = State::open;
  bool wants_grants_ = false;  ///< is among the conversation's `granting`
  bool has_sent_out_ = false;  ///< since congestion was last looked at
  bool is_congested_ = false;
  codec::amqp091::MethodIds current_;  ///< the method that is handled or pending
  /// A method with content that no client may send, while its header is awaited.
  std::optional<codec::amqp091::MethodIds> headless_;
  broker::ChannelId id_;

  ContentAssembler assembler_;
  std::list<Waiting> inbox_;
  std::optional<Pending> pending_;
  std::shared_ptr<Changes> changes_;  ///< not proposed yet; null: none
  std::optional<Getting> getting_;

  std::string last_declared_queue_;
  Consumers consumers_;
  NamedConsumer* last_served_ = nullptr;  ///< deliveries come in runs for one consumer
  /// The consumer of direct reply-to.
  struct Replies {
    std::string queue;
    std::string consumer_tag;
  };
  std::unique_ptr<Replies> replies_;
  std::uint64_t last_delivery_tag_ = 0;
  Unacknowledged unacknowledged_;
  DeliveryAges ages_;
  base::Ring<HeldUp> held_up_;  ///< empty unless the prefetch is used up
  std::uint16_t prefetch_ = 0;
  std::uint16_t global_prefetch_ = 0;

  std::uint32_t copies_ = 0;  ///< of messages for several queues, since congestion was looked at
  broker::PublishSeq last_publish_;
  Confirms confirms_;
  RouteCache routes_;
  std::vector<catalog::QueueId> routed_;  ///< kept for its memory
  std::vector<Unsettled> taken_;          ///< kept for its memory

  std::unique_ptr<Transaction> transaction_;
  std::unique_ptr<Commit> committing_;
};

}  // namespace warren::session::amqp091
