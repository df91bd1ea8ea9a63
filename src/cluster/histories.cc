#include "cluster/histories.h"

#include <algorithm>
#include <utility>

#include "catalog/delaying.h"
#include "codec/amqp091_properties.h"

namespace warren::cluster {
namespace {

constexpr std::string_view history_type = "x-recent-history";
constexpr std::size_t default_length = 20;
/// What a message takes besides its own bytes.
constexpr std::size_t overhead_bytes = 64;
/// No more for members whose link does not keep up.
constexpr std::size_t max_backlog_bytes = 16u << 20;

std::size_t cost(const broker::Message& message) {
  return message.encoded().size() + overhead_bytes;
}

std::size_t length_of(const catalog::Exchange& exchange) {
  const base::FieldValue* value = exchange.arguments.find("x-recent-history-length");
  if (!value || !value->is_integer() || value->to_integer() < 1) return default_length;
  return static_cast<std::size_t>(value->to_integer());
}

}  // namespace

void History::add(const broker::Message& message, std::size_t length) {
  if (cost(message) > max_bytes) return;
  messages_.push_back(message);
  bytes_ += cost(message);
  while (messages_.size() > length || bytes_ > max_bytes) {
    bytes_ -= cost(messages_.front());
    messages_.pop_front();
  }
}

Histories::Histories(QueueContext& context) : context_(context) {
  context_.catalog().route_listeners().add(*this);
}

Histories::~Histories() {
  context_.catalog().route_listeners().remove(*this);
}

bool Histories::is_history(const catalog::ResourceName& name) const {
  const catalog::Exchange* exchange = context_.catalog().find_exchange(name);
  return exchange && catalog::routing_type(*exchange) == history_type;
}

void Histories::remember(const catalog::ResourceName& exchange, const broker::Message& message) {
  add(exchange, message);
  for (const auto& [name, node] : context_.catalog().nodes())
    if (name != context_.self() && context_.is_linked(name) &&
        context_.link_backlog(name) <= max_backlog_bytes)
      context_.send(name, Remembered{exchange.vhost, exchange.name, false, {message}});
}

void Histories::on_message(const Remembered& remembered) {
  const catalog::ResourceName exchange{remembered.vhost, remembered.exchange};
  // One of several members that tell all they know comes first, and is enough.
  if (remembered.is_all && histories_.contains(exchange)) return;
  for (const broker::Message& message : remembered.messages) add(exchange, message);
}

void Histories::on_linked(const NodeName& member) {
  for (const auto& [exchange, history] : histories_)
    context_.send(member, Remembered{exchange.vhost, exchange.name, true,
                                   {history.messages().begin(), history.messages().end()}});
}

void Histories::add(const catalog::ResourceName& exchange, const broker::Message& message) {
  const catalog::Exchange* known = context_.catalog().find_exchange(exchange);
  // A member that is about to come up may not know the exchange yet.
  const std::size_t length = known ? length_of(*known) : SIZE_MAX;
  History& history = histories_[exchange];
  if (bytes_ + cost(message) > max_bytes + history.bytes()) return;
  bytes_ -= history.bytes();
  history.add(message, length);
  bytes_ += history.bytes();
}

void Histories::forget(std::map<catalog::ResourceName, History>::iterator history) {
  bytes_ -= history->second.bytes();
  histories_.erase(history);
}

void Histories::on_exchange(const catalog::ResourceName& name) {
  auto history = histories_.find(name);
  if (history != histories_.end() && !is_history(name)) forget(history);
}

void Histories::forget_missing() {
  for (auto history = histories_.begin(); history != histories_.end();) {
    auto next = std::next(history);
    if (!is_history(history->first)) forget(history);
    history = next;
  }
}

Histories::Key Histories::key_of(const catalog::Binding& binding) {
  return {binding.source, binding.destination_kind, binding.destination, binding.routing_key};
}

bool Histories::expect(const catalog::Command& command) {
  const auto* adding = std::get_if<catalog::AddBinding>(&command);
  if (!adding || !is_history(adding->binding.source)) return false;
  expected_.insert(key_of(adding->binding));
  return true;
}

void Histories::on_bound(const catalog::Binding& binding) {
  if (expected_.empty()) return;
  Key key = key_of(binding);
  if (expected_.contains(key)) bound_.insert(std::move(key));
}

void Histories::on_proposal_done(const catalog::Command& command) {
  const catalog::Binding& binding = std::get<catalog::AddBinding>(command).binding;
  const Key key = key_of(binding);
  if (auto expected = expected_.find(key); expected != expected_.end()) expected_.erase(expected);
  auto bound = bound_.find(key);
  if (bound == bound_.end()) return;
  bound_.erase(bound);
  replay(binding);
}

void Histories::replay(const catalog::Binding& binding) {
  auto history = histories_.find(binding.source);
  if (history == histories_.end()) return;
  if (!channel_) channel_ = context_.channels().open(*this);
  const auto& messages = history->second.messages();
  const catalog::Exchange* exchange = context_.catalog().find_exchange(binding.source);
  const std::size_t length = exchange ? length_of(*exchange) : 0;
  const std::size_t too_many = messages.size() - std::min(messages.size(), length);
  for (std::size_t i = too_many; i < messages.size(); ++i) publish(binding, messages[i]);
}

void Histories::publish(const catalog::Binding& binding, const broker::Message& message) {
  const catalog::ResourceName destination{binding.source.vhost, binding.destination};
  std::vector<catalog::QueueId> queues;
  if (binding.destination_kind == catalog::DestinationKind::queue) {
    if (const auto* queue = context_.catalog().find_queue(destination)) queues.push_back(queue->id);
  } else {
    const auto properties = codec::amqp091::decode_properties(message.properties())
                                .value_or(codec::amqp091::Properties());
    broker::RoutedContent content(properties.headers ? &*properties.headers : nullptr);
    content.message_id = properties.message_id;
    content.correlation_id = properties.correlation_id;
    content.timestamp = properties.timestamp;
    context_.router().route(destination, message.routing_key(), content, queues);
  }
  if (queues.empty()) return;
  last_publish_ = last_publish_.next();
  context_.channels().publish(channel_, last_publish_, message, queues);
}

}  // namespace warren::cluster
