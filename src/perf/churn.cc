#include "perf/churn.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "perf/client.h"
#include "perf/histogram.h"
#include "perf/interrupt.h"
#include "perf/process_use.h"
#include "perf/socket.h"
#include "perf/topology.h"

namespace warren::perf {

namespace amqp = codec::amqp091;
using base::Result;

namespace {

constexpr std::uint16_t channel = 1;
constexpr double second = 1e9;

/// Timed requests of one kind.
struct Timing {
  std::uint64_t done = 0;
  std::uint64_t nanoseconds = 0;
  Histogram latency;
};

/// Says once a second how far it has come.
class Progress {
 public:
  Progress(const Options& options, std::string_view what)
      : is_quiet_(options.quiet), what_(what), next_(now_nanoseconds() + interval) {}

  void show(std::uint64_t done, std::uint64_t now) {
    if (is_quiet_ || now < next_) return;
    const auto a_second = static_cast<double>(done - shown_) * second /
                          static_cast<double>(now - next_ + interval);
    std::fprintf(stderr, "%s: %s, %s/s\n", what_.c_str(), group_digits(done).c_str(),
                 group_digits(static_cast<std::uint64_t>(a_second)).c_str());
    shown_ = done;
    next_ = now + interval;
  }

 private:
  static constexpr std::uint64_t interval = 1000000000;
  bool is_quiet_;
  std::string what_;
  std::uint64_t next_;
  std::uint64_t shown_ = 0;
};

using Encode = std::function<void(amqp::Bytes&, std::uint64_t)>;

/// Sends request after request, `pipeline` at most unanswered, until `count` are answered.
Result<> time_requests(Client& client, std::uint64_t first, std::uint64_t count,
                       std::uint32_t pipeline, const Encode& encode, Timing& timing,
                       Progress& progress) {
  std::deque<std::uint64_t> sent_at;
  const std::uint64_t started = now_nanoseconds();
  amqp::Bytes out;
  for (std::uint64_t sent = 0, answered = 0; answered < count && !is_interrupted();) {
    const std::uint64_t now = now_nanoseconds();
    out.clear();
    for (; sent < count && sent - answered < pipeline; ++sent) {
      encode(out, first + sent);
      sent_at.push_back(now);
    }
    TRY(client.send(out));
    // Half of what is under way, so that the broker never waits for the next request.
    for (const std::uint64_t half = answered + (sent - answered + 1) / 2; answered < half;) {
      TRY(client.receive());
      ++answered;
      ++timing.done;
      timing.latency.record(now_nanoseconds() - sent_at.front());
      sent_at.pop_front();
      progress.show(timing.done, now_nanoseconds());
    }
  }
  timing.nanoseconds += now_nanoseconds() - started;
  return {};
}

/// How things of one kind are made and unmade on a channel.
struct Recipe {
  Encode create;
  Encode remove;
};

std::string numbered(const std::string& name, std::uint64_t number, std::uint64_t count) {
  return count == 1 ? name : fmt::format("{}-{}", name, number + 1);
}

Recipe queue_recipe(const Options& options) {
  return {[&options](amqp::Bytes& out, std::uint64_t number) {
            amqp::QueueDeclare declare;
            declare.queue = numbered(options.queue, number, options.count);
            declare.durable = options.durable;
            declare.arguments = options.queue_arguments;
            amqp::encode_method(out, channel, declare);
          },
          [&options](amqp::Bytes& out, std::uint64_t number) {
            amqp::QueueDelete remove;
            remove.queue = numbered(options.queue, number, options.count);
            amqp::encode_method(out, channel, remove);
          }};
}

Recipe exchange_recipe(const Options& options) {
  return {[&options](amqp::Bytes& out, std::uint64_t number) {
            amqp::ExchangeDeclare declare;
            declare.exchange = numbered(options.exchange, number, options.count);
            declare.type = options.has_exchange() ? options.exchange_type : "direct";
            declare.durable = options.durable;
            amqp::encode_method(out, channel, declare);
          },
          [&options](amqp::Bytes& out, std::uint64_t number) {
            amqp::ExchangeDelete remove;
            remove.exchange = numbered(options.exchange, number, options.count);
            amqp::encode_method(out, channel, remove);
          }};
}

template <typename Method>
Encode binding_encoder(const Options& options) {
  const std::string key = options.binding_key.empty() ? "key.{}" : options.binding_key;
  return [&options, key](amqp::Bytes& out, std::uint64_t number) {
    Method method;
    method.queue = options.queue_name(static_cast<unsigned>(number % options.queues));
    method.exchange = options.exchange;
    method.routing_key = number_key(key, number);
    amqp::encode_method(out, channel, method);
  };
}

/// Bindings come and go between queues and an exchange, so there is one.
Options with_exchange(Options options) {
  if (!options.has_exchange()) options.exchange_type = "direct";
  return options;
}

void add_timing(Report& report, std::string_view name, const Timing& timing) {
  if (timing.done == 0) return;
  report.add_count(std::string(name), timing.done);
  report.add_rate(std::string(name) + "_per_second",
                  static_cast<double>(timing.done) * second /
                      static_cast<double>(std::max<std::uint64_t>(1, timing.nanoseconds)));
  report.add_latency(std::string(name) + "_latency_ms", timing.latency);
}

/// What each of `count` things added to the memory of the processes.
void add_memory_each(Report& report, const ProcessWatch& watch, std::uint64_t count) {
  if (watch.spans().empty() || count == 0) return;
  double grown = 0;
  for (const auto& span : watch.spans())
    grown += static_cast<double>(span.resident_after) - static_cast<double>(span.resident_before);
  report.add_number("rss_octets_each", grown / static_cast<double>(count));
}

/// The two halves of a churn over one channel.
Result<Report> churn_by(const Options& options, const Recipe& recipe) {
  Report report("churn");
  ProcessWatch watch(options.server_pids);
  TRY_ASSIGN(auto client, Client::connect(options.uris.front()));
  TRY(client.open_channel(channel));
  const bool has_ends = options.churn == ChurnKind::binding;
  if (has_ends && !options.delete_only) TRY(declare_ends(client, with_exchange(options)));
  Timing created;
  Timing removed;
  watch.begin();
  if (!options.delete_only) {
    Progress progress(options, "created");
    TRY(time_requests(client, 0, options.count, options.pipeline, recipe.create, created,
                      progress));
    watch.sample();
    add_memory_each(report, watch, created.done);
  }
  if (!options.create_only) {
    Progress progress(options, "removed");
    const std::uint64_t count = options.delete_only ? options.count : created.done;
    TRY(time_requests(client, 0, count, options.pipeline, recipe.remove, removed, progress));
    if (has_ends) TRY(delete_topology(client, with_exchange(options)));
  }
  watch.sample();
  TRY(client.close());
  add_timing(report, "created", created);
  add_timing(report, "removed", removed);
  const std::uint64_t nanoseconds = created.nanoseconds + removed.nanoseconds;
  report.add_processes(watch, static_cast<double>(nanoseconds) / second,
                       created.done + removed.done);
  return report;
}

Result<Report> churn_connections(const Options& options) {
  Report report("churn");
  ProcessWatch watch(options.server_pids);
  Timing opened;
  Timing closed;
  Progress progress(options, "connections");
  for (std::uint64_t i = 0; i < options.count && !is_interrupted(); ++i) {
    const std::uint64_t before = now_nanoseconds();
    TRY_ASSIGN(auto client, Client::connect(options.uris[i % options.uris.size()]));
    const std::uint64_t between = now_nanoseconds();
    TRY(client.close());
    const std::uint64_t after = now_nanoseconds();
    opened.latency.record(between - before);
    closed.latency.record(after - between);
    opened.nanoseconds += between - before;
    closed.nanoseconds += after - between;
    ++opened.done;
    ++closed.done;
    progress.show(opened.done, after);
  }
  watch.sample();
  const std::uint64_t nanoseconds = opened.nanoseconds + closed.nanoseconds;
  report.add_rate("cycles_per_second", static_cast<double>(opened.done) * second /
                                           static_cast<double>(std::max(nanoseconds, 1UL)));
  add_timing(report, "opened", opened);
  add_timing(report, "closed", closed);
  report.add_processes(watch, static_cast<double>(nanoseconds) / second, opened.done);
  return report;
}

Result<Report> churn_channels(const Options& options) {
  Report report("churn");
  ProcessWatch watch(options.server_pids);
  TRY_ASSIGN(auto client, Client::connect(options.uris.front()));
  Timing opened;
  Timing closed;
  Progress opening(options, "opened");
  Progress closing(options, "closed");
  constexpr std::uint32_t channels_max = 1000;
  const std::uint32_t batch = std::min(options.pipeline, channels_max);
  const auto number_of = [batch](std::uint64_t i) {
    return static_cast<std::uint16_t>(1 + i % batch);
  };
  const Encode open = [&](amqp::Bytes& out, std::uint64_t i) {
    amqp::encode_method(out, number_of(i), amqp::ChannelOpen{});
  };
  const Encode close = [&](amqp::Bytes& out, std::uint64_t i) {
    amqp::encode_method(out, number_of(i), amqp::ChannelClose{200, "done", 0, 0});
  };
  for (std::uint64_t i = 0; i < options.count && !is_interrupted(); i += batch) {
    const std::uint64_t some = std::min<std::uint64_t>(batch, options.count - i);
    TRY(time_requests(client, i, some, batch, open, opened, opening));
    TRY(time_requests(client, i, some, batch, close, closed, closing));
  }
  watch.sample();
  TRY(client.close());
  add_timing(report, "opened", opened);
  add_timing(report, "closed", closed);
  const std::uint64_t nanoseconds = opened.nanoseconds + closed.nanoseconds;
  report.add_processes(watch, static_cast<double>(nanoseconds) / second, opened.done);
  return report;
}

}  // namespace

Result<Report> run_churn(const Options& options) {
  switch (options.churn) {
    case ChurnKind::connection: return churn_connections(options);
    case ChurnKind::channel: return churn_channels(options);
    case ChurnKind::queue: return churn_by(options, queue_recipe(options));
    case ChurnKind::exchange: return churn_by(options, exchange_recipe(options));
    case ChurnKind::binding: break;
  }
  return churn_by(options, {binding_encoder<amqp::QueueBind>(options),
                            binding_encoder<amqp::QueueUnbind>(options)});
}

Result<Report> run_idle(const Options& options) {
  Report report("idle");
  ProcessWatch watch(options.server_pids);
  std::vector<Socket> sockets;
  Timing opened;
  Progress progress(options, "opened");
  const std::uint64_t started = now_nanoseconds();
  for (std::uint32_t i = 0; i < options.connections && !is_interrupted(); ++i) {
    const std::uint64_t before = now_nanoseconds();
    TRY_ASSIGN(auto client, Client::connect(options.uris[i % options.uris.size()]));
    for (unsigned number = 1; number <= options.channels; ++number)
      TRY(client.open_channel(static_cast<std::uint16_t>(number)));
    const std::uint32_t frame_max = client.frame_max();
    sockets.emplace_back(client.release(), frame_max);
    const std::uint64_t now = now_nanoseconds();
    opened.latency.record(now - before);
    ++opened.done;
    progress.show(opened.done, now);
  }
  opened.nanoseconds = now_nanoseconds() - started;
  watch.sample();
  add_memory_each(report, watch, opened.done);
  add_timing(report, "opened", opened);
  // What idle connections cost while nothing happens is a stretch of its own.
  ProcessWatch holding(options.server_pids);
  const auto until = now_nanoseconds() + static_cast<std::uint64_t>(options.seconds * second);
  while (now_nanoseconds() < until && !is_interrupted()) {
    constexpr unsigned nap_us = 50000;
    ::usleep(nap_us);
  }
  holding.sample();
  report.add_processes(holding, options.seconds, 0);
  for (auto& socket : sockets) socket.close_orderly();
  return report;
}

}  // namespace warren::perf
