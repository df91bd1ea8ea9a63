#include <algorithm>

#include "broker/equivalence.h"
#include "broker/exchange_declaration.h"
#include "broker/names.h"
#include "session/channel.h"

/// Bindings of queues and of exchanges, made and removed.
namespace warren::session::amqp091 {

using namespace codec::amqp091;
using broker::ResourceKind;
using catalog::Binding;
using catalog::DestinationKind;

namespace {

/// For queues with few bindings: it looks at all of them.
bool is_bound(const catalog::Catalog& catalog, const Binding& binding) {
  const auto bound = catalog.bindings_to(binding.destination_kind,
                                         {binding.source.vhost, binding.destination});
  return std::ranges::find(bound, binding) != bound.end();
}

template <typename Method>
Binding binding_of(const std::string& vhost, DestinationKind kind, const std::string& destination,
                   const std::string& source, const Method& method) {
  Binding binding;
  binding.source = {vhost, broker::strip_line_breaks(source)};
  binding.destination_kind = kind;
  binding.destination = broker::strip_line_breaks(destination);
  binding.routing_key = method.routing_key;
  binding.arguments = method.arguments;
  return binding;
}

}  // namespace

Verdict Channel::handle(const QueueBind& bind) {
  auto queue = expand_name(bind.queue);
  if (!queue) return std::unexpected(std::move(queue).error());
  Binding binding = binding_of(talk_.vhost, DestinationKind::queue, *queue, bind.exchange, bind);
  // With neither a queue nor a key, the queue's name is the key as well.
  if (bind.queue.empty() && bind.routing_key.empty()) binding.routing_key = *queue;
  return change_binding<QueueBindOk>(binding, true, bind.no_wait);
}

Verdict Channel::handle(const QueueUnbind& unbind) {
  auto queue = expand_name(unbind.queue);
  if (!queue) return std::unexpected(std::move(queue).error());
  Binding binding =
      binding_of(talk_.vhost, DestinationKind::queue, *queue, unbind.exchange, unbind);
  if (unbind.queue.empty() && unbind.routing_key.empty()) binding.routing_key = *queue;
  return change_binding<QueueUnbindOk>(binding, false, false);
}

Verdict Channel::handle(const ExchangeBind& bind) {
  return change_binding<ExchangeBindOk>(
      binding_of(talk_.vhost, DestinationKind::exchange, bind.destination, bind.source, bind), true,
      bind.no_wait);
}

Verdict Channel::handle(const ExchangeUnbind& unbind) {
  return change_binding<ExchangeUnbindOk>(
      binding_of(talk_.vhost, DestinationKind::exchange, unbind.destination, unbind.source, unbind),
      false, unbind.no_wait);
}

/// Whether the user may bind these two, whether or not they exist.
Verdict Channel::check_binding(const Binding& binding) const {
  const bool is_to_queue = binding.destination_kind == DestinationKind::queue;
  const ResourceKind kind = is_to_queue ? ResourceKind::queue : ResourceKind::exchange;
  if (auto allowed = check_access(kind, binding.destination, broker::Access::write); !allowed)
    return refuse(allowed.error());
  if (!is_to_queue) {
    if (auto allowed = broker::check_not_default_exchange(binding.destination); !allowed)
      return refuse(allowed.error());
  }
  if (auto allowed = broker::check_not_default_exchange(binding.source.name); !allowed)
    return refuse(allowed.error());
  if (auto allowed =
          check_access(ResourceKind::exchange, binding.source.name, broker::Access::read);
      !allowed)
    return refuse(allowed.error());
  const catalog::Exchange* source = catalog().find_exchange(binding.source);
  if (source == nullptr) return {};
  if (auto allowed = talk_.environment.authorizer.check_topic(
          talk_.login, *source, binding.routing_key, broker::Access::read);
      !allowed)
    return refuse(allowed.error());
  return {};
}

template <typename Answered>
Verdict Channel::change_binding(const Binding& binding, bool adds, bool no_wait) {
  if (Verdict verdict = check_binding(binding); !verdict) return verdict;
  const catalog::Exchange* source = catalog().find_exchange(binding.source);
  const bool is_to_queue = binding.destination_kind == DestinationKind::queue;
  const QueueName destination{talk_.vhost, binding.destination};
  const catalog::Queue* queue = is_to_queue ? catalog().find_queue(destination) : nullptr;
  if (adds) {
    if (source == nullptr)
      return refuse(broker::no_such_resource(ResourceKind::exchange, binding.source));
    if (is_to_queue && queue == nullptr)
      return refuse(broker::no_such_resource(ResourceKind::queue, destination));
    if (!is_to_queue && catalog().find_exchange(destination) == nullptr)
      return refuse(broker::no_such_resource(ResourceKind::exchange, destination));
  }
  // What is not bound may be unbound by everybody.
  if (queue != nullptr && queue->is_exclusive() && (adds || is_bound(catalog(), binding))) {
    if (auto owned = broker::check_exclusive_access(*queue, talk_.connection); !owned)
      return refuse(owned.error());
  }
  if (adds) {
    if (auto sound = broker::check_binding(*source, binding); !sound) return refuse(sound.error());
  }
  Continuation then = [this, adds, no_wait](const Answer& answer) -> Verdict {
    const bool is_gone_already =
        !adds && !answer && answer.error().code == base::ErrorCode::not_found;
    if (!answer && !is_gone_already) return refuse_change(answer.error());
    if (!no_wait) send(Answered{});
    return {};
  };
  if (adds) return change(catalog::AddBinding{binding}, std::move(then));
  return change(catalog::RemoveBinding{binding}, std::move(then));
}

}  // namespace warren::session::amqp091
