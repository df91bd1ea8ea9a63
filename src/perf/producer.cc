#include "perf/producer.h"

#include <algorithm>
#include <cmath>

#include "codec/amqp091_method.h"

namespace warren::perf {

using base::ByteView;
using base::Result;

namespace {

constexpr std::size_t batch_octets = 128 * 1024;
constexpr double nanoseconds_a_second = 1e9;

constexpr std::uint32_t basic_return = method_key(60, 50);
constexpr std::uint32_t basic_ack = method_key(60, 80);
constexpr std::uint32_t basic_nack = method_key(60, 120);
constexpr std::uint32_t connection_close = method_key(10, 50);
constexpr std::uint32_t channel_close = method_key(20, 40);

}  // namespace

std::optional<base::Error> closing_error(std::uint32_t key, ByteView payload) {
  if (key != connection_close && key != channel_close) return std::nullopt;
  const auto method = codec::amqp091::decode_method(payload);
  if (!method) return method.error();
  const auto* connection = std::get_if<codec::amqp091::ConnectionClose>(&*method);
  const auto* channel = std::get_if<codec::amqp091::ChannelClose>(&*method);
  const std::string& text = connection ? connection->reply_text : channel->reply_text;
  return base::Error{base::ErrorCode::unavailable,
                     std::string("the broker closed the ") +
                         (connection ? "connection: " : "channel: ") + text};
}

Producer::Producer(Socket socket, const Settings& settings, Tally& tally)
    : socket_(std::move(socket)), pool_(settings.shape), tally_(tally), rate_(settings.rate) {
  if (settings.window > 0) window_.emplace(settings.window);
}

std::uint64_t Producer::due_at(std::uint64_t now) const {
  const double elapsed = static_cast<double>(now - started_) / nanoseconds_a_second;
  // The first is due at once.
  return static_cast<std::uint64_t>(elapsed * rate_) + 1;
}

std::optional<std::uint64_t> Producer::next_due() const {
  if (rate_ <= 0 || is_blocked_ || (window_ && window_->room() == 0)) return std::nullopt;
  const double wait = static_cast<double>(published_) / rate_ * nanoseconds_a_second;
  return started_ + static_cast<std::uint64_t>(std::ceil(wait));
}

Result<> Producer::send(ByteView bytes) {
  TRY_ASSIGN(const std::size_t sent, socket_.write(bytes));
  unsent_ = bytes.substr(sent);
  is_blocked_ = !unsent_.empty();
  return {};
}

Result<bool> Producer::pump(std::uint64_t now, std::uint64_t& allowance) {
  if (is_blocked_) return false;
  if (!unsent_.empty()) {
    TRY(send(unsent_));
    return !is_blocked_;
  }
  if (started_ == 0) started_ = now;
  std::uint64_t most = allowance;
  if (window_) most = std::min(most, window_->room());
  if (rate_ > 0) {
    const std::uint64_t due = due_at(now);
    most = due > published_ ? std::min(most, due - published_) : 0;
  }
  if (most == 0) return false;
  const std::uint64_t count = pool_.fitting(place_, most, batch_octets);
  pool_.stamp(place_, count, now);
  const ByteView bytes = pool_.span(place_, count);
  place_ = (place_ + count) % pool_.messages();
  if (window_) window_->publish(count, now);
  published_ += count;
  allowance -= count;
  tally_.published += count;
  tally_.last_publish = now;
  TRY(send(bytes));
  return !is_blocked_ && count < most;
}

Result<> Producer::on_readable() {
  now_ = now_nanoseconds();
  TRY(socket_.read(*this));
  return failure_;
}

void Producer::on_confirm(ByteView payload, bool is_ack) {
  constexpr std::size_t confirm_size = 13;
  if (!window_ || payload.size() < confirm_size) return;
  const std::uint64_t number = read_u64(payload.data() + 4);
  const bool multiple = (payload[12] & 1) != 0;
  const std::uint64_t count = window_->confirm(number, multiple, now_, tally_.confirm_latency);
  if (count == 0) return;
  (is_ack ? tally_.confirmed : tally_.nacked) += count;
  if (tally_.last_confirm != 0)
    tally_.longest_confirm_gap = std::max(tally_.longest_confirm_gap, now_ - tally_.last_confirm);
  tally_.last_confirm = now_;
}

void Producer::on_method(std::uint16_t, std::uint32_t key, ByteView payload) {
  if (key == basic_ack || key == basic_nack) {
    on_confirm(payload, key == basic_ack);
  } else if (key == basic_return) {
    ++tally_.returned;
  } else if (auto error = closing_error(key, payload)) {
    failure_ = std::unexpected(*std::move(error));
  }
}

}  // namespace warren::perf
