// What nodes tell each other: epmd, links, Raft, commands for the catalog.
#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "catalog/catalog.h"
#include "catalog/command.h"
#include "cluster/archive.h"
#include "cluster/link_message.h"
#include "codec/epmd.h"
#include "codec/epmd_registry.h"
#include "codec/proxy_header.h"
#include "fuzz/targets.h"
#include "net/handshake.h"
#include "raft/message_codec.h"

namespace warren::fuzz {
namespace {

using base::Bytes;
using base::ByteView;
namespace epmd = codec::epmd;

/// Decodes, encodes and decodes again.
template <typename Decode, typename Encode>
void go_around(ByteView input, Decode decode, Encode encode) {
  auto value = decode(input);
  if (!value) return;
  const Bytes once = encode(*value);
  auto again = decode(once);
  ASSERT(again);
  ASSERT(encode(*again) == once);
}

/// The same for what comes off the front of a stream.
template <typename Take, typename Encode>
void take_around(ByteView input, Take take, Encode encode) {
  Bytes buffer(input);
  auto value = take(buffer);
  ASSERT(buffer.size() <= input.size());
  if (!value || !*value) return;
  Bytes once;
  encode(once, **value);
  Bytes rest = once;
  auto again = take(rest);
  ASSERT(again && *again && **again == **value);
  ASSERT(rest.empty());
}

}  // namespace

void fuzz_epmd(ByteView input) {
  take_around(input, epmd::take_request, epmd::encode_request);
  take_around(input, epmd::take_alive_response, epmd::encode_alive_response);
  take_around(input, epmd::take_port_response, epmd::encode_port_response);
  (void)epmd::decode_names_response(input);
  epmd::Registry registry(epmd::default_port, 1);
  // A client that has asked once goes on asking.
  for (std::uint64_t i = 1; !input.empty(); ++i) {
    const std::size_t size = std::min<std::size_t>(input.size(), 1 + i * 7 % 64);
    const auto reply = registry.feed(epmd::ConnectionId{1 + i % 3}, input.substr(0, size));
    ASSERT(reply.bytes.size() <= epmd::max_names_size);
    if (reply.close) registry.on_closed(epmd::ConnectionId{1 + i % 3});
    input.remove_prefix(size);
  }
}

/// A header means the same however it is cut, and never more octets than there are.
void fuzz_proxy(ByteView input) {
  const auto whole = codec::proxy::read_header(input);
  std::size_t size = 0;
  auto part = codec::proxy::read_header({});
  while (part && !*part && size < input.size())
    part = codec::proxy::read_header(input.substr(0, ++size));
  if (!whole) return ASSERT(!part);
  if (!*whole) return ASSERT(part && !*part);
  ASSERT(part && *part && (*part)->size == size && size <= codec::proxy::max_header_size);
  ASSERT((*whole)->size == size && (*whole)->source == (*part)->source);
}

void fuzz_handshake(ByteView input) {
  if (input.empty()) return;
  const Bytes nonce(net::handshake_nonce_size, 'n');
  auto handshake = input[0] & 1
                       ? net::Handshake::initiator(net::PeerRole::node, "a@here", "b@here",
                                                   "cookie", nonce)
                       : net::Handshake::responder("b@here", "cookie", nonce);
  const std::size_t step = input[0] & 2 ? 13 : net::max_handshake_size;
  input.remove_prefix(1);
  while (!input.empty()) {
    const std::size_t size = std::min(input.size(), step);
    handshake.feed(input.substr(0, size));
    // The last word follows the judge of an application.
    if (handshake.phase() == net::Handshake::Phase::deciding)
      handshake.decide(net::Admission::accepted);
    ASSERT(handshake.take_output().size() <= 2 * net::max_handshake_size);
    input.remove_prefix(size);
  }
}

void fuzz_link(ByteView input) {
  go_around(input, cluster::decode_link_message, [](cluster::LinkMessage& message) {
    Bytes out;
    cluster::encode_link_message(out, message);
    // Without the length in front.
    return out.substr(4);
  });
  cluster::LinkParser parser;
  parser.feed(input);
  for (;;) {
    auto message = parser.take();
    if (!message || !*message) break;
  }
}

void fuzz_raft(ByteView input) {
  const auto encode = [](const auto& value) { return raft::encode(value); };
  go_around(input, raft::decode_message, encode);
  go_around(input, raft::decode_hard_state, encode);
  go_around(input, raft::decode_snapshot, encode);
  go_around(input, raft::decode_entry, encode);
}

void fuzz_catalog(ByteView input) {
  go_around(input, catalog::decode_command,
            [](const catalog::Command& command) { return catalog::encode_command(command); });
  // A log of commands, each behind its length.
  catalog::Catalog catalog;
  std::vector<catalog::Change> changes;
  for (const catalog::Command& command : catalog::Catalog::first_commands({}))
    (void)catalog.apply(command, changes);
  base::ByteReader reader(input);
  while (!reader.empty()) {
    const ByteView bytes = reader.raw(reader.u16());
    if (reader.failed()) break;
    if (auto command = catalog::decode_command(bytes)) (void)catalog.apply(*command, changes);
  }
  const Bytes snapshot = catalog.snapshot();
  catalog::Catalog other;
  ASSERT(other.restore(snapshot));
  ASSERT(other.snapshot() == snapshot);
  (void)other.restore(input);
}

}  // namespace warren::fuzz
