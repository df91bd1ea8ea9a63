#include "session/connection.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"
#include "session/transcript.h"
#include "session/wire_text.h"

using namespace warren;
using session::Stage;
using Lines = std::vector<std::string>;

namespace {

Lines say(Stage& stage, std::string_view line) {
  stage.send_line(line);
  return stage.turn();
}

/// A stage whose connection "a" has channel 1 and queue "q".
std::unique_ptr<Stage> stage_with_queue() {
  auto stage = std::make_unique<Stage>();
  stage->connect("a");
  say(*stage, "1 channel.open");
  say(*stage, "1 queue.declare queue=q");
  return stage;
}

/// Everything that a busy client might send after its handshake.
base::Bytes busy_client() {
  base::Bytes bytes;
  for (const char* line : {"1 channel.open",
                           "2 channel.open",
                           "1 queue.declare queue=q",
                           "1 confirm.select",
                           "2 basic.qos count=10",
                           "2 basic.consume queue=q tag=t",
                           "1 exchange.declare exchange=x type=topic",
                           "1 queue.bind queue=q exchange=x key=a.#",
                           "1 publish x a.b hello delivery_mode=2 headers={CC:A:[S:q],k:I:5}",
                           "2 basic.ack tag=1",
                           "1 publish x none lost mandatory",
                           "2 tx.select",
                           "2 publish x a inside expiration=1000",
                           "2 tx.commit",
                           "1 queue.purge queue=q",
                           "1 basic.get queue=q",
                           "2 basic.recover requeue",
                           "2 basic.cancel tag=t",
                           "1 queue.declare queue=mine exclusive",
                           "1 queue.delete queue=q",
                           "0 heartbeat",
                           "2 channel.close",
                           "0 connection.close code=200"})
    bytes += session::frame_of(line);
  return bytes;
}

}  // namespace

TEST_CASE("a connection that the server has closed is listed as closed") {
  Stage stage;
  stage.arrive("a");
  stage.send(base::ByteView("AMQP\0\0\x09\x01", 8));
  CHECK(stage.connection().info().state == "starting");
  say(stage, "0 connection.start-ok client_properties={capabilities:F:{"
             "authentication_failure_close:t:true}} mechanism=PLAIN response=\"\\0guest\\0wrong\" "
             "locale=en_US");
  CHECK(stage.connection().info().state == "closed");
  CHECK(stage.connection().info().timeout_s == 3);
  CHECK(stage.connection().info().frame_max == 4096);

  stage.connect("b");
  CHECK(stage.connection().info().timeout_s == 60);
  say(stage, "1 basic.qos count=1");
  CHECK(stage.connection().info().state == "closed");
}

TEST_CASE("what a client sends means the same however it is cut") {
  const base::Bytes bytes = busy_client();
  Stage whole;
  whole.connect("a");
  whole.send(bytes);
  const Lines expected = whole.turn();
  REQUIRE(expected.back() == "0 connection.close-ok");
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Stage stage;
    stage.connect("a");
    stage.send(base::ByteView(bytes).substr(0, cut));
    stage.send(base::ByteView(bytes).substr(cut));
    REQUIRE(stage.turn() == expected);
  }
}

TEST_CASE("a body may be put in its place in any pieces, and what follows it is fed") {
  const std::string body(3000, 'x');
  const base::Bytes frames = session::publish_frames("1 \"\" q " + body, 1500) +
                             session::frame_of("1 basic.get queue=q no_ack");
  for (std::size_t cut = 1; cut < frames.size(); cut += 7) {
    auto stage = stage_with_queue();
    base::ByteView rest = frames;
    std::size_t filled = 0;
    for (std::size_t piece = cut; !rest.empty(); piece = 500) {
      const auto room = stage->connection().room();
      const base::ByteView taken = rest.substr(0, std::min(room.size(), piece));
      std::ranges::copy(taken, room.begin());
      if (!taken.empty()) stage->connection().note_filled(taken.size());
      filled += taken.size();
      rest.remove_prefix(taken.size());
      stage->send(rest.substr(0, piece - taken.size()));
      rest.remove_prefix(std::min(rest.size(), piece - taken.size()));
    }
    const Lines lines = stage->turn();
    REQUIRE(!lines.empty());
    CHECK(lines.back() == "1 body of 3000");
    CHECK(stage->connection().info().recv_oct >= frames.size());
    if (cut > 100 && cut < 1400) CHECK(filled > 0);
  }
}

