#include "session/conversation.h"

#include "session/exclusive_queues.h"

namespace warren::session::amqp091 {

Conversation::Conversation(Environment& node, catalog::ConnectionId id, std::string connection_name)
    : environment(node),
      connection(id),
      name(std::move(connection_name)),
      settlements(node.gateway) {}

Conversation::~Conversation() = default;

}  // namespace warren::session::amqp091
