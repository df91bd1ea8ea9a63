#include "broker/equivalence.h"
#include "broker/exchange_declaration.h"
#include "broker/names.h"
#include "catalog/delaying.h"
#include "session/channel.h"

/// exchange.declare and exchange.delete.
namespace warren::session::amqp091 {

using namespace codec::amqp091;
using broker::ResourceKind;

Verdict Channel::handle(const ExchangeDeclare& declare) {
  catalog::Exchange wanted;
  wanted.name = in_vhost(broker::strip_line_breaks(declare.exchange));
  wanted.type = declare.type;
  wanted.durable = declare.durable;
  wanted.auto_delete = declare.auto_delete;
  wanted.internal = declare.internal;
  wanted.arguments = declare.arguments;
  const std::string& name = wanted.name.name;

  if (!declare.passive) {
    if (auto known = talk_.environment.exchange_types.check(wanted.type); !known)
      return refuse(ReplyCode::command_invalid, known.error().text);
  }
  if (auto allowed = broker::check_not_default_exchange(name); !allowed)
    return refuse(allowed.error());
  if (!declare.passive) {
    if (auto allowed = check_access(ResourceKind::exchange, name, broker::Access::configure);
        !allowed)
      return refuse(allowed.error());
  }
  const catalog::Exchange* current = catalog().find_exchange(wanted.name);
  if (current == nullptr) {
    if (declare.passive)
      return refuse(broker::no_such_resource(ResourceKind::exchange, wanted.name));
    return make_exchange(wanted, declare.no_wait);
  }
  if (!declare.passive) {
    if (auto same = broker::check_equivalent(*current, wanted); !same) return refuse(same.error());
  }
  if (!declare.no_wait) send(ExchangeDeclareOk{});
  return {};
}

Verdict Channel::make_exchange(const catalog::Exchange& wanted, bool no_wait) {
  if (auto sound = broker::check_new_exchange(wanted); !sound) return refuse(sound.error());
  if (auto known = talk_.environment.exchange_types.check(catalog::routing_type(wanted)); !known)
    return refuse(ReplyCode::command_invalid, known.error().text);
  if (auto allowed = talk_.environment.authorizer.check_forwarding(
          talk_.login, wanted.name, ResourceKind::exchange,
          wanted.arguments.find("alternate-exchange"));
      !allowed)
    return refuse(allowed.error());
  return change(catalog::DeclareExchange{wanted}, [this, no_wait](const Answer& answer) -> Verdict {
    if (!answer) return refuse_change(answer.error());
    if (!no_wait) send(ExchangeDeclareOk{});
    return {};
  });
}

Verdict Channel::handle(const ExchangeDelete& remove) {
  const QueueName name = in_vhost(broker::strip_line_breaks(remove.exchange));
  if (auto allowed = broker::check_exchange_deletable(name); !allowed)
    return refuse(allowed.error());
  if (auto allowed = check_access(ResourceKind::exchange, name.name, broker::Access::configure);
      !allowed)
    return refuse(allowed.error());
  if (catalog().find_exchange(name) == nullptr) {
    if (!remove.no_wait) send(ExchangeDeleteOk{});
    return {};
  }
  const broker::RequestId request = ask([this, no_wait = remove.no_wait](Answer answer) -> Verdict {
    if (!answer && answer.error().code != base::ErrorCode::not_found)
      return refuse_change(answer.error());
    if (!no_wait) send(ExchangeDeleteOk{});
    return {};
  });
  gateway().change(id_, request, catalog::DeleteExchange{name, remove.if_unused});
  return {};
}

}  // namespace warren::session::amqp091
