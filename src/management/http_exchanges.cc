// /api/exchanges and /api/bindings.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "broker/equivalence.h"
#include "broker/exchange_declaration.h"
#include "broker/names.h"
#include "catalog/delaying.h"
#include "management/http_call.h"
#include "management/queue_facts.h"

namespace warren::management {
namespace {

using broker::Access;
using broker::ResourceKind;
using catalog::Binding;
using catalog::DestinationKind;
using catalog::ResourceName;

/// How many messages wait, by the exchange; without those of which nobody tells.
using Delayed = std::map<ResourceName, std::uint64_t>;

JsonObject exchange_json(const catalog::Exchange& exchange, const Delayed& delayed) {
  const bool is_own = exchange.name.name.empty() || exchange.name.name.starts_with("amq.");
  JsonObject object{{"arguments", table_json(exchange.arguments)},
                    {"auto_delete", exchange.auto_delete},
                    {"durable", exchange.durable},
                    {"internal", exchange.internal},
                    {"name", text_json(exchange.name.name)},
                    {"type", text_json(exchange.type)},
                    {"user_who_performed_action", is_own ? "rmq-internal" : ""},
                    {"vhost", text_json(exchange.name.vhost)}};
  if (!exchange.policy.empty()) object["policy"] = text_json(exchange.policy);
  if (const auto waiting = delayed.find(exchange.name); waiting != delayed.end())
    object["messages_delayed"] = waiting->second;
  return object;
}

/// Calls back with what waits at exchanges that delay; it asks for that only where there are some.
void with_delayed(const HttpCall& call, std::function<void(const Delayed&)> done) {
  const auto delays = [](const auto& entry) { return entry.second.type == catalog::delaying_type; };
  if (std::ranges::none_of(call.catalog().exchanges(), delays)) return done({});
  constexpr ReportParts queues_only{true, false, false, false};
  gather_reports(*call.operations, queues_only,
                 [call, done = std::move(done)](const std::vector<NodeReport>& reports) {
    if (!call.is_served()) return;
    Delayed delayed;
    for (const QueueFacts& facts : collect_queue_facts(call.catalog(), reports, std::nullopt)) {
      const ResourceName& queue = facts.queue->name;
      const std::string_view exchange = catalog::delaying_exchange(queue.name);
      if (!exchange.empty() && facts.is_up)
        delayed[{queue.vhost, std::string(exchange)}] = facts.messages();
    }
    done(delayed);
  });
}

void list_of(const HttpCall& call, const std::optional<std::string>& vhost) {
  with_delayed(call, [call, vhost](const Delayed& delayed) {
    JsonArray list;
    for (const auto& [name, exchange] : call.catalog().exchanges())
      if ((!vhost || name.vhost == *vhost) && call.sees_vhost(name.vhost))
        list.push_back(exchange_json(exchange, delayed));
    call.answer_list(std::move(list));
  });
}

void list_all(const HttpCall& call) { list_of(call, std::nullopt); }
void list_vhost(const HttpCall& call) { list_of(call, call.path[0]); }

ResourceName name_in_path(const HttpCall& call, std::size_t segment = 1) {
  const std::string& name = call.path[segment];
  return {call.path[0], name == "amq.default" ? "" : name};
}

void show(const HttpCall& call) {
  with_delayed(call, [call](const Delayed& delayed) {
    const catalog::Exchange* exchange = call.catalog().find_exchange(name_in_path(call));
    if (!exchange) return call.not_found();
    JsonObject object = exchange_json(*exchange, delayed);
    object["incoming"] = JsonArray{};
    object["outgoing"] = JsonArray{};
    call.answer_json(std::move(object));
  });
}

void declare(const HttpCall& call) {
  auto body = call.object_body();
  if (!body) return;
  catalog::Exchange wanted;
  wanted.name = {call.path[0], broker::strip_line_breaks(call.path[1])};
  wanted.type = member_text(*body, "type", "direct");
  wanted.durable = member_bool(*body, "durable", true);
  wanted.auto_delete = member_bool(*body, "auto_delete");
  wanted.internal = member_bool(*body, "internal");
  if (const Json* arguments = body->if_contains("arguments"); arguments && arguments->is_object())
    wanted.arguments = json_table(arguments->get_object());
  if (auto type = call.operations->exchange_types().check(wanted.type); !type)
    return call.answer_failure(type.error());
  if (!broker::check_not_default_exchange(wanted.name.name)) return call.refused();
  if (!call.may(wanted.name, ResourceKind::exchange, Access::configure)) return;
  if (const catalog::Exchange* current = call.catalog().find_exchange(wanted.name)) {
    if (auto same = broker::check_equivalent(*current, wanted); !same)
      return call.answer_failure(same.error());
    return call.answer_status(204);
  }
  if (auto valid = broker::check_new_exchange(wanted); !valid)
    return call.answer_failure(valid.error());
  if (auto type = call.operations->exchange_types().check(catalog::routing_type(wanted)); !type)
    return call.answer_failure(type.error());
  if (!call.accept(call.authorizer().check_forwarding(
          call.login, wanted.name, ResourceKind::exchange,
          wanted.arguments.find("alternate-exchange"))))
    return;
  call.propose(catalog::DeclareExchange{std::move(wanted)}, 201);
}

void remove(const HttpCall& call) {
  const ResourceName name = name_in_path(call);
  if (!broker::check_exchange_deletable(name)) return call.refused();
  if (!call.catalog().find_exchange(name)) return call.not_found();
  if (!call.may(name, ResourceKind::exchange, Access::configure)) return;
  call.propose(catalog::DeleteExchange{name, call.query_value("if-unused") == "true"}, 204);
}

/// As forms are encoded: a space becomes a plus sign.
std::string form_encode(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~';
    if (is_plain)
      out += c;
    else if (c == ' ')
      out += '+';
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// A tilde divides the parts of a properties key, so that it is encoded in them.
std::string encode_routing_key(std::string_view routing_key) {
  std::string out;
  for (char c : form_encode(routing_key))
    if (c == '~')
      out += "%7E";
    else
      out += c;
  return out;
}

/// What names a binding among those of one source and destination: the routing key, and a digest
/// of the arguments where there are any.
std::string properties_key(const Binding& binding) {
  if (binding.routing_key.empty() && binding.arguments.empty()) return "~";
  std::string key = encode_routing_key(binding.routing_key);
  if (binding.arguments.empty()) return key;
  const std::string text = print_json(typed_table_json(binding.arguments));
  std::uint32_t digest = 2166136261u;
  for (char c : text) digest = (digest ^ static_cast<unsigned char>(c)) * 16777619u;
  return key + fmt::format("~{:08x}", digest);
}

/// Whether a segment of a path, decoded, is that properties key. Clients put the key there both as
/// it is and encoded once more.
bool means_key(std::string_view segment, const std::string& key) {
  if (segment == key) return true;
  const std::string_view digest = segment.substr(std::min(segment.find('~'), segment.size()));
  std::string text(segment.substr(0, segment.size() - digest.size()));
  std::ranges::replace(text, '+', ' ');
  const auto routing_key = decode_percent(text);
  return routing_key && encode_routing_key(*routing_key).append(digest) == key;
}

JsonObject binding_json(const Binding& binding) {
  const bool to_queue = binding.destination_kind == DestinationKind::queue;
  return {{"source", text_json(binding.source.name)},
          {"vhost", text_json(binding.source.vhost)},
          {"destination", text_json(binding.destination)},
          {"destination_type", to_queue ? "queue" : "exchange"},
          {"routing_key", text_json(binding.routing_key)},
          {"arguments", table_json(binding.arguments)},
          {"properties_key", text_json(properties_key(binding))}};
}

template <typename Wanted>
void list_bindings(const HttpCall& call, Wanted wanted) {
  JsonArray list;
  for (const auto& [name, id] : call.catalog().queue_names()) {
    const Binding implied{{name.vhost, ""}, DestinationKind::queue, name.name, name.name, {}};
    if (call.sees_vhost(name.vhost) && wanted(implied)) list.push_back(binding_json(implied));
  }
  for (const auto& [name, exchange] : call.catalog().exchanges())
    if (call.sees_vhost(name.vhost))
      for (const Binding& binding : call.catalog().bindings_from(name))
        if (wanted(binding)) list.push_back(binding_json(binding));
  call.answer_list(std::move(list));
}

void all_bindings(const HttpCall& call) {
  list_bindings(call, [](const Binding&) { return true; });
}
void vhost_bindings(const HttpCall& call) {
  list_bindings(call, [&](const Binding& b) { return b.source.vhost == call.path[0]; });
}
void queue_bindings(const HttpCall& call) {
  if (!call.catalog().find_queue(ResourceName{call.path[0], call.path[1]}))
    return call.not_found();
  list_bindings(call, [&](const Binding& b) {
    return b.source.vhost == call.path[0] && b.destination == call.path[1] &&
           b.destination_kind == DestinationKind::queue;
  });
}
void source_bindings(const HttpCall& call) {
  const ResourceName name = name_in_path(call);
  if (!call.catalog().find_exchange(name)) return call.not_found();
  list_bindings(call, [&](const Binding& b) { return b.source == name; });
}
void destination_bindings(const HttpCall& call) {
  const ResourceName name = name_in_path(call);
  if (!call.catalog().find_exchange(name)) return call.not_found();
  list_bindings(call, [&](const Binding& b) {
    return b.source.vhost == name.vhost && b.destination == name.name &&
           b.destination_kind == DestinationKind::exchange;
  });
}

bool joins(const Binding& binding, const HttpCall& call, DestinationKind kind) {
  return binding.source == name_in_path(call) && binding.destination == call.path[2] &&
         binding.destination_kind == kind;
}

/// Whether both ends exist; answers 404 when not.
bool has_ends(const HttpCall& call, DestinationKind kind) {
  const ResourceName destination{call.path[0], call.path[2]};
  const bool found = call.catalog().find_exchange(name_in_path(call)) &&
                     (kind == DestinationKind::queue
                          ? call.catalog().find_queue(destination) != nullptr
                          : call.catalog().find_exchange(destination) != nullptr);
  if (!found) call.not_found();
  return found;
}

void bindings_between(const HttpCall& call, DestinationKind kind) {
  if (!has_ends(call, kind)) return;
  list_bindings(call, [&](const Binding& b) { return joins(b, call, kind); });
}
void bindings_to_queue(const HttpCall& call) { bindings_between(call, DestinationKind::queue); }
void bindings_to_exchange(const HttpCall& call) {
  bindings_between(call, DestinationKind::exchange);
}

/// Whether the user may make or take away that binding, of things that exist; answers when not.
bool may_bind(const HttpCall& call, const Binding& binding) {
  const bool is_to_queue = binding.destination_kind == DestinationKind::queue;
  const ResourceName destination{binding.source.vhost, binding.destination};
  const auto kind = is_to_queue ? ResourceKind::queue : ResourceKind::exchange;
  const catalog::Exchange& source = *call.catalog().find_exchange(binding.source);
  return call.may(destination, kind, Access::write) &&
         call.may(binding.source, ResourceKind::exchange, Access::read) &&
         call.accept(call.authorizer().check_topic(call.login, source, binding.routing_key,
                                                   Access::read)) &&
         (!is_to_queue || call.is_shared(*call.catalog().find_queue(destination)));
}

void bind(const HttpCall& call, DestinationKind kind) {
  auto body = call.object_body();
  if (!body || !has_ends(call, kind)) return;
  Binding binding{name_in_path(call), kind, call.path[2], member_text(*body, "routing_key"), {}};
  if (!broker::check_not_default_exchange(binding.source.name)) return call.refused();
  if (!may_bind(call, binding)) return;
  if (const Json* arguments = body->if_contains("arguments"); arguments && arguments->is_object())
    binding.arguments = json_table(arguments->get_object());
  const catalog::Exchange* source = call.catalog().find_exchange(binding.source);
  if (auto valid = broker::check_binding(*source, binding); !valid)
    return call.answer_failure(valid.error());
  const std::string location =
      form_encode(binding.destination) + "/" + form_encode(properties_key(binding));
  call.operations->propose(catalog::AddBinding{std::move(binding)},
                           [call, location](base::Result<catalog::Applied> done) {
    if (!done) return call.answer_failure(done.error());
    HttpResponse response;
    response.status = 201;
    response.headers.emplace_back("location", location);
    call.answer(std::move(response));
  });
}
void bind_queue(const HttpCall& call) { bind(call, DestinationKind::queue); }
void bind_exchange(const HttpCall& call) { bind(call, DestinationKind::exchange); }

/// The binding that the path names by its properties key, or null.
const Binding* find_binding(const HttpCall& call, DestinationKind kind) {
  for (const Binding& binding : call.catalog().bindings_from(name_in_path(call)))
    if (joins(binding, call, kind) && means_key(call.path[3], properties_key(binding)))
      return &binding;
  return nullptr;
}

void show_binding(const HttpCall& call, DestinationKind kind) {
  const Binding* binding = find_binding(call, kind);
  if (!binding) return call.not_found();
  call.answer_json(binding_json(*binding));
}
void show_queue_binding(const HttpCall& call) { show_binding(call, DestinationKind::queue); }
void show_exchange_binding(const HttpCall& call) { show_binding(call, DestinationKind::exchange); }

void unbind(const HttpCall& call, DestinationKind kind) {
  const Binding* binding = find_binding(call, kind);
  if (!binding) return call.not_found();
  if (!may_bind(call, *binding)) return;
  call.propose(catalog::RemoveBinding{*binding}, 204);
}
void unbind_queue(const HttpCall& call) { unbind(call, DestinationKind::queue); }
void unbind_exchange(const HttpCall& call) { unbind(call, DestinationKind::exchange); }

constexpr HttpPower management = HttpPower::management;
constexpr HttpRoute entries[] = {
    {"GET", "exchanges", management, list_all},
    {"GET", "exchanges/*", management, list_vhost, true},
    {"GET", "exchanges/*/*", management, show, true},
    {"PUT", "exchanges/*/*", management, declare, true},
    {"DELETE", "exchanges/*/*", management, remove, true},
    {"GET", "exchanges/*/*/bindings/source", management, source_bindings, true},
    {"GET", "exchanges/*/*/bindings/destination", management, destination_bindings, true},
    {"GET", "queues/*/*/bindings", management, queue_bindings, true},
    {"GET", "bindings", management, all_bindings},
    {"GET", "bindings/*", management, vhost_bindings, true},
    {"GET", "bindings/*/e/*/q/*", management, bindings_to_queue, true},
    {"POST", "bindings/*/e/*/q/*", management, bind_queue, true},
    {"GET", "bindings/*/e/*/q/*/*", management, show_queue_binding, true},
    {"DELETE", "bindings/*/e/*/q/*/*", management, unbind_queue, true},
    {"GET", "bindings/*/e/*/e/*", management, bindings_to_exchange, true},
    {"POST", "bindings/*/e/*/e/*", management, bind_exchange, true},
    {"GET", "bindings/*/e/*/e/*/*", management, show_exchange_binding, true},
    {"DELETE", "bindings/*/e/*/e/*/*", management, unbind_exchange, true},
};

}  // namespace

std::span<const HttpRoute> exchange_routes() { return entries; }

}  // namespace warren::management
