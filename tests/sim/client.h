#pragma once

#include <string>

#include "broker/channel.h"
#include "sim/ledger.h"
#include "sim/machine.h"

namespace warren::sim {

/// A client of the cluster: one channel on one node, on another one when that is gone.
class Client : public broker::ChannelEvents {
 public:
  Client(World& world, Ledger& ledger, std::string name);
  ~Client() override = default;

  void start() { look_for_node(); }
  /// Ends what it does; answers that are under way are still taken.
  virtual void finish() { is_finished_ = true; }
  bool is_finished() const { return is_finished_; }
  virtual bool is_idle() const { return true; }
  virtual std::string describe() const { return {}; }
  /// The client closes its channel, for instance because the node stops.
  void leave();
  void on_process_gone(const Machine& machine);
  const std::string& name() const { return name_; }

 protected:
  using Call = std::function<void(cluster::Node&)>;

  /// A new channel is open.
  virtual void on_connected() = 0;
  /// The channel is gone; another one will come.
  virtual void on_disconnected() = 0;

  bool is_connected() const { return machine_ != nullptr; }
  /// Calls the node at once, or when it goes on; never when the channel is gone by then.
  void call(Call call);
  /// Calls `then` after a delay, unless the channel is gone by then.
  void later(base::Duration delay, std::function<void()> then);
  broker::RequestId next_request() { return last_request_ = last_request_.next(); }
  static QueueId find_queue(const cluster::Node& node, const std::string& name);
  ChannelId channel() const { return channel_; }

  World& world_;
  Ledger& ledger_;

 private:
  void look_for_node();
  void lose_channel();

  std::string name_;
  Machine* machine_ = nullptr;
  std::uint64_t run_ = 0;
  std::uint64_t session_ = 0;
  ChannelId channel_;
  broker::RequestId last_request_;
  bool is_finished_ = false;
};

}  // namespace warren::sim
