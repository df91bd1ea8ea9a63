#include "catalog/placement.h"

#include <algorithm>

#include "catalog/fixture.h"

using namespace warren;
using namespace warren::catalog;
using base::ErrorCode;

namespace {

/// A queue declared through one of four nodes.
struct Case {
  const char* story;
  const char* definition;
  NodeName asking;
  Names down;  ///< all others run
  NodeName leader;
  Names replicas;
  Names in_sync;
};

NodeUp up(NodeName name, std::uint64_t incarnation) {
  return {std::move(name), Incarnation{incarnation}};
}
NodesDown down(NodeName name, std::uint64_t incarnation) {
  return {{{std::move(name), Incarnation{incarnation}}}};
}

/// Nodes a, b and c, and a queue that all of them hold in sync, led by a.
struct Mirrored : Fixture {
  QueueId id;
  Mirrored() {
    add_running({"a", "b", "c"});
    set_policy("ha", "^", R"({"ha-mode":"all"})");
    id = declare("q", "a");
    REQUIRE(queue(id).in_sync == Names{"a", "b", "c"});
  }
  const Queue& q() const { return queue(id); }
  Epoch epoch() const { return q().epoch; }
};

}  // namespace

TEST_CASE("where a new queue goes") {
  const Case cases[] = {
      {"no policy", R"({"max-length":1})", "b", {}, "b", {"b"}, {"b"}},
      {"all", R"({"ha-mode":"all"})", "b", {}, "b", {"b", "a", "c", "d"}, {"b", "a", "c", "d"}},
      {"all, one down", R"({"ha-mode":"all"})", "b", {"a"}, "b", {"b", "a", "c", "d"},
       {"b", "c", "d"}},
      {"exactly one", R"({"ha-mode":"exactly","ha-params":1})", "c", {}, "c", {"c"}, {"c"}},
      {"exactly two, one other runs", R"({"ha-mode":"exactly","ha-params":2})", "c", {"a", "b"},
       "c", {"c", "d"}, {"c", "d"}},
      {"exactly, more than there are", R"({"ha-mode":"exactly","ha-params":9})", "c", {"a", "b"},
       "c", {"c", "d"}, {"c", "d"}},
      {"nodes with the asking one", R"({"ha-mode":"nodes","ha-params":["d","b","zz"]})", "b", {},
       "b", {"b", "d"}, {"b", "d"}},
      {"nodes without the asking one", R"({"ha-mode":"nodes","ha-params":["d","b"]})", "a", {},
       "d", {"d", "b"}, {"d", "b"}},
      {"nodes, the first is down", R"({"ha-mode":"nodes","ha-params":["d","b"]})", "a", {"d"},
       "b", {"b", "d"}, {"b"}},
      {"nodes, none runs", R"({"ha-mode":"nodes","ha-params":["d","zz"]})", "a", {"d"}, "a",
       {"a", "d"}, {"a"}},
      {"nodes, none known", R"({"ha-mode":"nodes","ha-params":["zz"]})", "a", {}, "a", {"a"},
       {"a"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.story);
    Fixture f;
    f.add_running({"a", "b", "c", "d"});
    for (const NodeName& name : c.down) f.must(down(name, 1));
    f.set_policy("p", "^", c.definition);
    const Queue& queue = f.queue(f.declare("q", c.asking));
    CHECK(queue.leader == c.leader);
    CHECK(queue.replicas == c.replicas);
    CHECK(queue.in_sync == c.in_sync);
    CHECK(queue.epoch == Epoch{1});
  }
}

TEST_CASE("exclusive queues are never mirrored nor moved") {
  Fixture f;
  f.add_running({"a", "b"});
  f.set_policy("p", "^", R"({"ha-mode":"nodes","ha-params":["b"]})");
  Queue queue = f.queue_record("q", "a");
  queue.exclusive_owner = ExclusiveOwner{ConnectionId{1}, "a"};
  QueueId id = f.must(DeclareQueue{queue}).queue;
  f.set_policy("p", "^", R"({"ha-mode":"all"})");
  CHECK(f.queue(id).policy == "p");
  CHECK(f.queue(id).replicas == Names{"a"});
}

TEST_CASE("ha-mode exactly spreads queues over the nodes") {
  Fixture f;
  f.add_running({"a", "b", "c", "d", "e"});
  f.set_policy("p", "^", R"({"ha-mode":"exactly","ha-params":2})");
  std::map<NodeName, int> mirrors;
  for (int i = 0; i < 400; ++i)
    ++mirrors[f.queue(f.declare("q" + std::to_string(i), "a")).replicas[1]];
  CHECK(mirrors.size() == 4);
  for (const auto& [name, count] : mirrors) CHECK(count > 50);
}

TEST_CASE("policies and members change the replicas of queues that exist") {
  Fixture f;
  f.add_running({"a", "b"});
  QueueId id = f.declare("q", "b");
  f.set_policy("p", "^", R"({"ha-mode":"all"})");
  CHECK(f.queue(id).replicas == Names{"b", "a"});
  CHECK(f.queue(id).in_sync == Names{"b"});
  f.add_running({"c"});
  CHECK(f.queue(id).replicas == Names{"b", "a", "c"});
  f.must(AddInSync{id, Epoch{1}, "c"});
  f.set_policy("p", "^", R"({"ha-mode":"exactly","ha-params":2})");
  CHECK(f.queue(id).replicas == Names{"b", "c"});
  CHECK(f.queue(id).in_sync == Names{"b", "c"});
  CHECK(f.queue(id).epoch == Epoch{1});
  f.must(ClearPolicy{f.name("p")});
  CHECK(f.queue(id).replicas == Names{"b"});
  CHECK(f.queue(id).in_sync == Names{"b"});
}

TEST_CASE("a leader that the policy does not want stays until another takes over") {
  Fixture f;
  f.add_running({"a", "b"});
  QueueId id = f.declare("q", "a");
  f.set_policy("p", "^", R"({"ha-mode":"nodes","ha-params":["b"]})");
  CHECK(f.queue(id).replicas == Names{"a", "b"});
  CHECK_FALSE(find_wanted_successor(f.catalog, f.queue(id)).has_value());
  f.must(AddInSync{id, Epoch{1}, "b"});
  CHECK(f.queue(id).leader == "a");
  CHECK(find_wanted_successor(f.catalog, f.queue(id)) == "b");
  f.must(ElectLeader{id, Epoch{1}, "b"});
  CHECK(f.queue(id).replicas == Names{"b"});
  CHECK(f.queue(id).in_sync == Names{"b"});
  CHECK(f.queue(id).epoch == Epoch{2});
}

TEST_CASE("exactly: a dead mirror is replaced by a running node, and waits when there is none") {
  Fixture f;
  f.add_running({"a", "b", "c"});
  f.set_policy("p", "^", R"({"ha-mode":"exactly","ha-params":2})");
  QueueId id = f.declare("q", "a");
  NodeName mirror = f.queue(id).replicas[1];
  NodeName spare = mirror == "b" ? "c" : "b";
  f.must(down(mirror, 1));
  CHECK(f.queue(id).replicas == Names{"a", spare});
  CHECK(f.queue(id).in_sync == Names{"a"});
  f.must(down(spare, 1));
  CHECK(f.queue(id).replicas == Names{"a", spare});
  f.must(up(mirror, 2));
  CHECK(f.queue(id).replicas == Names{"a", mirror});
  f.must(up(spare, 2));
  CHECK(f.queue(id).replicas == Names{"a", mirror});
  f.must(up(mirror, 3));
  CHECK(f.queue(id).replicas == Names{"a", mirror});
}

TEST_CASE_FIXTURE(Mirrored, "a dead leader is followed by the oldest in-sync replica") {
  must(down("a", 1));
  CHECK(changes_of<QueuePlaced>().size() == 1);
  CHECK(q().leader == "b");
  CHECK(q().epoch == Epoch{2});
  CHECK(q().replicas == Names{"a", "b", "c"});
  CHECK(q().in_sync == Names{"b", "c"});
  CHECK(is_queue_running(catalog, q()));
  must(up("a", 2));
  CHECK(q().leader == "b");
  CHECK(q().in_sync == Names{"b", "c"});
  must(AddInSync{id, Epoch{2}, "a"});
  CHECK(q().in_sync == Names{"a", "b", "c"});
}

TEST_CASE_FIXTURE(Mirrored, "the last in-sync replica stays although it is down") {
  must(down("a", 1));
  must(down("c", 1));
  must(down("b", 1));
  CHECK(q().leader == "b");
  CHECK(q().in_sync == Names{"b"});
  CHECK_FALSE(is_queue_running(catalog, q()));
  must(up("a", 2));
  CHECK(q().leader == "b");
  CHECK(q().in_sync == Names{"b"});
  must(up("b", 2));
  CHECK(q().epoch == Epoch{3});
  CHECK(is_queue_running(catalog, q()));
}

TEST_CASE_FIXTURE(Mirrored, "a restart that nobody saw counts as a loss") {
  must(up("a", 2));
  CHECK(q().leader == "b");
  CHECK(q().epoch == Epoch{2});
  CHECK(q().in_sync == Names{"b", "c"});
  must(up("c", 5));
  CHECK(q().in_sync == Names{"b"});
  must(up("b", 2));
  CHECK(q().leader == "b");
  CHECK(q().epoch == Epoch{3});
  must(up("b", 2));
  CHECK(q().epoch == Epoch{3});
  must(down("b", 1));
  CHECK(is_queue_running(catalog, q()));
}

TEST_CASE_FIXTURE(Mirrored, "all nodes lose power: whatever the order, one that held all leads") {
  Names order{"a", "b", "c"};
  base::Bytes before = catalog.snapshot();
  do {
    REQUIRE(catalog.restore(before).has_value());
    for (const NodeName& name : order) must(up(name, 2));
    CAPTURE(order[2]);
    // The one that the catalog believed in last is the last to leave, so it stays.
    CHECK(q().leader == order[2]);
    CHECK(q().in_sync == Names{order[2]});
    CHECK(is_queue_running(catalog, q()));

    // With the dead proven dead first, the queue is there as soon as one node is.
    REQUIRE(catalog.restore(before).has_value());
    must(down(order[1], 1));
    must(down(order[2], 1));
    must(up(order[0], 2));
    CHECK(q().leader == order[0]);
    CHECK(is_queue_running(catalog, q()));
    must(up(order[1], 2));
    CHECK(q().leader == order[0]);
    CHECK(q().in_sync == Names{order[0]});
  } while (std::ranges::next_permutation(order).found);
}

TEST_CASE_FIXTURE(Mirrored, "an in-sync set that ends together waits for its first member") {
  must(RemoveInSync{id, epoch(), "c"});
  must(NodesDown{{{"a", Incarnation{1}}, {"c", Incarnation{1}}, {"b", Incarnation{1}}}});
  CHECK(q().in_sync == Names{"a", "b"});
  CHECK(q().epoch == Epoch{1});
  CHECK_FALSE(is_queue_running(catalog, q()));
  SUBCASE("one that was not in sync does not count") {
    must(up("c", 2));
    CHECK(q().in_sync == Names{"a", "b"});
    CHECK(refused(ElectLeader{id, epoch(), "c"}).code == ErrorCode::not_allowed);
  }
  SUBCASE("no policy takes a member away meanwhile") {
    must(up("c", 2));
    must(ClearPolicy{name("ha")});
    CHECK(q().replicas == Names{"a", "b"});
    set_policy("ha", "^", R"({"ha-mode":"exactly","ha-params":2})");
    CHECK(q().replicas == Names{"a", "b"});
    must(ClearPolicy{name("ha")});
    must(up("b", 2));
    CHECK(q().replicas == Names{"b"});
  }
  must(up("b", 2));
  CHECK(q().leader == "b");
  CHECK(q().epoch == Epoch{2});
  CHECK(q().in_sync == Names{"b"});
  must(up("a", 2));
  CHECK(q().leader == "b");
  CHECK(q().in_sync == Names{"b"});
}

TEST_CASE_FIXTURE(Mirrored, "forgetting the leader of a set that is down leaves the others") {
  must(NodesDown{{{"a", Incarnation{1}}, {"c", Incarnation{1}}, {"b", Incarnation{1}}}});
  must(ForgetNode{"a"});
  CHECK(q().leader == "b");
  CHECK(q().in_sync == Names{"b", "c"});
  must(up("c", 2));
  CHECK(q().leader == "c");
  CHECK(q().in_sync == Names{"c"});
}

TEST_CASE_FIXTURE(Mirrored, "transient queues die with their last running in-sync replica") {
  Queue record = queue_record("t", "a");
  record.durable = false;
  QueueId mirrored = must(DeclareQueue{record}).queue;
  must(ClearPolicy{name("ha")});
  record.name = name("single");
  must(DeclareQueue{record});
  must(AddBinding{binding("amq.direct", DestinationKind::queue, "single")});
  set_policy("ha", "^[tq]$", R"({"ha-mode":"all"})");
  must(AddInSync{mirrored, Epoch{1}, "b"});
  must(down("a", 1));
  CHECK_FALSE(has_queue("single"));
  CHECK(catalog.bindings_from(name("amq.direct")).empty());
  CHECK(queue(mirrored).leader == "b");
  must(down("b", 1));
  CHECK_FALSE(has_queue("t"));
  CHECK(has_queue("q"));
}

TEST_CASE_FIXTURE(Mirrored, "exclusive queues go with the node of their connection") {
  Queue record = queue_record("x", "b");
  record.exclusive_owner = ExclusiveOwner{ConnectionId{7}, "b"};
  must(DeclareQueue{record});
  must(up("b", 2));
  CHECK_FALSE(has_queue("x"));
  must(DeclareQueue{record});
  must(down("b", 2));
  CHECK_FALSE(has_queue("x"));
  CHECK(refused(DeclareQueue{record}).code == ErrorCode::unavailable);
}

TEST_CASE_FIXTURE(Mirrored, "in-sync changes of an old leadership are refused") {
  must(RemoveInSync{id, epoch(), "c"});
  CHECK(q().in_sync == Names{"a", "b"});
  CHECK(refused(RemoveInSync{id, epoch(), "a"}).code == ErrorCode::not_allowed);
  Epoch old = epoch();
  must(ElectLeader{id, old, "b"});
  CHECK(q().leader == "b");
  CHECK(q().in_sync == Names{"a", "b"});
  for (const Command& command : std::initializer_list<Command>{
           AddInSync{id, old, "c"}, RemoveInSync{id, old, "b"}, ElectLeader{id, old, "a"},
           ElectLeader{id, old, "c", true}, ElectLeader{id, epoch(), "c"},
           ElectLeader{id, epoch(), "zz", true}, AddInSync{id, epoch(), "zz"}})
    CHECK(refused(command).code == ErrorCode::not_allowed);
  CHECK(refused(AddInSync{QueueId{99}, old, "c"}).code == ErrorCode::not_found);
  must(ElectLeader{id, epoch(), "c", true});
  CHECK(q().leader == "c");
  CHECK(q().in_sync == Names{"c"});
}

TEST_CASE_FIXTURE(Mirrored, "a replica that restarted or was made anew does not enter unseen") {
  must(RemoveInSync{id, epoch(), "c"});
  std::uint64_t version = q().placement_version;
  SUBCASE("restarted") { must(up("c", 2)); }
  SUBCASE("dropped and added again") {
    must(ClearPolicy{name("ha")});
    set_policy("ha", "^", R"({"ha-mode":"all"})");
  }
  CHECK(refused(AddInSync{id, epoch(), "c", version}).code == ErrorCode::not_allowed);
  must(AddInSync{id, epoch(), "c", q().placement_version});
}

TEST_CASE_FIXTURE(Mirrored, "a forgotten node leaves its queues to the replicas that are left") {
  QueueId single = declare("r", "a");
  must(RemoveInSync{id, epoch(), "b"});
  must(RemoveInSync{id, epoch(), "c"});
  must(down("a", 1));
  CHECK(q().leader == "a");
  must(SetPolicy{{name("none"), "^r$", R"({"max-length":1})", 5, AppliesTo::all}});
  must(ElectLeader{single, queue(single).epoch, "b"});
  must(ForgetNode{"a"});
  CHECK(q().leader == "b");
  CHECK(q().epoch == Epoch{2});
  CHECK(q().replicas == Names{"b", "c"});
  CHECK(q().in_sync == Names{"b"});
  CHECK(queue(single).replicas == Names{"b"});
  must(down("b", 1));
  must(ForgetNode{"b"});
  CHECK_FALSE(has_queue("r"));
  CHECK(q().leader == "c");
}
