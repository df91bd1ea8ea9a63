#include "codec/epmd_registry.h"

#include <algorithm>
#include <utility>

namespace warren::codec::epmd {
namespace {

/// What Debian's epmd answers with a refusal: a result, and a creation that nobody uses.
constexpr AliveResponse refused{.result = 1, .creation = 99, .is_extended = true};
/// From this version on a node understands creations of 32 bits.
constexpr std::uint16_t wide_creation_version = 6;
/// Creations below this mean the old narrow kind (0: none, 1 to 3: counted round).
constexpr std::uint32_t first_wide_creation = 4;

}  // namespace

Registry::Registry(std::uint16_t port, std::uint32_t first_creation)
    : port_(port), creation_(std::max(first_creation, first_wide_creation) - 1) {}

std::uint32_t Registry::next_creation() {
  ++creation_;
  if (creation_ < first_wide_creation) creation_ = first_wide_creation;
  return creation_;
}

Registry::Reply Registry::feed(ConnectionId connection, ByteView bytes) {
  Bytes& buffer = buffers_[connection];
  buffer.append(
      bytes.substr(0, 2 + max_request_size - std::min(buffer.size(), 2 + max_request_size)));
  if (std::ranges::find(entries_, connection, &Entry::connection) != entries_.end())
    return {.bytes = {}, .close = !bytes.empty()};
  auto request = take_request(buffer);
  if (!request) return {.bytes = {}, .close = true};
  if (!*request) return {};
  return answer(connection, **request);
}

Registry::Reply Registry::answer(ConnectionId connection, const Request& request) {
  Reply reply{.bytes = {}, .close = true};
  if (const auto* alive = std::get_if<AliveRequest>(&request)) {
    AliveResponse response = refused;
    response.is_extended = alive->node.highest_version >= wide_creation_version;
    if (auto creation = register_node(connection, alive->node)) {
      response.result = 0;
      response.creation = response.is_extended ? *creation : *creation % 3 + 1;
    }
    encode_alive_response(reply.bytes, response);
    reply.close = false;
  } else if (const auto* port = std::get_if<PortRequest>(&request)) {
    PortResponse response;
    if (const NodeInfo* node = find_node(port->name)) response.node = *node;
    encode_port_response(reply.bytes, response);
  } else if (std::holds_alternative<NamesRequest>(request)) {
    encode_names_response(reply.bytes, names());
  }
  return reply;
}

void Registry::on_closed(ConnectionId connection) {
  buffers_.erase(connection);
  std::erase_if(entries_, [&](const Entry& entry) { return entry.connection == connection; });
}

std::optional<std::uint32_t> Registry::register_node(ConnectionId connection, NodeInfo node) {
  if (find_node(node.name) != nullptr || entries_.size() >= max_nodes) return {};
  entries_.push_back({connection, std::move(node)});
  return next_creation();
}

const NodeInfo* Registry::find_node(std::string_view name) const {
  auto entry = std::ranges::find(entries_, name,
                                 [](const Entry& e) -> std::string_view { return e.node.name; });
  return entry == entries_.end() ? nullptr : &entry->node;
}

NamesResponse Registry::names() const {
  NamesResponse response{.epmd_port = port_, .nodes = {}};
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
    response.nodes.push_back({entry->node.name, entry->node.port});
  return response;
}

}  // namespace warren::codec::epmd
