#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "cluster/node.h"
#include "counters/conversation.h"
#include "counters/system_calls.h"
#include "net/shard.h"
#include "net/timer.h"
#include "server/amqp_clients.h"
#include "server/file_disk.h"

namespace warren::counters {

/// A node behind real sockets and over real files, in this thread but for the disk's. Its two
/// clients live in the same thread and say the next thing when all of the last one is answered, so
/// that what a batch costs does not depend on time. What they ask of the system is not counted.
class SocketBroker final : public storage::DiskEvents {
 public:
  SocketBroker(const std::filesystem::path& directory, const Load& load);
  ~SocketBroker() override;

  /// What the system was asked for while so many batches went through.
  SystemCalls run(int batches);
  /// One client more, which opens a channel and says nothing after that.
  void add_idle_client() { idle_clients_.push_back(connect()); }

  void on_disk_done(storage::DiskToken token, base::Result<> result) override {
    node_->on_disk_done(token, std::move(result));
  }

 private:
  /// A client's end of a connection.
  struct Client {
    explicit Client(std::uint16_t port);
    ~Client();
    void say(base::ByteView bytes);
    void listen();

    int socket;
    Ear ear;
  };

  std::unique_ptr<Client> connect();
  void end_turn();
  void work();
  /// The clients' part; once per turn.
  void go_on();
  void await(Client& client, std::uint64_t method);
  bool is_batch_done() const;

  Load load_;
  server::Configuration configuration_;
  net::Shard shard_;
  std::unique_ptr<server::FileDisk> disk_;
  std::unique_ptr<cluster::Node> node_;
  std::unique_ptr<server::AmqpClients> clients_;
  net::Timer timer_;
  base::Bytes publishes_;
  std::unique_ptr<Client> producer_, consumer_;
  std::vector<std::unique_ptr<Client>> idle_clients_;
  struct Awaited {
    Client* client = nullptr;
    std::uint64_t method = 0;
  };
  Awaited awaited_;
  int batches_left_ = 0;
  std::uint64_t sent_ = 0;  ///< messages
};

}  // namespace warren::counters
