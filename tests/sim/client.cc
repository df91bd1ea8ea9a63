#include "sim/client.h"

namespace warren::sim {

Client::Client(World& world, Ledger& ledger, std::string name)
    : world_(world), ledger_(ledger), name_(std::move(name)) {}

void Client::look_for_node() {
  if (machine_) return;
  std::vector<Machine*> serving;
  for (Machine* machine : world_.machines())
    if (machine->is_serving()) serving.push_back(machine);
  if (serving.empty()) {
    world_.after(std::chrono::milliseconds(200), [this] { look_for_node(); });
    return;
  }
  machine_ = serving[world_.random().below(serving.size())];
  run_ = machine_->run();
  ++session_;
  machine_->input(run_, [this](cluster::Node& node) { channel_ = node.open_channel(*this); });
  world_.trace("{}: channel {:x} on {}", name_, channel_.value, machine_->name());
  on_connected();
}

void Client::call(Call call) {
  if (!machine_) return;
  machine_->input(run_, [this, session = session_, call = std::move(call)](cluster::Node& node) {
    if (machine_ && session == session_) call(node);
  });
}

void Client::later(base::Duration delay, std::function<void()> then) {
  world_.after(delay, [this, session = session_, then = std::move(then)] {
    if (machine_ && session == session_) then();
  });
}

void Client::lose_channel() {
  machine_ = nullptr;
  ++session_;
  on_disconnected();
  world_.after(world_.between(std::chrono::milliseconds(20), std::chrono::milliseconds(500)),
               [this] { look_for_node(); });
}

void Client::leave() {
  if (!machine_) return;
  world_.trace("{}: leaves {}", name_, machine_->name());
  // A client may just vanish, but its node notices and closes the channel.
  machine_->input(run_, [channel = channel_](cluster::Node& node) { node.close_channel(channel); });
  lose_channel();
}

void Client::on_process_gone(const Machine& machine) {
  if (machine_ != &machine) return;
  if (machine.is_alive()) return leave();
  lose_channel();
}

QueueId Client::find_queue(const cluster::Node& node, const std::string& name) {
  const catalog::Queue* queue = node.catalog().find_queue(catalog::ResourceName{"/", name});
  return queue ? queue->id : QueueId{};
}

}  // namespace warren::sim