TEST_CASE("there is no room for a body that nobody takes") {
  auto stage = stage_with_queue();
  stage->environment().limits.max_message_size = 1000;
  say(*stage, "2 channel.open");
  const base::Bytes frames = session::publish_frames("2 \"\" q " + std::string(3000, 'x'), 4000);
  stage->send(base::ByteView(frames).substr(0, 2000));
  CHECK(stage->connection().room().empty());
  stage->send(base::ByteView(frames).substr(2000));
  CHECK(stage->turn().front().starts_with("2 channel.close code=406"));
}

TEST_CASE("content may be cut into any frames") {
  auto stage = stage_with_queue();
  for (std::size_t size = 1; size <= 12; ++size) {
    stage->send(session::publish_frames("1 \"\" q hello_world!", size));
    stage->turn();
    CHECK(say(*stage, "1 basic.get queue=q no_ack").back() == "1 body hello_world!");
  }
}

TEST_CASE("bodies are cut to the frame size that was agreed") {
  Stage stage;
  stage.arrive("a");
  stage.send(codec::amqp091::protocol_header);
  stage.send_line("0 connection.start-ok mechanism=PLAIN response=\"\\0guest\\0guest\"");
  stage.send_line("0 connection.tune-ok channel_max=1 frame_max=4096");
  stage.send_line("0 connection.open virtual_host=/");
  stage.send_line("1 channel.open");
  stage.send_line("1 queue.declare queue=q");
  stage.turn();
  stage.send(session::publish_frames("1 \"\" q " + std::string(10000, 'x'), 4088));
  const Lines lines = say(stage, "1 basic.get queue=q no_ack");
  REQUIRE(lines.size() == 5);
  CHECK(lines[2] == "1 body of 4088");
  CHECK(lines[4] == "1 body of 1824");
  CHECK(say(stage, "2 channel.open") ==
        Lines{"0 connection.close code=530 text=\"NOT_ALLOWED - number of channels opened (1) "
              "has reached the negotiated channel_max (1)\" class=0 method=0"});
}

TEST_CASE("a delivery that is kept for too long costs its channel") {
  Stage stage;
  stage.arrive("a");
  stage.send(codec::amqp091::protocol_header);
  stage.send_line("0 connection.start-ok mechanism=PLAIN response=\"\\0guest\\0guest\"");
  stage.send_line("0 connection.tune-ok channel_max=9 frame_max=4096");
  stage.send_line("0 connection.open virtual_host=/");
  stage.send_line("3 channel.open");
  stage.send_line("3 queue.declare queue=q");
  stage.send_line("3 publish \"\" q one");
  stage.send_line("3 publish \"\" q two");
  stage.send_line("3 basic.qos count=1");
  stage.send_line("3 basic.consume queue=q tag=t");
  stage.turn();
  stage.wait(std::chrono::minutes(29));
  CHECK(say(stage, "3 basic.ack tag=1").back() == "3 body two");
  stage.wait(std::chrono::minutes(29));
  CHECK(stage.turn().empty());
  stage.wait(std::chrono::minutes(3));
  const Lines lines = stage.turn();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with(
      "3 channel.close code=406 text=\"PRECONDITION_FAILED - delivery acknowledgement on channel 3 "
      "timed out. Timeout value used: 1800000 ms. This timeout value can be configured, see "
      "consumers doc guide to learn more\" class=0 method=0"));
  say(stage, "3 channel.close-ok");
  say(stage, "3 channel.open");
  CHECK(say(stage, "3 basic.get queue=q")[0].starts_with("3 basic.get-ok tag=1 redelivered"));
}

