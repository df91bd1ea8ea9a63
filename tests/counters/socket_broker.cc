#include "counters/socket_broker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "broker/password.h"
#include "codec/amqp091_frame.h"
#include "net/mailbox.h"

namespace warren::counters {
namespace {

constexpr std::uint64_t method(std::uint64_t class_id, std::uint64_t method_id) {
  return class_id << 16 | method_id;
}
constexpr std::uint64_t connection_start = method(10, 10), connection_tune = method(10, 30),
                        channel_open_ok = method(20, 11), queue_declare_ok = method(50, 11),
                        confirm_select_ok = method(85, 11), basic_consume_ok = method(60, 21);

}  // namespace

SocketBroker::Client::Client(std::uint16_t port)
    : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

SocketBroker::Client::~Client() {
  ::close(socket);
}

void SocketBroker::Client::say(base::ByteView bytes) {
  const auto size = ::syscall(SYS_sendto, socket, bytes.data(), bytes.size(), MSG_DONTWAIT,
                              nullptr, 0);
  // A batch is small enough for the sockets' buffers.
  ASSERT(size == static_cast<long>(bytes.size()));
}

void SocketBroker::Client::listen() {
  char buffer[64 * 1024];
  for (;;) {
    const auto size = ::syscall(SYS_recvfrom, socket, buffer, sizeof buffer, MSG_DONTWAIT, nullptr,
                                nullptr);
    ASSERT(size != 0);
    if (size < 0) return;
    ear.hear({buffer, static_cast<std::size_t>(size)});
  }
}

SocketBroker::SocketBroker(const std::filesystem::path& directory, const Load& load)
    : load_(load), timer_(shard_, [] {}), publishes_(say_publishes(load)) {
  disk_ = std::move(*server::FileDisk::open(shard_, directory, *this));
  cluster::NodeOptions options;
  options.name = "rabbit@counters";
  options.first_user.name = "guest";
  options.first_user.password_hash = *broker::make_password_hash("guest", "salt");
  node_ = std::move(*cluster::Node::start(options, *disk_, base::Random(1), shard_));
  shard_.set_turn_end([this] { end_turn(); });
  shard_.run();
  clients_ = std::make_unique<server::AmqpClients>(shard_, *node_, configuration_);
  ASSERT(clients_->listen({"127.0.0.1", 0}, nullptr).has_value());
  producer_ = connect();
  consumer_ = connect();
  producer_->say(say_publisher_setup(load_));
  await(*producer_, load_.is_persistent ? confirm_select_ok : queue_declare_ok);
  consumer_->say(say_consumer_setup(load_));
  await(*consumer_, basic_consume_ok);
}

SocketBroker::~SocketBroker() {
  shard_.set_turn_end(nullptr);
  (void)disk_->finish();
}

std::unique_ptr<SocketBroker::Client> SocketBroker::connect() {
  auto client = std::make_unique<Client>(clients_->listeners().front().local.port);
  client->say(codec::amqp091::protocol_header);
  await(*client, connection_start);
  client->say(say_login());
  await(*client, connection_tune);
  client->say(say_open());
  await(*client, channel_open_ok);
  return client;
}

void SocketBroker::await(Client& client, std::uint64_t method) {
  awaited_ = {&client, method};
  shard_.run();
  awaited_ = {};
}

SystemCalls SocketBroker::run(int batches) {
  const SystemCalls before = system_calls();
  batches_left_ = batches;
  producer_->say(publishes_);
  sent_ += static_cast<std::uint64_t>(load_.messages);
  shard_.run();
  return system_calls() - before;
}

void SocketBroker::end_turn() {
  work();
  if (!clients_) {
    if (node_->phase() == cluster::NodePhase::running) shard_.stop();
    return;
  }
  for (Client* client : {producer_.get(), consumer_.get(), awaited_.client})
    if (client) client->listen();
  go_on();
}

/// As the server does it.
void SocketBroker::work() {
  const base::Time now = shard_.now();
  if (node_->deadline() <= now) node_->tick();
  if (clients_) clients_->tick(now);
  do {
    if (clients_) clients_->flush(now);
    node_->end_turn();
    disk_->flush();
  } while (clients_ && clients_->has_ready());
  base::Time deadline = node_->deadline();
  if (clients_) deadline = std::min(deadline, clients_->deadline());
  timer_.set(deadline);
}

bool SocketBroker::is_batch_done() const {
  return consumer_->ear.delivered() == sent_ &&
         (!load_.is_persistent || producer_->ear.confirmed() == sent_);
}

void SocketBroker::go_on() {
  if (awaited_.client && awaited_.client->ear.last_method() == awaited_.method) shard_.stop();
  if (batches_left_ == 0 || !is_batch_done()) return;
  if (load_.is_acked) consumer_->say(say_ack(sent_));
  if (--batches_left_ == 0) return shard_.stop();
  producer_->say(publishes_);
  sent_ += static_cast<std::uint64_t>(load_.messages);
}

}  // namespace warren::counters
