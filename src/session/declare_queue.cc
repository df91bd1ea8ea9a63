#include "broker/equivalence.h"
#include "broker/names.h"
#include "broker/queue_arguments.h"
#include "catalog/delaying.h"
#include "session/channel.h"
#include "session/exclusive_queues.h"
#include "session/publish_checks.h"

/// queue.declare, queue.delete and queue.purge.
namespace warren::session::amqp091 {

using namespace codec::amqp091;
using broker::ResourceKind;

/// An empty name means the queue that this channel declared last.
std::expected<std::string, Failure> Channel::expand_name(const std::string& name) const {
  if (!name.empty()) return broker::strip_line_breaks(name);
  if (last_declared_queue_.empty())
    return refuse(ReplyCode::not_found, "no previously declared queue");
  return last_declared_queue_;
}

/// The queue of that name, if this connection may use it at all.
std::expected<const catalog::Queue*, Failure> Channel::find_queue(const std::string& name) const {
  const QueueName full_name = in_vhost(name);
  const catalog::Queue* queue = catalog().find_queue(full_name);
  if (queue == nullptr) return refuse(broker::no_such_resource(ResourceKind::queue, full_name));
  if (auto open = catalog::check_no_delay_queue(full_name); !open) return refuse(open.error());
  if (auto owned = broker::check_exclusive_access(*queue, talk_.connection); !owned)
    return refuse(owned.error());
  return queue;
}

Verdict Channel::handle(const QueueDeclare& declare) {
  if (declare.queue == direct_reply_to) {
    if (!declare.no_wait) send(QueueDeclareOk{declare.queue, 0, 1});
    return {};
  }
  // A server asks so whether the client that it would reply to is still there.
  if (declare.passive || declare.queue.starts_with(direct_reply_to))
    return declare_passively(declare);
  broker::QueueDeclaration wanted;
  wanted.name = in_vhost(broker::strip_line_breaks(declare.queue));
  wanted.exclusive = declare.exclusive;
  wanted.durable = declare.durable && !declare.exclusive;
  wanted.auto_delete = declare.auto_delete;
  wanted.arguments = declare.arguments;
  std::string& name = wanted.name.name;
  if (name.empty()) {
    if (auto allowed = broker::check_server_named(wanted.arguments); !allowed)
      return refuse(allowed.error());
    name = make_name(broker::make_queue_name);
  } else if (auto allowed = broker::check_queue_name(name); !allowed) {
    return refuse(allowed.error());
  }
  if (auto allowed = check_access(ResourceKind::queue, name, broker::Access::configure); !allowed)
    return refuse(allowed.error());
  return declare_queue(wanted, declare.no_wait, true);
}

Verdict Channel::declare_passively(const QueueDeclare& declare) {
  const std::string name = broker::strip_line_breaks(declare.queue);
  if (name.starts_with(direct_reply_to) && catalog().find_queue(in_vhost(name)) != nullptr) {
    if (!declare.no_wait) send(QueueDeclareOk{name, 0, 1});
    return {};
  }
  const auto queue = find_queue(name);
  if (!queue) return std::unexpected(queue.error());
  return answer_declared(**queue, declare.no_wait);
}

/// Compares with the queue that exists or makes one. Another channel may make it first: then it
/// is looked up and compared once more.
Verdict Channel::declare_queue(const broker::QueueDeclaration& wanted, bool no_wait,
                               bool may_retry) {
  const catalog::Queue* current = catalog().find_queue(wanted.name);
  if (current == nullptr) return make_queue(wanted, no_wait, may_retry);
  if (auto same = broker::check_equivalent(*current, wanted, talk_.connection); !same)
    return refuse(same.error());
  return answer_declared(*current, no_wait);
}

Verdict Channel::make_queue(const broker::QueueDeclaration& wanted, bool no_wait, bool may_retry) {
  if (auto room = catalog().check_room_for_queue(wanted.name); !room) return refuse(room.error());
  if (auto sound = broker::check_new_queue(wanted); !sound) return refuse(sound.error());
  if (auto allowed = talk_.environment.authorizer.check_forwarding(
          talk_.login, wanted.name, ResourceKind::queue,
          wanted.arguments.find("x-dead-letter-exchange"));
      !allowed)
    return refuse(allowed.error());
  catalog::DeclareQueue command;
  command.queue.name = wanted.name;
  command.queue.durable = wanted.durable;
  command.queue.auto_delete = wanted.auto_delete;
  command.queue.arguments = wanted.arguments;
  command.queue.leader = gateway().node_name();
  if (wanted.exclusive) command.queue.exclusive_owner = {talk_.connection, gateway().node_name()};

  Continuation then = [this, wanted, no_wait, may_retry](const Answer& answer) -> Verdict {
    if (!answer) {
      if (may_retry && answer.error().code == base::ErrorCode::already_exists)
        return declare_queue(wanted, no_wait, false);
      return refuse_change(answer.error());
    }
    last_declared_queue_ = wanted.name.name;
    if (!no_wait) send(QueueDeclareOk{wanted.name.name, 0, 0});
    return {};
  };
  if (!wanted.exclusive) return change(std::move(command), std::move(then));
  exclusive_queues_of(talk_).declare(*this, ask(std::move(then)), command);
  return {};
}

Verdict Channel::answer_declared(const catalog::Queue& queue, bool no_wait) {
  last_declared_queue_ = queue.name.name;
  if (no_wait) return {};
  const broker::RequestId request = ask([this, name = queue.name](const Answer& answer) -> Verdict {
    if (!answer) return refuse_queue(answer.error(), name);
    send(QueueDeclareOk{name.name, static_cast<std::uint32_t>(answer->messages),
                        static_cast<std::uint32_t>(answer->consumers)});
    return {};
  });
  gateway().count(id_, request, queue.id);
  return {};
}

Verdict Channel::handle(const QueueDelete& remove) {
  auto name = expand_name(remove.queue);
  if (!name) return std::unexpected(std::move(name).error());
  if (auto allowed = check_access(ResourceKind::queue, *name, broker::Access::configure); !allowed)
    return refuse(allowed.error());
  const auto queue = find_queue(*name);
  const auto answer_gone = [this, no_wait = remove.no_wait](std::uint64_t messages) -> Verdict {
    if (!no_wait) send(QueueDeleteOk{static_cast<std::uint32_t>(messages)});
    return {};
  };
  if (!queue) {
    if (queue.error().code == ReplyCode::not_found) return answer_gone(0);
    return std::unexpected(queue.error());
  }
  const broker::RequestId request =
      ask([answer_gone, full_name = (*queue)->name](const Answer& answer) -> Verdict {
        if (answer) return answer_gone(answer->messages);
        if (answer.error().code == base::ErrorCode::not_found) return answer_gone(0);
        return refuse_queue(answer.error(), full_name);
      });
  gateway().delete_queue(id_, request, (*queue)->id, remove.if_unused, remove.if_empty);
  return {};
}

Verdict Channel::handle(const QueuePurge& purge) {
  auto name = expand_name(purge.queue);
  if (!name) return std::unexpected(std::move(name).error());
  if (auto allowed = check_access(ResourceKind::queue, *name, broker::Access::read); !allowed)
    return refuse(allowed.error());
  const auto queue = find_queue(*name);
  if (!queue) return std::unexpected(queue.error());
  const broker::RequestId request =
      ask([this, no_wait = purge.no_wait, name = (*queue)->name](const Answer& answer) -> Verdict {
        if (!answer) return refuse_queue(answer.error(), name);
        if (!no_wait) send(QueuePurgeOk{static_cast<std::uint32_t>(answer->messages)});
        return {};
      });
  gateway().purge(id_, request, (*queue)->id);
  return {};
}

}  // namespace warren::session::amqp091