TEST_CASE("a queue that another channel declares first is compared") {
  auto stage = stage_with_queue();
  const auto race = [&](bool durable, std::string_view name) {
    stage->gateway().hold(true);
    stage->gateway().fail_next({base::ErrorCode::already_exists, "queue exists"});
    stage->send_line(fmt::format("1 queue.declare queue={}", name));
    catalog::DeclareQueue other;
    other.queue.name = {"/", std::string(name)};
    other.queue.durable = durable;
    other.queue.leader = stage->gateway().node_name();
    REQUIRE(stage->gateway().apply(other));
    stage->gateway().hold(false);
    return stage->turn();
  };
  CHECK(race(false, "same") == Lines{"1 queue.declare-ok queue=same messages=0 consumers=0"});
  CHECK(
      race(true, "other")
          .front()
          .starts_with(
              "1 channel.close code=406 text=\"PRECONDITION_FAILED - inequivalent arg 'durable'"));
}

TEST_CASE("a slow reader stops its consumers, and a fast one keeps them going") {
  auto stage = stage_with_queue();
  const base::Bytes one = session::publish_frames("1 \"\" q " + std::string(100, 'x'));
  for (int i = 0; i < 1000; ++i) stage->send(one);
  stage->turn();
  say(*stage, "1 basic.consume queue=q tag=t no_ack");
  auto& connection = stage->connection();
  // The stage drains the output after each turn, so everything comes.
  std::size_t rounds = 0;
  while (connection.channels()[0].consumer_count == 1 && ++rounds < 100) stage->turn();
  CHECK(say(*stage, "1 queue.declare queue=q passive") ==
        Lines{"1 queue.declare-ok queue=q messages=0 consumers=1"});

  for (int i = 0; i < 4000; ++i) stage->send(one);
  const std::size_t full = stage->environment().limits.output_bytes + 1;
  const auto pass_turn = [&](std::size_t pending) {
    stage->gateway().run();
    connection.flush_turn();
    Lines lines = session::lines_of(connection.output().take_flat());
    connection.on_output_drained(pending);
    return lines;
  };
  for (int i = 0; i < 100; ++i) pass_turn(full);
  stage->send_line("1 queue.declare queue=q passive");
  const Lines lines = pass_turn(full);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("1 queue.declare-ok queue=q messages="));
  CHECK_FALSE(lines[0].starts_with("1 queue.declare-ok queue=q messages=0 "));

  // Publishes wait too, for they may be returned; acknowledgements would not.
  stage->send_line("1 publish \"\" nowhere hi mandatory");
  CHECK(pass_turn(full).empty());
  CHECK(connection.wants_input());
  pass_turn(0);
  CHECK(pass_turn(0).front() == "1 basic.return code=312 text=NO_ROUTE exchange=\"\" key=nowhere");
}

TEST_CASE("a client that takes nothing for half an hour is cut, one that takes a little is not") {
  auto stage = stage_with_queue();
  auto& connection = stage->connection();
  const base::Bytes heartbeat = session::frame_of("0 heartbeat");
  base::Time now = stage->now();
  std::size_t pending = 0;
  const auto pass_minutes = [&](int minutes, std::size_t taken) {
    for (int minute = 0; minute < minutes; ++minute) {
      now += std::chrono::minutes(1);
      connection.feed(heartbeat, now);
      connection.tick(now);
      connection.flush_turn();
      pending += connection.output().take_flat().size();
      pending -= std::min(pending, taken);
      connection.on_output_drained(pending);
    }
    return connection.wants_close() == session::amqp091::Connection::CloseStyle::reset;
  };
  stage->send(session::publish_frames("1 \"\" q " + std::string(1000, 'x')));
  stage->send_line("1 basic.get queue=q no_ack");
  stage->gateway().run();
  CHECK_FALSE(pass_minutes(100, 1));
  CHECK(pending > 0);
  CHECK_FALSE(pass_minutes(29, 0));
  CHECK(pass_minutes(2, 0));
}

