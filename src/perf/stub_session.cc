#include "perf/stub_session.h"

namespace warren::perf {

namespace amqp = codec::amqp091;
using base::ByteView;
using base::Result;

namespace {

constexpr std::uint32_t basic_publish = method_key(60, 40);
constexpr std::uint32_t basic_ack = method_key(60, 80);
constexpr std::uint16_t channel_max = 2047;
constexpr std::uint32_t frame_max = 131072;

void append_frame_start(std::string& out, std::uint8_t type, std::uint16_t channel,
                        std::uint32_t size) {
  const char start[] = {static_cast<char>(type),         static_cast<char>(channel >> 8),
                        static_cast<char>(channel),      static_cast<char>(size >> 24),
                        static_cast<char>(size >> 16),   static_cast<char>(size >> 8),
                        static_cast<char>(size)};
  out.append(start, sizeof start);
}

constexpr char frame_end = static_cast<char>(amqp::frame_end);

}  // namespace

StubSession::StubSession(Socket socket) : socket_(std::move(socket)) {
  amqp::ConnectionStart start;
  start.version_major = 0;
  start.version_minor = 9;
  start.mechanisms = "PLAIN";
  start.locales = "en_US";
  amqp::encode_method(socket_.out(), 0, start);
}

Result<> StubSession::on_readable(StubSession* target) {
  target_ = target;
  TRY(socket_.read(*this));
  confirm();
  if (!is_over_) return {};
  (void)socket_.flush();
  return base::fail(base::ErrorCode::unavailable, "closed");
}

void StubSession::confirm() {
  if (confirm_channel_ == 0 || confirmed_ == messages_) return;
  confirmed_ = messages_;
  amqp::BasicAck ack;
  ack.delivery_tag = messages_;
  ack.multiple = true;
  amqp::encode_method(socket_.out(), confirm_channel_, ack);
}

void StubSession::deliver(ByteView publish) {
  // Behind the key and the reserved ticket stand exchange and routing key, as in a delivery.
  constexpr std::size_t names_place = 6;
  if (publish.size() <= names_place) return;
  const ByteView names = publish.substr(names_place, publish.size() - names_place - 1);
  std::string& out = target_->socket_.out();
  const std::string& tag = target_->consumer_tag_;
  const auto size = static_cast<std::uint32_t>(4 + 1 + tag.size() + 8 + 1 + names.size());
  append_frame_start(out, amqp::frame_method, target_->consumer_channel_, size);
  base::ByteWriter writer(out);
  writer.u32(method_key(60, 60));
  writer.short_string(tag);
  writer.u64(++target_->delivery_tag_);
  writer.u8(0);
  writer.raw(names);
  out.push_back(frame_end);
}

void StubSession::on_header(std::uint16_t, ByteView payload) {
  ++messages_;
  if (target_ == nullptr) return;
  std::string& out = target_->socket_.out();
  append_frame_start(out, amqp::frame_header, target_->consumer_channel_,
                     static_cast<std::uint32_t>(payload.size()));
  out.append(payload);
  out.push_back(frame_end);
}

void StubSession::on_body(std::uint16_t, ByteView piece, std::uint32_t left) {
  if (target_ == nullptr) return;
  std::string& out = target_->socket_.out();
  if (!is_inside_frame_)
    append_frame_start(out, amqp::frame_body, target_->consumer_channel_,
                       static_cast<std::uint32_t>(piece.size()) + left);
  out.append(piece);
  is_inside_frame_ = left > 0;
  if (left == 0) out.push_back(frame_end);
}

void StubSession::on_method(std::uint16_t channel, std::uint32_t key, ByteView payload) {
  if (key == basic_publish) {
    if (target_ != nullptr) deliver(payload);
    return;
  }
  if (key == basic_ack) return;
  if (const auto method = amqp::decode_method(payload)) answer(channel, *method);
}

void StubSession::answer(std::uint16_t channel, const amqp::Method& request) {
  const auto reply = [this, channel](const auto& method) {
    amqp::encode_method(socket_.out(), channel, method);
  };
  if (std::holds_alternative<amqp::ConnectionStartOk>(request))
    return reply(amqp::ConnectionTune{channel_max, frame_max, 0});
  if (std::holds_alternative<amqp::ConnectionOpen>(request))
    return reply(amqp::ConnectionOpenOk{});
  if (std::holds_alternative<amqp::ConnectionClose>(request)) {
    is_over_ = true;
    return reply(amqp::ConnectionCloseOk{});
  }
  if (std::holds_alternative<amqp::ChannelOpen>(request)) return reply(amqp::ChannelOpenOk{});
  if (std::holds_alternative<amqp::ChannelClose>(request)) return reply(amqp::ChannelCloseOk{});
  if (std::holds_alternative<amqp::ExchangeDeclare>(request))
    return reply(amqp::ExchangeDeclareOk{});
  if (std::holds_alternative<amqp::ExchangeDelete>(request))
    return reply(amqp::ExchangeDeleteOk{});
  if (const auto* declare = std::get_if<amqp::QueueDeclare>(&request))
    return reply(amqp::QueueDeclareOk{declare->queue, 0, 0});
  if (std::holds_alternative<amqp::QueueDelete>(request)) return reply(amqp::QueueDeleteOk{0});
  if (std::holds_alternative<amqp::QueueBind>(request)) return reply(amqp::QueueBindOk{});
  if (std::holds_alternative<amqp::QueueUnbind>(request)) return reply(amqp::QueueUnbindOk{});
  if (std::holds_alternative<amqp::BasicQos>(request)) return reply(amqp::BasicQosOk{});
  if (std::holds_alternative<amqp::ConfirmSelect>(request)) {
    confirm_channel_ = channel;
    return reply(amqp::ConfirmSelectOk{});
  }
  if (const auto* consume = std::get_if<amqp::BasicConsume>(&request)) {
    consumer_tag_ = consume->consumer_tag.empty() ? "c" : consume->consumer_tag;
    consumer_channel_ = channel;
    if (!consume->no_wait) reply(amqp::BasicConsumeOk{consumer_tag_});
  }
}

}  // namespace warren::perf
