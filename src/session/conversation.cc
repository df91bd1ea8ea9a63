#include "session/conversation.h"

#include <fmt/format.h>

#include "session/exclusive_queues.h"

namespace warren::session::amqp091 {
namespace {

std::string endpoint_text(const std::string& host, std::uint16_t port) {
  const bool is_v6 = host.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace

Conversation::Conversation(Environment& node, catalog::ConnectionId id, PeerInfo client)
    : environment(node), connection(id), peer(std::move(client)), settlements(node.gateway) {}

Conversation::~Conversation() = default;

std::string Conversation::name() const {
  return fmt::format("{} -> {}", endpoint_text(peer.peer_host, peer.peer_port),
                     endpoint_text(peer.local_host, peer.local_port));
}

}  // namespace warren::session::amqp091