TEST_CASE("channels that closed in a later turn are counted out, too") {
  Stage stage;
  stage.arrive("a");
  stage.send(codec::amqp091::protocol_header);
  stage.turn();
  say(stage, "0 connection.start-ok mechanism=PLAIN response=\"\\0guest\\0guest\" locale=en_US");
  say(stage, "0 connection.tune-ok channel_max=1 frame_max=131072 heartbeat=0");
  say(stage, "0 connection.open virtual_host=/");
  REQUIRE(stage.gateway().apply(
      catalog::SetUserLimits{"guest", catalog::Limits{.max_channels = 1}}));
  say(stage, "1 channel.open");
  stage.gateway().hold(true);
  say(stage, "1 queue.declare queue=q");
  say(stage, "1 channel.close");
  stage.gateway().hold(false);
  REQUIRE(stage.turn().back() == "1 channel.close-ok");
  CHECK(say(stage, "2 channel.open") == Lines{"2 channel.open-ok"});
}

TEST_CASE("turns that come late do not move the heartbeats after them") {
  Stage stage;
  stage.connect("a");
  auto& connection = stage.connection();
  const base::Time start = stage.now();
  std::vector<std::int64_t> sent_at_s;
  base::Time now = start;
  while (connection.wants_close() != session::amqp091::Connection::CloseStyle::reset) {
    now = connection.deadline() + std::chrono::milliseconds(sent_at_s.size() % 3 == 1 ? 100 : 0);
    REQUIRE(now < start + std::chrono::minutes(10));
    connection.tick(now);
    connection.flush_turn();
    if (!connection.output().take_flat().empty())
      sent_at_s.push_back((now - start) / std::chrono::seconds(1));
    connection.on_output_drained(0);
  }
  CHECK(sent_at_s == std::vector<std::int64_t>{30, 60, 90, 120, 150});
  CHECK((now - start) / std::chrono::seconds(1) == 180);
}

TEST_CASE("a consumer that the queue cancels while its tag is being cancelled ends once") {
  auto stage = stage_with_queue();
  say(*stage, "1 basic.consume queue=q tag=t");
  stage->gateway().hold(true);
  stage->send_line("1 basic.cancel tag=t");
  const auto* queue = stage->gateway().catalog().find_queue({"/", "q"});
  REQUIRE(stage->gateway().apply(catalog::DeleteQueue{queue->id}));
  stage->gateway().hold(false);
  CHECK(stage->turn() == Lines{"1 basic.cancel-ok tag=t"});
}

TEST_CASE("listings") {
  Stage stage;
  stage.connect("a", "connection_name:S:mine");
  say(stage, "3 channel.open");
  say(stage, "3 queue.declare queue=q");
  say(stage, "3 basic.qos count=5");
  say(stage, "3 basic.qos count=7 global");
  say(stage, "3 confirm.select");
  say(stage, "3 basic.consume queue=q");
  say(stage, "3 publish \"\" q hello");
  const auto info = stage.connection().info();
  CHECK(info.name == "127.0.0.1:40000 -> 127.0.0.1:5672");
  CHECK(info.user_provided_name == "mine");
  CHECK(info.state == "running");
  CHECK(info.user == "guest");
  CHECK(info.vhost == "/");
  CHECK(info.auth_mechanism == "PLAIN");
  CHECK(info.channels == 1);
  CHECK(info.timeout_s == 60);
  CHECK(info.recv_oct > 200);
  CHECK(info.send_oct > 300);
  const auto channels = stage.connection().channels();
  REQUIRE(channels.size() == 1);
  CHECK(channels[0].name == "127.0.0.1:40000 -> 127.0.0.1:5672 (3)");
  CHECK(channels[0].confirm);
  CHECK(channels[0].consumer_count == 1);
  CHECK(channels[0].messages_unacknowledged == 1);
  CHECK(channels[0].prefetch_count == 5);
  CHECK(channels[0].global_prefetch_count == 7);
}

