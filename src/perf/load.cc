#include "perf/load.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>

#include "perf/interrupt.h"
#include "perf/topology.h"

namespace warren::perf {

namespace amqp = codec::amqp091;
using base::Result;

namespace {

constexpr std::uint64_t second = 1000000000;
constexpr std::uint64_t without_end = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint16_t channel = 1;

std::uint64_t nanoseconds(double seconds) {
  return static_cast<std::uint64_t>(seconds * static_cast<double>(second));
}

double seconds_between(std::uint64_t from, std::uint64_t to) {
  return to > from ? static_cast<double>(to - from) / static_cast<double>(second) : 0;
}

double rate(std::uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

}  // namespace

Load::Load(const Options& options) : options_(options), watch_(options.server_pids) {}

Load::~Load() {
  if (epoll_ >= 0) ::close(epoll_);
}

Result<Report> Load::run() {
  // Sleeps for a rate must not be rounded to 50 us.
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (auto prepared = prepare(); !prepared) return std::unexpected(prepared.error());
  const auto driven = drive();
  const auto finished = finish();
  TRY(driven);
  TRY(finished);
  return make_report();
}

Result<> Load::prepare() {
  TRY_ASSIGN(admin_, Client::connect(options_.uris.front()));
  TRY(admin_->open_channel(channel));
  if (options_.mode != Mode::drain && options_.declare) TRY(declare_topology(*admin_, options_));
  allowance_ = options_.count > 0 ? options_.count : without_end;
  drain_count_ = allowance_;
  if (options_.mode == Mode::drain && options_.count == 0 && options_.seconds == 0) {
    drain_count_ = 0;
    for (unsigned i = 0; i < options_.queues; ++i) {
      amqp::QueueDeclare look;
      look.queue = options_.queue_name(i);
      look.passive = true;
      TRY_ASSIGN(const auto answer, admin_->call(channel, look));
      if (const auto* found = std::get_if<amqp::QueueDeclareOk>(&answer))
        drain_count_ += found->message_count;
    }
  }
  for (unsigned i = 0; i < options_.producers; ++i) TRY(add_producer(i));
  for (unsigned i = 0; i < options_.consumers; ++i) TRY(add_consumer(i));
  return {};
}

Result<> Load::add_producer(unsigned number) {
  const auto& uris = options_.producer_uris;
  TRY_ASSIGN(auto client, Client::connect(uris[number % uris.size()]));
  TRY(client.open_channel(channel));
  if (options_.window > 0) TRY(client.call(channel, amqp::ConfirmSelect{}));
  Producer::Settings settings;
  settings.shape.exchange = options_.has_exchange() ? options_.exchange : "";
  settings.shape.routing_keys = routing_keys_of(options_, number);
  settings.shape.size = options_.size;
  settings.shape.persistent = options_.persistent;
  settings.shape.mandatory = options_.mandatory;
  settings.shape.frame_max = client.frame_max();
  settings.window = options_.window;
  settings.rate = options_.rate;
  const std::uint32_t frame_max = client.frame_max();
  producers_.push_back(
      std::make_unique<Producer>(Socket(client.release(), frame_max), settings, tally_));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = number}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, producers_.back()->descriptor(), &event);
  return {};
}

Result<> Load::add_consumer(unsigned number) {
  const auto& uris = options_.consumer_uris;
  TRY_ASSIGN(auto client, Client::connect(uris[number % uris.size()]));
  TRY(client.open_channel(channel));
  if (options_.prefetch > 0) TRY(client.call(channel, amqp::BasicQos{0, options_.prefetch, false}));
  amqp::Bytes consume_frames;
  unsigned tag = 0;
  for (const unsigned queue : queues_of(number, options_.consumers, options_.queues)) {
    amqp::BasicConsume consume;
    consume.queue = options_.queue_name(queue);
    consume.consumer_tag = fmt::format("c{}", tag++);
    consume.no_ack = options_.auto_ack;
    // Without an answer, which deliveries could follow at once.
    consume.no_wait = true;
    amqp::encode_method(consume_frames, channel, consume);
  }
  TRY(client.send(consume_frames));
  const Consumer::Settings settings{.auto_ack = options_.auto_ack,
                                    .ack_batch = options_.ack_batch,
                                    .rate = options_.consumer_rate,
                                    .has_stamps = options_.mode == Mode::load &&
                                                  options_.size >= MessagePool::stamp_size};
  const std::uint32_t frame_max = client.frame_max();
  consumers_.push_back(
      std::make_unique<Consumer>(Socket(client.release(), frame_max), settings, tally_));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = producers_.size() + number}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, consumers_.back()->descriptor(), &event);
  return {};
}

Load::Mark Load::mark(std::uint64_t now) const {
  return {.time = now,
          .published = tally_.published,
          .confirmed = tally_.confirmed,
          .delivered = tally_.delivered};
}

