#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "session/transcript.h"
#include "session/wire_text.h"

/// Back ends that have to ask somebody else: what sessions do until these have answered.
using namespace warren;
using session::Stage;
using Lines = std::vector<std::string>;

namespace {

/// Lets in who knows "p", and lets everybody do everything but with what is named "closed". Each
/// answer comes with `run`.
class LateBackend final : public broker::AuthBackend {
 public:
  void authenticate(const broker::LoginRequest& request,
                    std::function<void(base::Result<>)> answer) override {
    base::Result<> result;
    if (request.password != "p") result = base::fail(base::ErrorCode::access_refused, "not p");
    pending_.push_back([answer, result] { answer(result); });
  }
  void authorize(const broker::LoginRequest&,
                 std::function<void(base::Result<broker::Authorization>)> answer) override {
    pending_.push_back([this, answer] {
      answer(broker::Authorization{{}, std::make_shared<LateGrants>(*this)});
    });
  }

  /// Gives the answers that are due; how many.
  std::size_t run() {
    auto due = std::exchange(pending_, {});
    for (const auto& answer : due) answer();
    return due.size();
  }

 private:
  struct LateGrants final : broker::Grants {
    explicit LateGrants(LateBackend& owner) : backend(owner) {}
    broker::Decision may_enter(std::string_view vhost) override { return decide(vhost, 'v'); }
    broker::Decision may_access(std::string_view, broker::ResourceKind, std::string_view name,
                                broker::Access access) override {
      return decide(name, static_cast<char>('0' + static_cast<int>(access)));
    }
    broker::Decision may_use_key(const catalog::Exchange&, std::string_view key,
                                 broker::Access) override {
      return decide(key, 'k');
    }
    void when_decided(std::function<void()> decided) override {
      backend.pending_.push_back([this, asked = asked, decided] {
        known.insert(asked);
        decided();
      });
    }
    broker::Decision decide(std::string_view name, char kind) {
      asked = kind + std::string(name);
      if (!known.contains(asked)) return std::nullopt;
      return name != "closed";
    }
    LateBackend& backend;
    std::string asked;
    std::set<std::string> known;
  };

  std::vector<std::function<void()>> pending_;
};

struct LateStage {
  LateStage() : stage(std::vector<broker::AuthLink>{{backend, {backend}}}) {}

  Lines say(std::string_view line) {
    stage.send_line(line);
    return turn();
  }
  /// What clients hear, and not whether they are read.
  Lines turn() {
    Lines lines = stage.turn();
    std::erase_if(lines, [](const std::string& line) { return line.ends_with("READING"); });
    return lines;
  }
  /// What is heard until nobody has to be asked any more.
  Lines run() {
    Lines heard;
    while (backend->run() > 0)
      for (std::string& line : turn()) heard.push_back(std::move(line));
    return heard;
  }
  void greet(std::string_view password) {
    stage.arrive("a");
    stage.send(base::ByteView("AMQP\0\0\x09\x01", 8));
    stage.turn();
    CHECK(say(fmt::format("0 connection.start-ok client_properties={{}} mechanism=PLAIN "
                          "response=\"\\0u\\0{}\" locale=en_US",
                          password))
              .empty());
  }
  void open() {
    greet("p");
    run();
    say("0 connection.tune-ok channel_max=2047 frame_max=131072 heartbeat=0");
    CHECK(say("0 connection.open virtual_host=/").empty());
    CHECK(run() == Lines{"0 connection.open-ok"});
    say("1 channel.open");
  }

  std::shared_ptr<LateBackend> backend = std::make_shared<LateBackend>();
  Stage stage;
};

}  // namespace

TEST_CASE("a login waits for who knows the user, and so does what follows it") {
  LateStage late;
  late.greet("p");
  // A client that does not wait for each answer.
  CHECK(late.say("0 connection.tune-ok channel_max=2047 frame_max=131072 heartbeat=0").empty());
  CHECK(!late.stage.connection().wants_input());
  CHECK(late.say("0 connection.open virtual_host=/").empty());
  CHECK(late.run() == Lines{"0 connection.tune channel_max=2047 frame_max=131072 heartbeat=60",
                            "0 connection.open-ok"});
  CHECK(late.stage.connection().info().user == "u");
  CHECK(late.stage.connection().wants_input());
}

TEST_CASE("a login that is refused late is refused as any other") {
  LateStage late;
  late.greet("wrong");
  late.run();
  late.stage.wait(std::chrono::seconds(4));
  CHECK(late.stage.survivors().empty());
}

TEST_CASE("a client that goes before the answer comes is not missed") {
  LateStage late;
  late.greet("p");
  late.stage.connection().on_peer_closed(late.stage.now());
  late.stage.turn();
  late.stage.survivors();
  CHECK(late.run().empty());
}

TEST_CASE("a channel's methods wait in their order for what the user may do") {
  LateStage late;
  late.open();
  CHECK(late.say("1 queue.declare queue=q").empty());
  CHECK(late.say("1 queue.declare queue=q passive").empty());
  CHECK(late.run() == Lines{"1 queue.declare-ok queue=q messages=0 consumers=0",
                            "1 queue.declare-ok queue=q messages=0 consumers=0"});
  // What is known needs no asking.
  CHECK(late.say("1 queue.declare queue=q").size() == 1);

  late.say("1 confirm.select");
  late.stage.send(session::publish_frames("1 \"\" q hello"));
  late.stage.send(session::publish_frames("1 \"\" q again"));
  CHECK(late.turn().empty());
  CHECK(late.run() == Lines{"1 basic.ack tag=2 multiple"});
  CHECK(late.say("1 basic.get queue=q").empty());
  CHECK(late.run().size() == 3);

  CHECK(late.say("1 queue.bind queue=q exchange=amq.topic key=k").empty());
  CHECK(late.run() == Lines{"1 queue.bind-ok"});
}

TEST_CASE("what is refused late closes the channel, and one that is closed hears nothing more") {
  LateStage late;
  late.open();
  CHECK(late.say("1 queue.declare queue=closed").empty());
  CHECK(late.run() ==
        Lines{"1 channel.close code=403 text=\"ACCESS_REFUSED - access to queue 'closed' in vhost "
              "'/' refused for user 'u'\" class=50 method=10"});
  late.say("1 channel.close-ok");
  late.say("2 channel.open");
  late.say("2 queue.declare queue=q");
  late.say("0 connection.close code=200");
  CHECK(!late.run().empty());
}