TEST_CASE("long reply texts are cut") {
  auto stage = stage_with_queue();
  const std::string name(250, 'n');
  const Lines lines = say(*stage, "1 queue.declare passive queue=" + name);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with("nnn...\" class=50 method=10"));
}

TEST_CASE("gateway channels end with their connection") {
  auto stage = stage_with_queue();
  say(*stage, "2 channel.open");
  say(*stage, "1 queue.declare queue=e exclusive");
  CHECK(stage->gateway().open_channels() == 3);
  stage->connection().on_peer_closed(stage->now());
  stage->turn();
  CHECK(stage->survivors().empty());
  CHECK(stage->gateway().open_channels() == 0);
}

TEST_CASE("no bytes can break a connection") {
  const base::Bytes bytes = busy_client();
  base::Random random(42);
  for (int round = 0; round < 3000; ++round) {
    Stage stage;
    stage.connect("a");
    base::Bytes damaged = bytes;
    const std::uint64_t flips = 1 + random.below(8);
    for (std::uint64_t i = 0; i < flips; ++i) {
      const std::size_t at = random.below(damaged.size());
      switch (random.below(4)) {
        case 0:
          damaged[at] = static_cast<char>(random.next());
          break;
        case 1:
          damaged.erase(at, random.below(20));
          break;
        case 2:
          damaged.insert(at, damaged.substr(random.below(damaged.size()), 30));
          break;
        default:
          damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.below(8)));
      }
    }
    for (base::ByteView rest = damaged; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest.size(), 1 + random.below(400));
      stage.send(rest.substr(0, size));
      rest.remove_prefix(size);
      if (random.chance(50)) stage.turn();
    }
    stage.turn();
    stage.wait(std::chrono::seconds(20));
    stage.connection().on_peer_closed(stage.now());
    CHECK(stage.survivors().empty());
    CHECK(stage.gateway().open_channels() == 0);
  }
}

TEST_CASE("no first bytes can break a connection") {
  base::Random random(43);
  for (int round = 0; round < 2000; ++round) {
    Stage stage;
    stage.arrive("a");
    base::Bytes noise;
    if (random.chance(80)) noise += codec::amqp091::protocol_header;
    const std::uint64_t size = random.below(300);
    for (std::uint64_t i = 0; i < size; ++i) {
      if (random.chance(5)) {
        noise += session::frame_of(
            "0 connection.start-ok mechanism=PLAIN "
            "response=\"\\0guest\\0guest\"");
        noise += session::frame_of("0 connection.tune-ok channel_max=9 frame_max=4096");
      }
      noise.push_back(static_cast<char>(random.next()));
    }
    stage.send(noise);
    stage.turn();
    stage.wait(std::chrono::seconds(15));
    stage.connection().on_peer_closed(stage.now());
    CHECK(stage.survivors().empty());
  }
}

TEST_CASE("a certificate is as good as a password where EXTERNAL is offered") {
  Stage stage;
  stage.environment().mechanisms = {"EXTERNAL", "PLAIN"};
  auto greet = [&](const std::string& name, bool is_tls, const std::string& user) {
    session::amqp091::PeerInfo peer{"127.0.0.1", 40000, "127.0.0.1", 5671, true, nullptr};
    auto tls = std::make_shared<session::amqp091::TlsPeer>();
    tls->has_certificate = !user.empty();
    tls->certificate_user = user;
    if (is_tls) peer.tls = std::move(tls);
    stage.arrive(name, std::move(peer));
    stage.send(codec::amqp091::protocol_header);
    return stage.turn().front();
  };
  const char* start_ok =
      "0 connection.start-ok client_properties={capabilities:F:{authentication_failure_close:"
      "t:true}} mechanism=EXTERNAL response=\"\" locale=en_US";
  CHECK(greet("a", true, "guest").find("\"EXTERNAL PLAIN\"") != std::string::npos);
  CHECK(say(stage, start_ok).front().find("connection.tune") != std::string::npos);
  CHECK(stage.connection().info().auth_mechanism == "EXTERNAL");
  for (const char* stranger : {"", "nobody"}) {
    greet("b", true, stranger);
    CHECK(say(stage, start_ok).front().find("ACCESS_REFUSED - Login was refused using "
                                            "authentication mechanism EXTERNAL.") !=
          std::string::npos);
  }
  CHECK(greet("c", false, "guest").find("mechanisms=PLAIN") != std::string::npos);
  CHECK(say(stage, start_ok) == Lines{"NOT READING"});
}

