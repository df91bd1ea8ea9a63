#include "base/random.h"
#include "catalog/archive.h"
#include "catalog/fixture.h"
#include "catalog/random_commands.h"

using namespace warren;
using namespace warren::catalog;

namespace {

std::vector<Command> one_of_each() {
  Queue queue = Fixture::queue_record("q", "a");
  queue.id = QueueId{7};
  queue.exclusive_owner = ExclusiveOwner{ConnectionId{5}, "b"};
  queue.arguments = {{"x-max-length", 5}, {"x-table", base::FieldTable{{"k", "v"}}}};
  queue.replicas = {"a", "b"};
  queue.in_sync = {"a"};
  Binding binding = Fixture::binding("x", DestinationKind::exchange, "y", "k");
  Exchange exchange{{"/", "x"}, "topic", true, false, true, {{"a", 1}}, "p"};
  QueueId id{3};
  Epoch epoch{4};
  return {PutVhost{{"/", "words", {"t"}}}, DeleteVhost{"v"}, AddUser{{"u", "h", "alg", {"t"}}},
          DeleteUser{"u"}, SetPassword{"u", std::string("\0\1", 2), "alg"},
          SetUserTags{"u", {"a", "b"}}, SetPermission{{"u", "v", "c", "w", "r"}},
          ClearPermission{"u", "v"}, DeclareExchange{exchange}, DeleteExchange{{"/", "x"}, true},
          AddBinding{binding}, RemoveBinding{binding}, DeclareQueue{queue}, DeleteQueue{id},
          DeleteExclusiveQueues{ConnectionId{9}},
          SetPolicy{{{"/", "p"}, "^", "{}", -5, AppliesTo::exchanges}}, ClearPolicy{{"/", "p"}},
          SetGlobalParameter{"n", "v"}, AddNode{"a", NodeKind::ram, "uuid"},
          SetNodeKind{"a", NodeKind::ram}, NodeUp{"a", Incarnation{8}},
          NodesDown{{{"a", Incarnation{8}}, {"b", Incarnation{9}}}}, ForgetNode{"a"},
          AddInSync{id, epoch, "a", 6},
          RemoveInSync{id, epoch, "a"}, ElectLeader{id, epoch, "a", true},
          SetOperatorPolicy{{{"/", "p"}, "^", "{}", 5, AppliesTo::all}},
          ClearOperatorPolicy{{"/", "p"}}, SetTopicPermission{{{"v", "u", "x"}, "w", "r"}},
          ClearTopicPermission{{"v", "u", "x"}}, SetVhostLimits{"v", Limits{-1, 2, 3}},
          SetUserLimits{"u", Limits{{}, 5, {}}}};
}

}  // namespace

TEST_CASE("every command survives a round trip, and no shorter or longer text of it passes") {
  std::vector<Command> commands = one_of_each();
  REQUIRE(commands.size() == std::variant_size_v<Command>);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    REQUIRE(commands[i].index() == i);
    base::Bytes bytes = encode_command(commands[i]);
    auto decoded = decode_command(bytes);
    REQUIRE(decoded.has_value());
    CHECK(decoded->index() == i);
    CHECK(encode_command(*decoded) == bytes);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
      CHECK_FALSE(decode_command(base::ByteView(bytes).substr(0, cut)).has_value());
    CHECK_FALSE(decode_command(bytes + '\0').has_value());
  }
}

TEST_CASE("the fields of a command arrive where they belong") {
  auto decoded = decode_command(encode_command(one_of_each()[12]));
  const Queue& queue = std::get<DeclareQueue>(*decoded).queue;
  CHECK(queue == std::get<DeclareQueue>(one_of_each()[12]).queue);
  auto policy = decode_command(encode_command(one_of_each()[15]));
  CHECK(std::get<SetPolicy>(*policy).policy.priority == -5);
}

TEST_CASE("the bytes of a command do not change from version to version") {
  CHECK(encode_command(NodeUp{"ab", Incarnation{258}}) ==
        std::string("\x01\x14\0\0\0\x02"
                    "ab\0\0\0\0\0\0\x01\x02",
                    16));
}

TEST_CASE("other versions and unknown commands are refused") {
  base::Bytes bytes = encode_command(DeleteUser{"u"});
  bytes[0] = 2;
  CHECK(decode_command(bytes).error().code == base::ErrorCode::corrupt);
  bytes[0] = 1;
  bytes[1] = 100;
  CHECK(decode_command(bytes).error().code == base::ErrorCode::corrupt);
  CHECK_FALSE(decode_command("").has_value());
}

TEST_CASE("bytes that were damaged decode to something that encodes, or to an error") {
  base::Random random(5);
  std::vector<Command> commands = one_of_each();
  for (int round = 0; round < 50'000; ++round) {
    base::Bytes bytes = encode_command(commands[random.below(commands.size())]);
    for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips)
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    if (auto decoded = decode_command(bytes)) {
      base::Bytes again = encode_command(*decoded);
      auto twice = decode_command(again);
      REQUIRE(twice.has_value());
      CHECK(encode_command(*twice) == again);
    }
  }
}

TEST_CASE("a count that lies costs no memory") {
  base::Bytes bytes("\x01\x05\0\0\0\x01u\xff\xff\xff\xff", 11);
  CHECK_FALSE(decode_command(bytes).has_value());
}

TEST_CASE("a snapshot is restored whole or not at all") {
  CommandSource source(3);
  Catalog catalog;
  std::vector<Change> changes;
  for (int i = 0; i < 400; ++i)
    static_cast<void>(catalog.apply(source.next(catalog), changes));
  base::Bytes bytes = catalog.snapshot();
  Catalog other;
  REQUIRE(other.restore(bytes).has_value());
  CHECK(other.snapshot() == bytes);
  CHECK(other.queues() == catalog.queues());
  for (const auto& [name, id] : catalog.queue_names())
    CHECK(other.bindings_to(DestinationKind::queue, name) ==
          catalog.bindings_to(DestinationKind::queue, name));
  std::uint64_t version = other.routing_version();
  for (std::size_t cut = 0; cut < bytes.size(); cut += 7) {
    REQUIRE_FALSE(other.restore(base::ByteView(bytes).substr(0, cut)).has_value());
    CHECK(other.routing_version() == version);
  }
  CHECK_FALSE(other.restore(bytes + "x").has_value());
  CHECK(other.snapshot() == bytes);

  base::Random random(9);
  for (int round = 0; round < 3000; ++round) {
    base::Bytes damaged = bytes;
    damaged[random.below(damaged.size())] = static_cast<char>(random.next());
    Catalog victim;
    if (victim.restore(damaged))
      for (int i = 0; i < 5; ++i)
        static_cast<void>(victim.apply(source.next(victim), changes));
  }
}
