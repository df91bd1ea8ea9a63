#include "counters/broker.h"

#include "base/assert.h"
#include "broker/password.h"
#include "codec/amqp091_frame.h"
#include "codec/amqp091_method.h"
#include "codec/amqp091_properties.h"

namespace warren::counters {
namespace {

using namespace codec::amqp091;
using session::amqp091::Connection;

constexpr std::uint16_t channel = 1;
constexpr std::string_view queue = "q";

std::uint64_t number_at(base::ByteView bytes, std::size_t at, std::size_t octets) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < octets; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void write_publish(base::Bytes& out, const Broker::Load& load) {
  encode_method(out, channel, BasicPublish{"", std::string(queue), false, false});
  Properties properties;
  if (load.is_persistent) properties.delivery_mode = 2;
  base::Bytes encoded;
  encode_properties(encoded, properties);
  write_header_frame(out, channel, 60, load.body_bytes, encoded);
  write_body_frames(out, channel, std::string(load.body_bytes, 'x'), 131072);
}

}  // namespace

struct Broker::Client {
  Client(session::amqp091::Environment& environment, catalog::ConnectionId id, base::Time now)
      : connection(environment, {"127.0.0.1", 1, "127.0.0.1", 2, true}, id, now) {}
  Connection connection;
};

Broker::Broker(const Load& load) : load_(load) {
  disk_.set_events(this);
  cluster::NodeOptions options;
  options.name = "rabbit@counters";
  options.first_user.name = "guest";
  options.first_user.password_hash = *broker::make_password_hash("guest", "salt");
  options.log.file_bytes = 1u << 30;
  node_ = std::move(*cluster::Node::start(options, disk_, base::Random(1), *this));
  router_ = std::make_unique<broker::Router>(node_->catalog());
  authorizer_ = std::make_unique<broker::Authorizer>(node_->catalog());
  auto no_chance = [](std::size_t size) { return std::string(size, 'r'); };
  environment_ = std::make_unique<session::amqp091::Environment>(
      session::amqp091::Environment{*node_, *router_, *authorizer_, no_chance});
  settle();
  producer_ = std::make_unique<Client>(*environment_, node_->make_connection_id(), now_);
  consumer_ = std::make_unique<Client>(*environment_, node_->make_connection_id(), now_);
  connect(*producer_);
  connect(*consumer_);
  base::Bytes setup;
  QueueDeclare declare;
  declare.queue = queue;
  declare.durable = load_.is_persistent;
  encode_method(setup, channel, declare);
  if (load_.is_persistent) encode_method(setup, channel, ConfirmSelect{});
  say(*producer_, setup);
  BasicConsume consume;
  consume.queue = queue;
  consume.no_ack = !load_.is_acked;
  setup.clear();
  encode_method(setup, channel, consume);
  say(*consumer_, setup);
  for (int i = 0; i < load_.messages; ++i) write_publish(publishes_, load_);
}

Broker::~Broker() = default;

std::uint64_t Broker::disk_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, file] : disk_.files()->files) bytes += disk_.size(id);
  return bytes;
}

void Broker::on_disk_done(storage::DiskToken token, base::Result<> result) {
  node_->on_disk_done(token, std::move(result));
}

void Broker::connect(Client& client) {
  say(client, protocol_header);
  base::Bytes hello;
  encode_method(hello, 0,
                ConnectionStartOk{{}, "PLAIN", std::string("\0guest\0guest", 12), "en_US"});
  say(client, hello);
  base::Bytes open;
  encode_method(open, 0, ConnectionTuneOk{2047, 131072, 0});
  encode_method(open, 0, ConnectionOpen{"/"});
  encode_method(open, channel, ChannelOpen{});
  say(client, open);
}

void Broker::say(Client& client, base::ByteView bytes) {
  client.connection.feed(bytes, now_);
  settle();
}

void Broker::settle() {
  for (bool is_busy = true; is_busy;) {
    is_busy = false;
    for (Client* client : {producer_.get(), consumer_.get()}) {
      if (!client) continue;
      client->connection.flush_turn();
      base::OutputBuffer& output = client->connection.output();
      is_busy |= !output.empty();
      // The sizes are small enough that nothing is out by reference.
      ASSERT(output.text().size() == output.size());
      read(*client, output.text());
      output.clear();
      client->connection.on_output_drained(0);
    }
    node_->end_turn();
    is_busy |= disk_.run_one();
  }
}

/// Counts what the client is told; frames come whole.
void Broker::read(Client& client, base::ByteView bytes) {
  while (!bytes.empty()) {
    std::size_t size = number_at(bytes, 3, 4);
    std::uint64_t method = bytes[0] == frame_method ? number_at(bytes, 7, 4) : 0;
    if (method == (60u << 16 | 60u)) {
      ++delivered_;
    } else if (method == (60u << 16 | 80u)) {
      std::uint64_t tag = number_at(bytes, 11, 8);
      confirmed_ = bytes[19] != 0 ? tag : confirmed_ + 1;
    } else {
      ASSERT(method != (20u << 16 | 40u) && method != (10u << 16 | 50u));
    }
    bytes.remove_prefix(size + frame_overhead);
  }
  (void)client;
}

void Broker::run_turn() {
  say(*producer_, publishes_);
  if (!load_.is_acked) return;
  ack_.clear();
  encode_method(ack_, channel, BasicAck{delivered_, true});
  say(*consumer_, ack_);
}

}  // namespace warren::counters
