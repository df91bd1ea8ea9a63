#include "perf/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

namespace warren::perf {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::uint32_t window_max = 1U << 20;
constexpr std::uint32_t size_max = 128U << 20;

/// What the command line holds as text until all of it is known.
struct Raw {
  std::vector<std::string> uris;
  std::vector<std::string> producer_uris;
  std::vector<std::string> consumer_uris;
  std::vector<std::string> arguments;
  std::string queue_type;
  std::string churn;
};

base::FieldValue read_value(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return number;
  return text;
}

void add_common(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--uri", raw.uris,
                 "amqp://user:password@host:port/vhost; several are taken in turn");
  app.add_option("--server-pid", options.server_pids, "measure CPU and memory of that process");
  app.add_option("--json", options.json, "write the result as JSON to a file, or - for stdout");
  app.add_flag("--quiet", options.quiet, "no progress line");
}

void add_topology(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--queue", options.queue, "name of the queue, or first part of several names");
  app.add_option("--queues", options.queues, "number of queues")->check(CLI::Range(1U, 1000000U));
  app.add_flag("--durable", options.durable, "durable queues and exchange");
  app.add_option("--queue-type", raw.queue_type, "x-queue-type: classic, quorum");
  app.add_option("--queue-argument", raw.arguments, "name=value of queue.declare");
  app.add_option("--exchange-type", options.exchange_type,
                 "direct, fanout, topic, headers; without it the default exchange is used")
      ->check(CLI::IsMember({"direct", "fanout", "topic", "headers"}));
  app.add_option("--exchange", options.exchange, "name of the exchange");
  app.add_option("--bindings", options.bindings, "bindings of the exchange, over all queues")
      ->check(CLI::Range(0U, 10000000U));
  app.add_option("--binding-key", options.binding_key, "key of binding {}, such as a.{}.#");
  app.add_option("--routing-key", options.routing_key, "key of message {}, such as a.{}.b");
  app.add_flag("!--no-declare", options.declare, "all of that exists already, and is to stay");
  app.add_flag("--keep", options.keep, "leave queues and exchange behind");
}

void add_producing(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--producer-uri", raw.producer_uris, "brokers of the producers, where others");
  app.add_option("--producers", options.producers, "connections that publish");
  app.add_option("--size", options.size, "octets of a message; from 8 on it carries its time")
      ->check(CLI::Range(0U, size_max));
  app.add_flag("--persistent", options.persistent, "persistent messages, durable queues");
  app.add_flag("--mandatory", options.mandatory, "messages without queue come back");
  app.add_option("--confirms", options.window, "with confirms, so many unconfirmed a producer")
      ->check(CLI::Range(1U, window_max));
  app.add_option("--rate", options.rate, "messages a second of each producer")
      ->check(CLI::NonNegativeNumber);
}

void add_consuming(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--consumers", options.consumers, "connections that consume");
  app.add_option("--consumer-uri", raw.consumer_uris, "brokers of the consumers, where others");
  app.add_flag("--auto-ack", options.auto_ack, "no acknowledgements");
  app.add_option("--prefetch", options.prefetch, "unacknowledged messages a consumer, 0: any");
  app.add_option("--ack-batch", options.ack_batch, "one acknowledgement for so many messages")
      ->check(CLI::Range(1U, 65535U));
  app.add_option("--consumer-rate", options.consumer_rate, "messages a second of each consumer")
      ->check(CLI::NonNegativeNumber);
}

void add_length(CLI::App& app, Options& options) {
  app.add_option("--count", options.count, "end after so many messages");
  app.add_option("--time", options.seconds, "end after so many seconds")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--warm-up", options.warm_up_seconds, "seconds before the measurement")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--settle", options.settle_seconds,
                 "seconds to wait at the end for what is under way")
      ->check(CLI::NonNegativeNumber);
}

