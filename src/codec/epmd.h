#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"

/// The protocol of the Erlang port mapper (epmd), both sides. Each request is a 2-octet length
/// and a body that begins with a tag; a connection carries one request, and the connection of an
/// alive request stays open for as long as the name is to stay registered.
namespace warren::codec::epmd {

using base::Bytes;
using base::ByteView;

inline constexpr std::uint16_t default_port = 4369;
/// The longest request body that is read; names are at most 255 octets long.
inline constexpr std::size_t max_request_size = 4096;
/// The longest answer to a names request that is read.
inline constexpr std::size_t max_names_size = 1024 * 1024;

inline constexpr std::uint8_t type_normal = 77;
inline constexpr std::uint8_t type_hidden = 72;

/// How a node is registered, in requests and in answers.
struct NodeInfo {
  std::string name;  ///< without the host: "rabbit"
  std::uint16_t port = 0;
  std::uint8_t node_type = type_normal;
  std::uint8_t protocol = 0;
  std::uint16_t highest_version = 6;
  std::uint16_t lowest_version = 5;
  Bytes extra;

  bool operator==(const NodeInfo&) const = default;
};

struct AliveRequest {  ///< ALIVE2_REQ (120): register
  NodeInfo node;
  bool operator==(const AliveRequest&) const = default;
};
struct PortRequest {  ///< PORT_PLEASE2_REQ (122): look up
  std::string name;
  bool operator==(const PortRequest&) const = default;
};
struct NamesRequest {  ///< NAMES_REQ (110): list
  bool operator==(const NamesRequest&) const = default;
};
struct OtherRequest {  ///< any other tag (kill, dump, stop): to be ignored
  std::uint8_t tag = 0;
  bool operator==(const OtherRequest&) const = default;
};
using Request = std::variant<AliveRequest, PortRequest, NamesRequest, OtherRequest>;

void encode_request(Bytes& out, const Request& request);
/// Takes one whole request off the front of `buffer`; empty while it is incomplete. A malformed
/// or too long request is a frame_error, after which the connection is to be closed.
base::Result<std::optional<Request>> take_request(Bytes& buffer);

/// ALIVE2_RESP (121), with 16 bits of creation, or ALIVE2_X_RESP (118), with 32.
struct AliveResponse {
  std::uint8_t result = 0;  ///< 0: registered; else the name is taken or refused
  std::uint32_t creation = 0;
  bool is_extended = true;
  bool operator==(const AliveResponse&) const = default;
};
void encode_alive_response(Bytes& out, const AliveResponse& response);
base::Result<std::optional<AliveResponse>> take_alive_response(Bytes& buffer);

/// PORT2_RESP (119). An empty node is the answer "no such name".
struct PortResponse {
  std::optional<NodeInfo> node;
  bool operator==(const PortResponse&) const = default;
};
void encode_port_response(Bytes& out, const PortResponse& response);
base::Result<std::optional<PortResponse>> take_port_response(Bytes& buffer);

/// The answer to a names request: the mapper's own port, then a text line for each node.
struct NamesResponse {
  struct Node {
    std::string name;
    std::uint16_t port = 0;
    bool operator==(const Node&) const = default;
  };
  std::uint32_t epmd_port = default_port;
  std::vector<Node> nodes;
  bool operator==(const NamesResponse&) const = default;
};
void encode_names_response(Bytes& out, const NamesResponse& response);
/// `whole` is all that arrived until the mapper closed the connection, which is how this answer
/// ends; stop reading at `max_names_size`. Lines of an unknown form are skipped.
base::Result<NamesResponse> decode_names_response(ByteView whole);

}  // namespace warren::codec::epmd
