#include "cluster/node_impl.h"

namespace warren::cluster {

void Node::Impl::propose_with_deadline(const catalog::Command& command, ProposeDone done) {
  if (histories_->expect(command))
    done = [this, command, then = std::move(done)](base::Result<catalog::Applied> result) {
      histories_->on_proposal_done(command);
      then(std::move(result));
    };
  metadata_->propose(command, now() + options_.request_deadline, std::move(done));
}

void Node::Impl::change(broker::ChannelId channel, broker::RequestId request,
                        std::span<const catalog::Command> commands) {
  std::vector<catalog::Command> expected;
  for (const catalog::Command& command : commands)
    if (histories_->expect(command)) expected.push_back(command);
  metadata_->propose(commands, now() + options_.request_deadline,
                     [this, channel, request, expected = std::move(expected)](
                         base::Result<Metadata::Progress> result) {
                       for (const catalog::Command& command : expected)
                         histories_->on_proposal_done(command);
                       base::Result<broker::Reply> reply = broker::Reply{};
                       if (result) {
                         reply->applied = result->last;
                         reply->changes = result->applied;
                         reply->refusal = std::move(result->refusal);
                       } else {
                         reply = std::unexpected(std::move(result).error());
                       }
                       channels_->answer(channel, request, std::move(reply));
                     });
}

broker::Router& Node::Impl::router() {
  if (!router_) router_ = std::make_unique<broker::Router>(catalog());
  return *router_;
}

void Node::Impl::remember(const catalog::ResourceName& exchange, const broker::Message& message) {
  histories_->remember(exchange, message);
}

catalog::ConnectionId Node::Impl::make_connection_id() {
  return {id_base() + ++last_connection_};
}

const catalog::Catalog& Node::catalog() const { return impl_->catalog(); }
const catalog::NodeName& Node::node_name() const { return impl_->self(); }

broker::ChannelId Node::open_channel(broker::ChannelEvents& events) {
  return impl_->channels_->open(events);
}

void Node::close_channel(broker::ChannelId channel) { impl_->channels_->close(channel); }

void Node::publish(broker::ChannelId channel, broker::PublishSeq seq,
                   const broker::Message& message, std::span<const catalog::QueueId> queues) {
  impl_->channels_->publish(channel, seq, message, queues);
}

void Node::remember(const catalog::ResourceName& exchange, const broker::Message& message) {
  impl_->remember(exchange, message);
}

bool Node::is_congested(broker::ChannelId channel) {
  return impl_->channels_->is_congested(channel);
}

void Node::subscribe(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
                     const broker::Subscription& subscription) {
  impl_->channels_->subscribe(channel, request, queue, subscription);
}

void Node::unsubscribe(broker::ChannelId channel, broker::RequestId request,
                       std::string_view consumer_tag) {
  impl_->channels_->unsubscribe(channel, request, consumer_tag);
}

void Node::grant(broker::ChannelId channel, std::string_view consumer_tag, std::uint32_t credit) {
  impl_->channels_->grant(channel, consumer_tag, credit);
}

void Node::limit_unacknowledged(broker::ChannelId channel, std::uint16_t limit) {
  impl_->channels_->limit_unacknowledged(channel, limit);
}

void Node::get(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
               bool no_ack) {
  impl_->channels_->ask(channel, request, queue, GetFrom{request, no_ack});
}

void Node::settle(broker::ChannelId channel, catalog::QueueId queue, broker::Lease lease,
                  std::span<const broker::MessageIndex> messages, broker::Outcome outcome) {
  impl_->channels_->settle(channel, queue, lease, messages, outcome);
}

void Node::sync(broker::ChannelId channel, broker::RequestId request) {
  impl_->channels_->sync(channel, request);
}

void Node::count(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue) {
  impl_->channels_->ask(channel, request, queue, CountFrom{request});
}

void Node::purge(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue) {
  impl_->channels_->ask(channel, request, queue, PurgeFrom{request});
}

void Node::delete_queue(broker::ChannelId channel, broker::RequestId request,
                        catalog::QueueId queue, bool if_unused, bool if_empty) {
  impl_->channels_->ask(channel, request, queue, DeleteFrom{request, if_unused, if_empty});
}

void Node::change(broker::ChannelId channel, broker::RequestId request,
                  std::span<const catalog::Command> commands) {
  impl_->change(channel, request, commands);
}

}  // namespace warren::cluster
