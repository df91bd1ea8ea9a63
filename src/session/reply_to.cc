#include "broker/names.h"
#include "session/channel.h"
#include "session/exclusive_queues.h"
#include "session/publish_checks.h"

/// Direct reply-to: a client that consumes from the pseudo queue gets a queue of its own, and its
/// requests carry that queue's name. To the rest of the cluster it is an exclusive queue.
namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {
constexpr std::size_t prefix_size = std::string_view("amq.gen-").size();
}

Verdict Channel::consume_replies(const BasicConsume& consume) {
  if (!consume.no_ack)
    return refuse(ReplyCode::precondition_failed, "reply consumer cannot acknowledge");
  if (replies_)
    return refuse(ReplyCode::precondition_failed, "reply consumer already set");
  catalog::DeclareQueue command;
  command.queue.name = in_vhost(direct_reply_to);
  // Only the random part of a made-up name.
  command.queue.name.name += "." + make_name(broker::make_queue_name).substr(prefix_size);
  command.queue.auto_delete = true;
  command.queue.leader = gateway().node_name();
  command.queue.exclusive_owner = {talk_.connection, gateway().node_name()};
  const broker::RequestId request =
      ask([this, consume, name = command.queue.name](Answer answer) -> Verdict {
        if (!answer) return refuse_change(answer.error());
        const catalog::Queue* queue = catalog().find_queue(name);
        if (queue == nullptr)
          return refuse(broker::no_such_resource(broker::ResourceKind::queue, name));
        replies_ = std::make_unique<Replies>(name.name);
        replies_->consumer_tag = subscribe(consume, *queue);
        return {};
      });
  exclusive_queues_of(talk_).declare(*this, request, command);
  return {};
}

}  // namespace warren::session::amqp091