void add_modes(CLI::App& app, Options& options, Raw& raw) {
  auto* load = app.add_subcommand("load", "producers and consumers at once (the default)");
  auto* fill = app.add_subcommand("fill", "publish into a durable queue and leave it there");
  auto* drain = app.add_subcommand("drain", "consume until nothing is left");
  for (auto* each : {load, fill, drain}) {
    add_common(*each, options, raw);
    add_topology(*each, options, raw);
    add_length(*each, options);
    if (each != drain) add_producing(*each, options, raw);
    if (each != fill) add_consuming(*each, options, raw);
  }
  drain->add_flag("--persistent", options.persistent, "the queues are durable");
  drain->add_flag("--delete", options.remove, "delete the queues afterwards");
  auto* churn = app.add_subcommand("churn", "make and unmake things, one after another");
  add_common(*churn, options, raw);
  add_topology(*churn, options, raw);
  churn->add_option("kind", raw.churn, "connection, channel, queue, binding or exchange")
      ->required()
      ->check(CLI::IsMember({"connection", "channel", "queue", "binding", "exchange"}));
  churn->add_option("--count", options.count, "how many things");
  churn->add_option("--pipeline", options.pipeline, "requests under way at once")
      ->check(CLI::Range(1U, 65535U));
  churn->add_flag("--create-only", options.create_only, "leave them behind");
  churn->add_flag("--delete-only", options.delete_only, "unmake what an earlier run left");
  auto* idle = app.add_subcommand("idle", "open connections and do nothing");
  add_common(*idle, options, raw);
  idle->add_option("--connections", options.connections, "how many")
      ->check(CLI::Range(1U, 1000000U));
  idle->add_option("--channels", options.channels, "channels of each");
  idle->add_option("--time", options.seconds, "seconds to hold them")
      ->check(CLI::NonNegativeNumber);
  for (const char* name : {"sink", "relay"}) {
    auto* server = app.add_subcommand(
        name, *name == 's' ? "a server that reads and drops: the generator's own ceiling"
                           : "a server that only hands on: the floor of any broker");
    server->add_option("--port", options.port, "on 127.0.0.1; 0: any, it is printed");
    server->add_flag("--quiet", options.quiet, "no progress line");
  }
}

constexpr std::pair<const char*, Mode> modes[] = {
    {"load", Mode::load},   {"fill", Mode::fill}, {"drain", Mode::drain}, {"churn", Mode::churn},
    {"idle", Mode::idle},   {"sink", Mode::sink}, {"relay", Mode::relay}};

const Mode* find_mode(std::string_view word) {
  for (const auto& [name, mode] : modes)
    if (word == name) return &mode;
  return nullptr;
}

Result<std::vector<Uri>> parse_uris(const std::vector<std::string>& texts) {
  std::vector<Uri> uris;
  for (const auto& text : texts) {
    TRY_ASSIGN(auto uri, parse_uri(text));
    uris.push_back(std::move(uri));
  }
  return uris;
}

Result<> take_raw(const Raw& raw, Options& options) {
  TRY_ASSIGN(options.uris, parse_uris(raw.uris));
  TRY_ASSIGN(options.producer_uris, parse_uris(raw.producer_uris));
  TRY_ASSIGN(options.consumer_uris, parse_uris(raw.consumer_uris));
  if (options.uris.empty()) options.uris.emplace_back();
  if (options.producer_uris.empty()) options.producer_uris = options.uris;
  if (options.consumer_uris.empty()) options.consumer_uris = options.uris;
  if (!raw.queue_type.empty()) options.queue_arguments.set("x-queue-type", raw.queue_type);
  for (const auto& text : raw.arguments) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(ErrorCode::invalid_argument,
                  fmt::format("--queue-argument '{}' is not name=value", text));
    options.queue_arguments.set(text.substr(0, equals), read_value(text.substr(equals + 1)));
  }
  constexpr std::pair<const char*, ChurnKind> kinds[] = {{"connection", ChurnKind::connection},
                                                         {"channel", ChurnKind::channel},
                                                         {"queue", ChurnKind::queue},
                                                         {"binding", ChurnKind::binding},
                                                         {"exchange", ChurnKind::exchange}};
  for (const auto& [name, kind] : kinds)
    if (raw.churn == name) options.churn = kind;
  return {};
}

