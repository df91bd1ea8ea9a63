#include "perf/consumer.h"

#include <cstring>

#include "perf/message_pool.h"

namespace warren::perf {

using base::ByteView;
using base::Result;

namespace {

constexpr std::uint32_t basic_deliver = method_key(60, 60);
constexpr std::uint32_t basic_cancel = method_key(60, 30);

/// basic.ack on channel 1 as it goes over the wire, but for the tag.
constexpr char ack_frame[] =
    "\x01\x00\x01\x00\x00\x00\x0d\x00\x3c\x00\x50\0\0\0\0\0\0\0\0\x01\xce";
constexpr std::size_t ack_size = sizeof ack_frame - 1;
constexpr std::size_t ack_tag_place = 11;
constexpr std::size_t ack_multiple_place = 19;

}  // namespace

Consumer::Consumer(Socket socket, const Settings& settings, Tally& tally)
    : socket_(std::move(socket)), settings_(settings), tally_(tally) {}

Result<> Consumer::on_readable() {
  // A long body takes two reads; others mostly come many at once.
  constexpr int reads_max = 8;
  bool goes_on = true;
  for (int i = 0; i < reads_max && goes_on; ++i) {
    now_ = now_nanoseconds();
    if (started_ == 0) started_ = now_;
    TRY_ASSIGN(const bool has_read, socket_.read(*this));
    TRY(failure_);
    goes_on = has_read && socket_.skips();
  }
  TRY(socket_.flush());
  return {};
}

Result<> Consumer::on_writable() {
  TRY(socket_.flush());
  return {};
}

Result<> Consumer::acknowledge_rest() {
  if (unacknowledged_ > 0) acknowledge(delivery_tag_);
  TRY(socket_.flush());
  return {};
}

std::uint64_t Consumer::held_until() const {
  if (settings_.rate <= 0) return 0;
  constexpr double nanoseconds_a_second = 1e9;
  const double due = static_cast<double>(delivered_) / settings_.rate * nanoseconds_a_second;
  return started_ + static_cast<std::uint64_t>(due);
}

void Consumer::acknowledge(std::uint64_t delivery_tag) {
  char frame[ack_size];
  std::memcpy(frame, ack_frame, ack_size);
  const std::uint64_t tag = __builtin_bswap64(delivery_tag);
  std::memcpy(frame + ack_tag_place, &tag, sizeof tag);
  frame[ack_multiple_place] = unacknowledged_ > 1 ? 1 : 0;
  socket_.out().append(frame, ack_size);
  unacknowledged_ = 0;
}

void Consumer::on_message() {
  ++delivered_;
  ++tally_.delivered;
  tally_.last_delivery = now_;
  if (!settings_.auto_ack && ++unacknowledged_ >= settings_.ack_batch) acknowledge(delivery_tag_);
}

void Consumer::on_method(std::uint16_t, std::uint32_t key, ByteView payload) {
  if (key == basic_deliver) {
    // The octets of the key, the consumer tag with its length, the delivery tag, redelivered.
    const std::size_t place = payload.size() > 4 ? 5U + static_cast<std::uint8_t>(payload[4]) : 0;
    if (place == 0 || payload.size() < place + 9) return;
    delivery_tag_ = read_u64(payload.data() + place);
    if (payload[place + 8] != 0) ++tally_.redelivered;
  } else if (key == basic_cancel) {
    failure_ = base::fail(base::ErrorCode::unavailable, "the broker cancelled a consumer");
  } else if (auto error = closing_error(key, payload)) {
    failure_ = std::unexpected(*std::move(error));
  }
}

void Consumer::on_header(std::uint16_t, ByteView payload) {
  body_left_ = read_u64(payload.data() + 4);
  is_first_piece_ = true;
  if (body_left_ == 0) on_message();
}

void Consumer::on_body(std::uint16_t, ByteView piece, std::uint32_t) {
  if (is_first_piece_) {
    is_first_piece_ = false;
    if (settings_.has_stamps && piece.size() >= MessagePool::stamp_size) {
      std::uint64_t published = 0;
      std::memcpy(&published, piece.data(), sizeof published);
      tally_.delivery_latency.record(now_ > published ? now_ - published : 0);
    }
  }
  pass_over(piece.size());
}

void Consumer::pass_over(std::uint64_t octets) {
  if (octets == 0 || octets > body_left_) return;
  body_left_ -= octets;
  if (body_left_ == 0) on_message();
}

}  // namespace warren::perf
