#include "catalog/delaying.h"
#include "catalog/fixture.h"

using namespace warren;
using namespace warren::catalog;
using base::ErrorCode;

namespace {

struct DelayFixture : Fixture {
  void declare_delaying(const std::string& text, bool durable = true, bool auto_delete = false) {
    Exchange exchange;
    exchange.name = name(text);
    exchange.type = delaying_type;
    exchange.durable = durable;
    exchange.auto_delete = auto_delete;
    exchange.arguments = {{"x-delayed-type", base::FieldValue("direct")}};
    must(DeclareExchange{exchange});
  }
  const Queue& delay_queue(const std::string& exchange) const {
    const Queue* queue = catalog.find_queue(delay_queue_of(name(exchange)));
    REQUIRE(queue != nullptr);
    return *queue;
  }
};

}  // namespace

TEST_CASE("an exchange that delays comes and goes with its queue") {
  DelayFixture f;
  f.add_running({"a", "b", "c"});
  f.declare_delaying("x");
  CHECK(f.changes_of<QueueAdded>().size() == 1);
  const Queue queue = f.delay_queue("x");
  CHECK(queue.name.name == "amq.delayed.x");
  CHECK(queue.durable);
  CHECK(queue.in_sync.size() == 3);
  f.must(DeleteExchange{Fixture::name("x")});
  CHECK(f.changes_of<QueueRemoved>().size() == 1);
  CHECK_FALSE(f.has_queue("amq.delayed.x"));
}

TEST_CASE("the queue of delayed messages goes with an exchange that nobody binds any more") {
  DelayFixture f;
  f.add_running({"a"});
  f.declare_delaying("x", true, true);
  f.declare("q", "a");
  const Binding binding = Fixture::binding("x", DestinationKind::queue, "q");
  f.must(AddBinding{binding});
  f.must(RemoveBinding{binding});
  CHECK_FALSE(f.has_exchange("x"));
  CHECK_FALSE(f.has_queue("amq.delayed.x"));
}

TEST_CASE("delayed messages are on every node, whatever policies say") {
  DelayFixture f;
  f.add_running({"a", "b"});
  f.declare_delaying("x");
  f.set_policy("p", "", R"({"ha-mode":"exactly","ha-params":1,"message-ttl":5})");
  CHECK(f.delay_queue("x").policy.empty());
  CHECK(f.delay_queue("x").replicas.size() == 2);
  f.add_running({"c"});
  CHECK(f.delay_queue("x").replicas.size() == 3);
  f.must(ClearPolicy{Fixture::name("p")});
  CHECK(f.delay_queue("x").replicas.size() == 3);
}

TEST_CASE("the queue of delayed messages is not for clients") {
  DelayFixture f;
  f.add_running({"a"});
  f.declare_delaying("x");
  f.declare_exchange("y");
  const base::Error refusal{ErrorCode::access_refused,
                            "queue 'amq.delayed.x' in vhost '/' holds the delayed messages of an "
                            "exchange"};
  CHECK(f.refused(DeleteQueue{f.delay_queue("x").id}) == refusal);
  CHECK(f.refused(AddBinding{Fixture::binding("y", DestinationKind::queue, "amq.delayed.x")}) ==
        refusal);
  CHECK(f.refused(DeclareQueue{Fixture::queue_record("amq.delayed.z", "a")}).code ==
        ErrorCode::access_refused);
}

TEST_CASE("an exchange that was declared while no node ran gets its queue with the first") {
  DelayFixture f;
  f.declare_delaying("x");
  CHECK_FALSE(f.has_queue("amq.delayed.x"));
  f.add_running({"a"});
  CHECK(f.delay_queue("x").leader == "a");
}

TEST_CASE("an exchange that delays is never without its queue while a node runs") {
  DelayFixture f;
  f.add_running({"a", "b"});
  f.declare_delaying("x", false);
  const Queue before = f.delay_queue("x");
  f.must(RemoveInSync{before.id, before.epoch, before.leader == "a" ? "b" : "a"});
  f.must(NodesDown{{{before.leader, Incarnation{1}}}});
  CHECK(f.delay_queue("x").id != before.id);
}

TEST_CASE("the queues of delayed messages go with their vhost") {
  DelayFixture f;
  f.add_running({"a"});
  f.must(PutVhost{{"v", "", {}}});
  Exchange exchange;
  exchange.name = {"v", "x"};
  exchange.type = delaying_type;
  f.must(DeclareExchange{exchange});
  CHECK(f.catalog.queues().size() == 1);
  f.must(DeleteVhost{"v"});
  CHECK(f.catalog.queues().empty());
}
