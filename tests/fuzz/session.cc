// Whole conversations: whatever clients send, in whatever pieces, a node stands it.
// The fake gateway checks its callers with doctest, which asks for a context outside of tests.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "base/assert.h"
#include "broker/permission.h"
#include "broker/router.h"
#include "codec/amqp091_method.h"
#include "fuzz/targets.h"
#include "session/connection.h"
#include "session/fake_gateway.h"

namespace warren::fuzz {
namespace {

using base::Bytes;
using base::ByteView;
using session::amqp091::Connection;

constexpr std::size_t longest_input = 64 * 1024;
/// What one turn may answer: the limit on output, and what is under way when it is reached.
constexpr std::size_t most_output = 4u << 20;

/// What the first octet of an input says.
constexpr unsigned is_logged_in = 1;
constexpr unsigned has_channel = 2;
constexpr unsigned is_in_pieces = 4;
constexpr unsigned is_cut_off = 8;
constexpr unsigned is_put_in_place = 16;

void prepare_checks() {
  static doctest::Context context;
  context.setAsDefaultForAssertsOutOfTestCases();
  context.setAssertHandler([](const doctest::AssertData& check) { ASSERT(!check.m_failed); });
}

struct Stage {
  session::FakeGateway gateway;
  broker::Router router{gateway.catalog()};
  broker::Authorizer authorizer{gateway.catalog()};
  session::amqp091::Environment environment{gateway, router, authorizer, [](std::size_t size) {
                                              return std::string(size, 'r');
                                            }};
  base::Time now{};
  bool is_putting = false;  ///< bodies go to their place where there is one
  Connection connection{environment, {"127.0.0.1", 40000, "127.0.0.1", 5672, true},
                        catalog::ConnectionId{1}, now};

  void feed(ByteView bytes) {
    if (!connection.wants_input()) return;
    const auto room = is_putting ? connection.room() : std::span<char>();
    const ByteView body = bytes.substr(0, room.size());
    std::ranges::copy(body, room.begin());
    if (!body.empty()) connection.note_filled(body.size());
    bytes.remove_prefix(body.size());
    connection.feed(bytes, now);
    turn();
  }

  void turn() {
    for (int round = 0; round < 3; ++round) {
      gateway.run();
      connection.flush_turn();
      ASSERT(connection.output().size() <= most_output);
      connection.output().clear();
      connection.on_output_drained(0);
    }
  }
};

Bytes login() {
  using namespace codec::amqp091;
  Bytes bytes(protocol_header);
  ConnectionStartOk start_ok;
  start_ok.mechanism = "PLAIN";
  start_ok.response = std::string("\0guest\0guest", 12);
  start_ok.locale = "en_US";
  encode_method(bytes, 0, start_ok);
  encode_method(bytes, 0, ConnectionTuneOk{2047, 131072, 60});
  ConnectionOpen open;
  open.virtual_host = "/";
  encode_method(bytes, 0, open);
  return bytes;
}

}  // namespace

void fuzz_session(ByteView input) {
  if (input.empty() || input.size() > longest_input) return;
  const auto flags = static_cast<unsigned char>(input[0]);
  input.remove_prefix(1);
  prepare_checks();
  auto stage = std::make_unique<Stage>();
  stage->is_putting = (flags & is_put_in_place) != 0;
  if (flags & is_logged_in) stage->feed(login());
  if ((flags & (is_logged_in | has_channel)) == (is_logged_in | has_channel)) {
    Bytes open;
    codec::amqp091::encode_method(open, 1, codec::amqp091::ChannelOpen{});
    stage->feed(open);
  }
  const std::size_t step = flags & is_in_pieces ? 97 : longest_input;
  while (!input.empty()) {
    stage->feed(input.substr(0, step));
    input.remove_prefix(std::min(step, input.size()));
  }
  (void)stage->connection.info();
  (void)stage->connection.channels();
  if (flags & is_cut_off) stage->connection.on_peer_closed(stage->now);
  // Whatever it waits for, silence ends it: the handshake, heartbeats, the end of a close.
  for (int i = 0; i < 8 && stage->connection.deadline() != base::never; ++i) {
    stage->now = std::max(stage->now, stage->connection.deadline());
    stage->connection.tick(stage->now);
    stage->turn();
  }
}

}  // namespace warren::fuzz