Result<> Load::drive() {
  std::uint64_t now = now_nanoseconds();
  phase_end_ = now + nanoseconds(options_.warm_up_seconds);
  last_progress_ = mark(now);
  next_progress_ = now + second;
  if (options_.warm_up_seconds == 0) begin_measurement(now);
  advance(now);
  while (phase_ != Phase::over) TRY(turn(now));
  return {};
}

Result<> Load::turn(std::uint64_t& now) {
  TRY_ASSIGN(const bool can_publish, pump(now));
  TRY(wait(now, can_publish));
  now = now_nanoseconds();
  advance(now);
  return {};
}

Result<bool> Load::pump(std::uint64_t now) {
  bool can_publish = false;
  for (auto& producer : producers_) {
    TRY_ASSIGN(const bool goes_on, producer->pump(now, allowance_));
    can_publish = can_publish || goes_on;
  }
  return can_publish;
}

/// Who waits to write, or holds back from reading, is listened to accordingly.
void Load::watch_writable() {
  for (std::size_t i = 0; i < producers_.size(); ++i) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    if (producers_[i]->is_blocked()) event.events |= EPOLLOUT;
    if (producers_[i]->listens_for == event.events) continue;
    producers_[i]->listens_for = event.events;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, producers_[i]->descriptor(), &event);
  }
  const std::uint64_t now = now_nanoseconds();
  for (std::size_t i = 0; i < consumers_.size(); ++i) {
    epoll_event event{.events = 0, .data = {.u64 = producers_.size() + i}};
    if (consumers_[i]->held_until() <= now) event.events |= EPOLLIN;
    if (consumers_[i]->is_blocked()) event.events |= EPOLLOUT;
    if (consumers_[i]->listens_for == event.events) continue;
    consumers_[i]->listens_for = event.events;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, consumers_[i]->descriptor(), &event);
  }
}

