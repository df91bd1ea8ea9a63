#include "perf/topology.h"

#include "base/random.h"

namespace warren::perf {

namespace amqp = codec::amqp091;
using base::Result;

namespace {

/// Requests under way while bindings are made.
constexpr unsigned pipeline = 256;
constexpr std::uint16_t channel = 1;

bool has_numbered_keys(const Options& options) {
  return options.has_exchange() && !options.binding_key.empty();
}

amqp::QueueBind binding_of(const Options& options, unsigned number) {
  amqp::QueueBind bind;
  const unsigned queue = number % options.queues;
  bind.queue = options.queue_name(queue);
  bind.exchange = options.exchange;
  if (has_numbered_keys(options))
    bind.routing_key = number_key(options.binding_key, number);
  else if (options.exchange_type != "fanout")
    bind.routing_key = bind.queue;
  return bind;
}

Result<> declare_bindings(Client& client, const Options& options) {
  const unsigned count = options.bindings > 0 ? options.bindings : options.queues;
  unsigned answered = 0;
  for (unsigned sent = 0; answered < count;) {
    amqp::Bytes out;
    for (; sent < count && sent - answered < pipeline; ++sent)
      amqp::encode_method(out, channel, binding_of(options, sent));
    TRY(client.send(out));
    for (const unsigned half = answered + (sent - answered + 1) / 2; answered < half; ++answered)
      TRY(client.receive());
  }
  return {};
}

}  // namespace

Result<> declare_ends(Client& client, const Options& options) {
  for (unsigned i = 0; i < options.queues; ++i) {
    amqp::QueueDeclare declare;
    declare.queue = options.queue_name(i);
    declare.durable = options.durable;
    declare.arguments = options.queue_arguments;
    TRY(client.call(channel, declare));
  }
  if (!options.has_exchange()) return {};
  amqp::ExchangeDeclare declare;
  declare.exchange = options.exchange;
  declare.type = options.exchange_type;
  declare.durable = options.durable;
  TRY(client.call(channel, declare));
  return {};
}

Result<> declare_topology(Client& client, const Options& options) {
  TRY(declare_ends(client, options));
  if (!options.has_exchange()) return {};
  return declare_bindings(client, options);
}

Result<> delete_topology(Client& client, const Options& options) {
  if (options.has_exchange()) {
    amqp::ExchangeDelete remove;
    remove.exchange = options.exchange;
    TRY(client.call(channel, remove));
  }
  for (unsigned i = 0; i < options.queues; ++i) {
    amqp::QueueDelete remove;
    remove.queue = options.queue_name(i);
    TRY(client.call(channel, remove));
  }
  return {};
}

std::vector<unsigned> queues_of(unsigned sharer, unsigned sharers, unsigned queues) {
  if (sharers >= queues) return {sharer % queues};
  std::vector<unsigned> own;
  for (unsigned queue = sharer; queue < queues; queue += sharers) own.push_back(queue);
  return own;
}

std::vector<std::string> routing_keys_of(const Options& options, unsigned producer) {
  if (options.exchange_type == "fanout" && !has_numbered_keys(options))
    return {options.routing_key};
  std::vector<std::string> keys;
  if (!has_numbered_keys(options)) {
    for (const unsigned queue : queues_of(producer, options.producers, options.queues))
      keys.push_back(options.queue_name(queue));
    return keys;
  }
  const unsigned count = options.bindings > 0 ? options.bindings : options.queues;
  const bool is_numbered = options.routing_key.find("{}") != std::string::npos;
  for (unsigned i = 0; i < (is_numbered ? count : 1); ++i)
    keys.push_back(number_key(options.routing_key, i));
  // In an order that no cache foresees, and the same in each run.
  base::Random random(producer + 1);
  for (std::size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[random.below(i)]);
  return keys;
}

std::uint64_t copies_of_message(const Options& options) {
  return options.exchange_type == "fanout" ? options.queues : 1;
}

}  // namespace warren::perf
