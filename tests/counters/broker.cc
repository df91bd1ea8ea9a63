#include "counters/broker.h"

#include "base/assert.h"
#include "broker/password.h"
#include "codec/amqp091_frame.h"

namespace warren::counters {

using session::amqp091::Connection;

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
  environment_.reset(
      new session::amqp091::Environment{*node_, *router_, *authorizer_, no_chance});
  settle();
  producer_ = std::make_unique<Client>(*environment_, node_->make_connection_id(), now_);
  consumer_ = std::make_unique<Client>(*environment_, node_->make_connection_id(), now_);
  connect(*producer_);
  connect(*consumer_);
  say(*producer_, say_publisher_setup(load_));
  say(*consumer_, say_consumer_setup(load_));
  publishes_ = say_publishes(load_);
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
  say(client, codec::amqp091::protocol_header);
  say(client, say_login());
  say(client, say_open());
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
      ear_.hear(output.text());
      output.clear();
      client->connection.on_output_drained(0);
    }
    node_->end_turn();
    is_busy |= disk_.run_one();
  }
}

void Broker::run_turn() {
  say(*producer_, publishes_);
  if (!load_.is_acked) return;
  say(*consumer_, say_ack(ear_.delivered()));
}

}  // namespace warren::counters