/// What each mode means where the user said nothing.
void take_defaults(Options& options) {
  if (options.mode == Mode::fill) {
    options.consumers = 0;
    options.keep = true;
    if (options.count == 0 && options.seconds == 0) options.count = 1000000;
  }
  if (options.mode == Mode::drain) options.producers = 0;
  if (options.mode == Mode::load && options.count == 0 && options.seconds == 0)
    options.seconds = 10;
  if (options.mode == Mode::churn && options.count == 0) options.count = 1000;
  if (!options.declare) options.keep = true;
  if (options.persistent) options.durable = true;
  if (options.queue_arguments.find("x-queue-type") != nullptr) options.durable = true;
  if (options.has_exchange() && options.binding_key.empty() && options.bindings > 0)
    options.binding_key = "key.{}";
  if (options.routing_key.empty()) options.routing_key = options.binding_key;
}

Result<> check(const Options& options) {
  const auto wrong = [](std::string_view text) {
    return fail(ErrorCode::invalid_argument, std::string(text));
  };
  const bool moves = options.mode == Mode::load || options.mode == Mode::drain;
  if (moves && options.producers == 0 && options.consumers == 0)
    return wrong("there is nothing to do without producers and consumers");
  if (moves && !options.auto_ack && options.prefetch > 0 && options.prefetch < options.ack_batch)
    return wrong("--ack-batch is above --prefetch: the consumers would wait for ever");
  if (options.bindings > 0 && !options.has_exchange() && options.mode != Mode::churn)
    return wrong("--bindings needs --exchange-type");
  if (options.warm_up_seconds > 0 && options.count > 0)
    return wrong("--warm-up goes with --time, not with --count");
  if (options.create_only && options.delete_only)
    return wrong("--create-only and --delete-only exclude each other");
  return {};
}

}  // namespace

std::string number_key(std::string_view template_key, std::uint64_t number) {
  std::string key;
  while (true) {
    const auto place = template_key.find("{}");
    if (place == std::string_view::npos) return key.append(template_key);
    key.append(template_key.substr(0, place)).append(std::to_string(number));
    template_key.remove_prefix(place + 2);
  }
}

std::string Options::queue_name(unsigned number) const {
  return queues == 1 ? queue : fmt::format("{}-{}", queue, number + 1);
}

Result<Options> parse_options(std::vector<std::string> words) {
  Options options;
  Raw raw;
  CLI::App app("A load generator for AMQP 0-9-1 brokers.", "warren perf");
  add_modes(app, options, raw);
  app.require_subcommand(1);
  // Options without a mode are those of a load.
  const bool names_mode = !words.empty() && !words.front().starts_with('-');
  const bool asks_help = words.empty() || words.front() == "--help" || words.front() == "-h";
  if (names_mode && find_mode(words.front()) == nullptr)
    return fail(ErrorCode::invalid_argument,
                fmt::format("there is no mode '{}': load, fill, drain, churn, idle, sink or relay",
                            words.front()));
  if (!names_mode && !asks_help) words.insert(words.begin(), "load");
  if (words.empty()) words.push_back("--help");
  if (const Mode* mode = find_mode(words.front())) options.mode = *mode;
  std::ranges::reverse(words);
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    options.help = app.help();
    return options;
  } catch (const CLI::ParseError& error) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}\nSee warren perf [MODE] --help.", error.what()));
  }
  TRY(take_raw(raw, options));
  take_defaults(options);
  TRY(check(options));
  return options;
}

}  // namespace warren::perf