Result<> Load::wait(std::uint64_t now, bool can_publish) {
  watch_writable();
  std::uint64_t until = std::min(phase_end_, next_progress_);
  for (const auto& producer : producers_)
    if (const auto due = producer->next_due(); due && allowance_ > 0) until = std::min(until, *due);
  for (const auto& consumer : consumers_)
    if (const auto held = consumer->held_until(); held > now) until = std::min(until, held);
  if (can_publish) until = now;
  const std::uint64_t pause = until > now ? until - now : 0;
  const timespec timeout{static_cast<time_t>(pause / second), static_cast<long>(pause % second)};
  constexpr int events_max = 256;
  epoll_event events[events_max];
  const int ready = ::epoll_pwait2(epoll_, events, events_max, &timeout, nullptr);
  for (int i = 0; i < ready; ++i) {
    const std::size_t index = events[i].data.u64;
    const bool is_writable = (events[i].events & EPOLLOUT) != 0;
    const bool is_readable = (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    if (index < producers_.size()) {
      if (is_writable) producers_[index]->on_writable();
      if (is_readable) TRY(producers_[index]->on_readable());
    } else {
      Consumer& consumer = *consumers_[index - producers_.size()];
      if (is_writable) TRY(consumer.on_writable());
      if (is_readable) TRY(consumer.on_readable());
    }
  }
  return {};
}

void Load::begin_measurement(std::uint64_t now) {
  phase_ = Phase::measuring;
  tally_.confirm_latency.clear();
  tally_.delivery_latency.clear();
  tally_.longest_confirm_gap = 0;
  began_ = mark(now);
  phase_end_ = options_.seconds > 0 ? now + nanoseconds(options_.seconds) : without_end;
  watch_.begin();
}

void Load::end_measurement(std::uint64_t now) {
  watch_.sample();
  ended_ = mark(now);
  confirm_latency_ = tally_.confirm_latency;
  delivery_latency_ = tally_.delivery_latency;
  longest_confirm_gap_ = tally_.longest_confirm_gap;
  allowance_ = 0;
  phase_ = Phase::settling;
  phase_end_ = now + nanoseconds(options_.settle_seconds);
}

bool Load::is_complete() const {
  if (options_.mode == Mode::drain) return tally_.delivered >= drain_count_;
  if (allowance_ > 0) return false;
  for (const auto& producer : producers_)
    if (producer->has_unsent() || producer->unconfirmed() > 0) return false;
  const bool waits_for_deliveries = !consumers_.empty() && options_.seconds == 0;
  return !waits_for_deliveries ||
         tally_.delivered >= tally_.published * copies_of_message(options_);
}

/// Nothing has happened for longer than anybody should wait.
bool Load::is_stalled(std::uint64_t now) const {
  const std::uint64_t last = std::max({tally_.last_publish, tally_.last_confirm,
                                       tally_.last_delivery, began_.time});
  return now > last + nanoseconds(options_.settle_seconds);
}

void Load::advance(std::uint64_t now) {
  if (now >= next_progress_) report_progress(now);
  const bool is_late = now >= phase_end_ || is_interrupted();
  switch (phase_) {
    case Phase::warming:
      if (is_late) begin_measurement(now);
      break;
    case Phase::measuring:
      if (!is_late && !is_complete() && (options_.seconds > 0 || !is_stalled(now))) break;
      end_measurement(now);
      // Perhaps nothing is under way any more.
      [[fallthrough]];
    case Phase::settling:
      if (now >= phase_end_ || options_.mode == Mode::drain || is_complete())
        phase_ = Phase::over;
      break;
    case Phase::over: break;
  }
}

void Load::report_progress(std::uint64_t now) {
  next_progress_ = now + second;
  if (phase_ == Phase::measuring) watch_.sample();
  const double seconds = seconds_between(last_progress_.time, now);
  const auto per_second = [seconds](std::uint64_t before, std::uint64_t after) {
    return group_digits(static_cast<std::uint64_t>(rate(after - before, seconds)));
  };
  if (!options_.quiet) {
    std::string line = fmt::format("{:.0f} s:", seconds_between(began_.time, now));
    if (phase_ == Phase::warming) line = "warming up:";
    if (phase_ == Phase::settling) line = "settling:";
    if (!producers_.empty())
      line += " published " + per_second(last_progress_.published, tally_.published) + "/s";
    if (options_.window > 0)
      line += " confirmed " + per_second(last_progress_.confirmed, tally_.confirmed) +
              "/s p99 " + milliseconds_text(tally_.confirm_latency.percentile(99)) + " ms";
    if (!consumers_.empty())
      line += " delivered " + per_second(last_progress_.delivered, tally_.delivered) + "/s";
    if (tally_.delivery_latency.count() > 0)
      line += " p99 " + milliseconds_text(tally_.delivery_latency.percentile(99)) + " ms";
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  last_progress_ = mark(now);
}

Result<> Load::finish() {
  for (auto& consumer : consumers_) (void)consumer->acknowledge_rest();
  for (auto& producer : producers_) producer->close();
  for (auto& consumer : consumers_) consumer->socket().close_orderly();
  const bool may_delete = options_.mode == Mode::drain ? options_.remove : !options_.keep;
  if (may_delete) TRY(delete_topology(*admin_, options_));
  // Its broker may be gone by now, which is no failure of the load.
  (void)admin_->close();
  return {};
}

Report Load::make_report() {
  Report report(options_.mode == Mode::fill    ? "fill"
                : options_.mode == Mode::drain ? "drain"
                                               : "load");
  // With a time, all rates are over that time; with a count, each until its last event.
  const bool is_timed = options_.seconds > 0;
  const auto span = [&](std::uint64_t last) {
    return seconds_between(began_.time, is_timed ? ended_.time : std::min(last, ended_.time));
  };
  const std::uint64_t published = ended_.published - began_.published;
  const std::uint64_t confirmed = ended_.confirmed - began_.confirmed;
  const std::uint64_t delivered = ended_.delivered - began_.delivered;
  const double seconds = seconds_between(began_.time, ended_.time);
  report.add_number("seconds", seconds);
  if (!producers_.empty()) {
    report.add_count("published", published);
    report.add_rate("published_per_second", rate(published, span(tally_.last_publish)));
  }
  if (options_.window > 0) {
    report.add_count("confirmed", confirmed);
    report.add_rate("confirmed_per_second", rate(confirmed, span(tally_.last_confirm)));
    report.add_latency("confirm_latency_ms", confirm_latency_);
    report.add_number("longest_confirm_gap_ms", static_cast<double>(longest_confirm_gap_) / 1e6);
    report.add_count("nacked", tally_.nacked);
    std::uint64_t unconfirmed = 0;
    for (const auto& producer : producers_) unconfirmed += producer->unconfirmed();
    report.add_count("unconfirmed", unconfirmed);
  }
  if (!consumers_.empty()) {
    report.add_count("delivered", delivered);
    report.add_rate("delivered_per_second", rate(delivered, span(tally_.last_delivery)));
    report.add_latency("end_to_end_latency_ms", delivery_latency_);
    if (tally_.redelivered > 0) report.add_count("redelivered", tally_.redelivered);
    const std::uint64_t expected = options_.mode == Mode::drain
                                       ? drain_count_
                                       : tally_.published * copies_of_message(options_);
    if (!is_timed && expected > tally_.delivered)
      report.add_count("missing", expected - tally_.delivered);
  }
  if (options_.mandatory) report.add_count("returned", tally_.returned);
  const std::uint64_t messages =
      !consumers_.empty() ? delivered : options_.window > 0 ? confirmed : published;
  report.add_processes(watch_, seconds, messages);
  return report;
}

}  // namespace warren::perf