TEST_CASE("a node has room for so many connections") {
  Stage stage;
  stage.environment().limits.connection_max = 1;
  stage.connect("a");
  stage.arrive("b");
  stage.send(codec::amqp091::protocol_header);
  say(stage,
      "0 connection.start-ok mechanism=PLAIN response=\"\\0guest\\0guest\" locale=en_US");
  say(stage, "0 connection.tune-ok channel_max=2047 frame_max=131072 heartbeat=0");
  CHECK(say(stage, "0 connection.open virtual_host=/") ==
        Lines{"0 connection.close code=530 text=\"NOT_ALLOWED - connection refused: node "
              "connection limit (1) is reached\" class=10 method=40"});
}

TEST_CASE("addresses of IPv6 stand in brackets") {
  Stage stage;
  stage.arrive("a", session::amqp091::PeerInfo{"2001:db8::1", 5555, "::1", 5672, false, nullptr});
  CHECK(stage.connection().info().name == "[2001:db8::1]:5555 -> [::1]:5672");
}

TEST_CASE("declares and bindings of one read are one proposal") {
  auto stage = stage_with_queue();
  const std::size_t before = stage->gateway().proposals();
  base::Bytes bytes;
  for (int i = 0; i < 100; ++i)
    bytes += session::frame_of(fmt::format("1 queue.declare queue=q{} durable", i));
  for (int i = 0; i < 100; ++i)
    bytes += session::frame_of(fmt::format("1 queue.bind queue=q exchange=amq.topic key=k{}", i));
  stage->send(bytes);
  const Lines answers = stage->turn();
  CHECK(answers.size() == 200);
  CHECK(answers.front() == "1 queue.declare-ok queue=q0 messages=0 consumers=0");
  CHECK(answers.back() == "1 queue.bind-ok");
  CHECK(stage->gateway().proposals() == before + 1);
}

TEST_CASE("proposals are bounded") {
  auto stage = stage_with_queue();
  const std::size_t before = stage->gateway().proposals();
  base::Bytes bytes;
  const std::string key(200, 'k');
  for (int i = 0; i < 1000; ++i)
    bytes +=
        session::frame_of(fmt::format("1 queue.bind queue=q exchange=amq.topic key={}{}", key, i));
  stage->send(bytes);
  CHECK(stage->turn().size() == 1000);
  const std::size_t proposals = stage->gateway().proposals() - before;
  CHECK(proposals >= 3);
  CHECK(proposals <= 10);
}

TEST_CASE("messages for many queues wait with their channel when too much is under way") {
  auto stage = stage_with_queue();
  base::Bytes bytes = session::frame_of("1 queue.bind queue=q exchange=amq.fanout");
  bytes += session::frame_of("1 queue.declare queue=r");
  bytes += session::frame_of("1 queue.bind queue=r exchange=amq.fanout");
  stage->send(bytes);
  stage->turn();
  const catalog::QueueId queue = stage->gateway().catalog().find_queue({"/", "q"})->id;
  stage->gateway().congest(true);
  bytes.clear();
  for (int i = 0; i < 2000; ++i) bytes += session::frame_of("1 publish amq.fanout k hello");
  stage->send(bytes);
  stage->turn();
  // Looked at after 1,024 copies.
  CHECK(stage->gateway().ready_in(queue) == 512);
  CHECK_FALSE(stage->connection().wants_input());
  stage->gateway().congest(false);
  stage->turn();
  CHECK(stage->gateway().ready_in(queue) == 2000);
  CHECK(stage->connection().wants_input());
}
