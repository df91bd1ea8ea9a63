#include "catalog/catalog.h"

#include <limits>

#include "catalog/fixture.h"

using namespace warren;
using namespace warren::catalog;
using base::ErrorCode;

TEST_CASE("the first commands make vhost / with guest and the predeclared exchanges") {
  Fixture f;
  REQUIRE(f.catalog.find_vhost("/") != nullptr);
  CHECK(f.catalog.find_user("guest")->tags == std::vector<std::string>{"administrator"});
  CHECK(f.catalog.find_permission("guest", "/")->write == ".*");
  std::vector<std::pair<std::string, std::string>> exchanges;
  for (const auto& [name, exchange] : f.catalog.exchanges()) {
    CHECK(exchange.durable);
    CHECK(exchange.internal == (name.name == "amq.rabbitmq.trace"));
    exchanges.emplace_back(name.name, exchange.type);
  }
  CHECK(exchanges == std::vector<std::pair<std::string, std::string>>{
                         {"", "direct"},
                         {"amq.direct", "direct"},
                         {"amq.fanout", "fanout"},
                         {"amq.headers", "headers"},
                         {"amq.match", "headers"},
                         {"amq.rabbitmq.trace", "topic"},
                         {"amq.topic", "topic"}});
}

TEST_CASE("putting a vhost again changes only its description") {
  Fixture f;
  f.declare_exchange("x");
  f.must(PutVhost{{"/", "new words", {"a"}}});
  CHECK(f.catalog.find_vhost("/")->description == "new words");
  CHECK(f.has_exchange("x"));
}

TEST_CASE("deleting a vhost removes all that is in it and nothing else") {
  Fixture f;
  f.add_running({"a"});
  f.must(PutVhost{{"v", "", {}}});
  f.must(SetPermission{{"guest", "v", "", "", ""}});
  Queue queue = f.queue_record("q", "a");
  queue.name.vhost = "v";
  f.must(DeclareQueue{queue});
  f.must(AddBinding{{{"v", "amq.topic"}, DestinationKind::queue, "q", "k", {}}});
  f.must(SetPolicy{{{"v", "p"}, "^", R"({"max-length":1})", 0, AppliesTo::all}});
  f.must(SetOperatorPolicy{{{"v", "o"}, "^", R"({"max-length":1})", 0, AppliesTo::all}});
  f.declare("q", "a");
  f.must(DeleteVhost{"v"});
  CHECK(f.changes_of<QueueRemoved>().size() == 1);
  CHECK(f.changes_of<VhostRemoved>().size() == 1);
  CHECK(f.changes_of<UserChanged>().size() == 1);
  CHECK(f.catalog.find_exchange({"v", ""}) == nullptr);
  CHECK(f.catalog.find_permission("guest", "v") == nullptr);
  CHECK(f.catalog.bindings_from({"v", "amq.topic"}).empty());
  CHECK(f.catalog.bindings_to(DestinationKind::queue, {"v", "q"}).empty());
  CHECK(f.catalog.policies().empty());
  CHECK(f.catalog.operator_policies().empty());
  CHECK(f.has_queue("q"));
  CHECK(f.refused(DeleteVhost{"v"}) ==
        base::Error{ErrorCode::not_found, "Virtual host 'v' does not exist"});
}

TEST_CASE("users: made once, changed, deleted with their permissions") {
  Fixture f;
  f.must(AddUser{f.user_record("alice")});
  CHECK(f.refused(AddUser{f.user_record("alice")}) ==
        base::Error{ErrorCode::already_exists, "User \"alice\" already exists"});
  f.must(SetPassword{"alice", "hash", "rabbit_password_hashing_sha512"});
  f.must(SetUserTags{"alice", {"monitoring"}});
  f.must(SetPermission{{"alice", "/", "a", "b", "c"}});
  CHECK(f.changes_of<UserChanged>().size() == 1);
  CHECK(f.catalog.find_user("alice")->password_hash == "hash");
  CHECK(f.catalog.find_user("alice")->hashing_algorithm == "rabbit_password_hashing_sha512");
  f.must(ClearPermission{"alice", "/"});
  CHECK(f.catalog.find_permission("alice", "/") == nullptr);
  f.must(SetPermission{{"alice", "/", "a", "b", "c"}});
  f.must(DeleteUser{"alice"});
  CHECK(f.catalog.find_permission("alice", "/") == nullptr);
  CHECK(f.catalog.find_permission("guest", "/") != nullptr);
  CHECK(f.refused(DeleteUser{"alice"}).text == "User \"alice\" does not exist");
  CHECK(f.refused(SetUserTags{"alice", {}}).text == "User \"alice\" does not exist");
}

TEST_CASE("permissions need a user, a vhost and regular expressions") {
  Fixture f;
  CHECK(f.refused(SetPermission{{"nosuch", "/", "", "", ""}}).text ==
        "User nosuch does not exist");
  CHECK(f.refused(SetPermission{{"guest", "nosuch", "", "", ""}}).text ==
        "Virtual host nosuch does not exist");
  CHECK(f.refused(SetPermission{{"guest", "/", "[", ".*", ".*"}}).text ==
        "{:invalid_regexp, '[', {'missing terminating ] for character class', 1}}");
}

TEST_CASE("topic permissions go with their user, their vhost, and one by one") {
  Fixture f;
  f.must(AddUser{f.user_record("alice")});
  f.must(PutVhost{{"v", "", {}}});
  auto set = [&](const char* vhost, const char* exchange) {
    f.must(SetTopicPermission{{{vhost, "alice", exchange}, "^a", "^b"}});
  };
  auto has = [&](const char* vhost, const char* exchange) {
    return f.catalog.find_topic_permission("alice", {vhost, exchange}) != nullptr;
  };
  std::uint64_t version = f.catalog.permission_version();
  set("/", "x");
  CHECK(f.changes_of<UserChanged>().size() == 1);
  CHECK(f.catalog.permission_version() > version);
  set("/", "y");
  set("/", "z");
  set("v", "x");
  CHECK(f.catalog.find_topic_permission("alice", {"/", "x"})->read == "^b");
  f.must(ClearTopicPermission{{"/", "alice", "x"}});
  CHECK_FALSE(has("/", "x"));
  CHECK(has("/", "y"));
  f.must(ClearTopicPermission{{"/", "alice", ""}});
  CHECK_FALSE(has("/", "y"));
  CHECK(has("v", "x"));
  f.must(DeleteVhost{"v"});
  CHECK(f.catalog.topic_permissions().empty());
  set("/", "x");
  f.must(DeleteUser{"alice"});
  CHECK(f.catalog.topic_permissions().empty());
}

TEST_CASE("topic permissions need a user, a vhost and regular expressions") {
  Fixture f;
  auto refusal = [&](TopicPermission permission) {
    return f.refused(SetTopicPermission{std::move(permission)}).text;
  };
  CHECK(refusal({{"/", "nosuch", "x"}, "", ""}) == "User nosuch does not exist");
  CHECK(refusal({{"nosuch", "guest", "x"}, "", ""}) == "Virtual host nosuch does not exist");
  CHECK(refusal({{"/", "guest", "x"}, "*a", ""}) ==
        "{:invalid_regexp, \"*a\", {'nothing to repeat', 0}}");
  CHECK(f.refused(ClearTopicPermission{{"/", "nosuch", ""}}).text == "User nosuch does not exist");
  f.must(ClearTopicPermission{{"/", "guest", "nosuch"}});
  CHECK(f.changes.empty());
}

TEST_CASE("a vhost holds as many queues as it may, and not one more") {
  Fixture f;
  f.add_running({"a"});
  QueueId first = f.declare("q1", "a");
  f.must(SetVhostLimits{"/", Limits{.max_queues = 1}});
  CHECK(f.changes_of<VhostChanged>().size() == 1);
  CHECK(f.refused(DeclareQueue{f.queue_record("q2", "a")}) ==
        base::Error{ErrorCode::precondition_failed,
                    "cannot declare queue 'q2': queue limit in vhost '/' (1) is reached"});
  CHECK(f.refused(DeclareQueue{f.queue_record("q1", "a")}).code == ErrorCode::already_exists);
  Catalog restored;
  REQUIRE(restored.restore(f.catalog.snapshot()).has_value());
  CHECK_FALSE(restored.check_room_for_queue({"/", "q2"}).has_value());
  // A new description is no new limit.
  f.must(PutVhost{{"/", "words", {}}});
  CHECK_FALSE(f.catalog.check_room_for_queue({"/", "q2"}).has_value());
  f.must(DeleteQueue{first});
  CHECK(f.catalog.check_room_for_queue({"/", "q2"}).has_value());
  f.declare("q2", "a");
  f.must(SetVhostLimits{"/", Limits{.max_queues = -1}});
  f.declare("q3", "a");
  f.must(SetVhostLimits{"/", std::nullopt});
  CHECK(f.refused(SetVhostLimits{"/", std::nullopt}).text == "Parameter does not exist");
  CHECK(f.refused(SetVhostLimits{"nosuch", Limits{}}).code == ErrorCode::not_found);
  CHECK(f.refused(SetUserLimits{"nosuch", Limits{}}).code == ErrorCode::not_found);
}

TEST_CASE("an exchange declared again must be equal") {
  Fixture f;
  f.declare_exchange("e.x1");
  f.declare_exchange("e.x1");
  Exchange other = *f.catalog.find_exchange(f.name("e.x1"));
  SUBCASE("type") {
    other.type = "fanout";
    CHECK(f.refused(DeclareExchange{other}) ==
          base::Error{ErrorCode::precondition_failed,
                      "inequivalent arg 'type' for exchange 'e.x1' in vhost '/': received "
                      "'fanout' but current is 'direct'"});
  }
  SUBCASE("internal") {
    other.internal = true;
    CHECK(f.refused(DeclareExchange{other}).text ==
          "inequivalent arg 'internal' for exchange 'e.x1' in vhost '/': received 'true' but "
          "current is 'false'");
  }
  SUBCASE("alternate exchange") {
    other.arguments.set("alternate-exchange", "amq.fanout");
    CHECK(f.refused(DeclareExchange{other}).text ==
          "inequivalent arg 'alternate-exchange' for exchange 'e.x1' in vhost '/': received the "
          "value 'amq.fanout' of type 'longstr' but current is none");
  }
  SUBCASE("other arguments are not compared") {
    other.arguments.set("x-foo", 1);
    f.must(DeclareExchange{other});
  }
}

TEST_CASE("deleting exchanges") {
  Fixture f;
  f.add_running({"a"});
  f.declare_exchange("e.x2");
  f.declare("q", "a");
  f.must(AddBinding{f.binding("e.x2", DestinationKind::queue, "q")});
  CHECK(f.refused(DeleteExchange{f.name("amq.direct")}) ==
        base::Error{ErrorCode::access_refused,
                    "deletion of system exchange 'amq.direct' in vhost '/' not allowed"});
  CHECK(f.refused(DeleteExchange{f.name("")}).text ==
        "operation not permitted on the default exchange");
  CHECK(f.refused(DeleteExchange{f.name("e.x2"), true}) ==
        base::Error{ErrorCode::precondition_failed, "exchange 'e.x2' in vhost '/' in use"});
  f.must(DeleteExchange{f.name("e.x2")});
  CHECK_FALSE(f.has_exchange("e.x2"));
  CHECK(f.catalog.bindings_to(DestinationKind::queue, f.name("q")).empty());
  f.must(DeleteExchange{f.name("e.x2")});
}

TEST_CASE("bindings: both ends must exist, repeats are one") {
  Fixture f;
  f.add_running({"a"});
  f.declare("q", "a");
  CHECK(f.refused(AddBinding{f.binding("nosuch", DestinationKind::queue, "q")}) ==
        base::Error{ErrorCode::not_found, "no exchange 'nosuch' in vhost '/'"});
  CHECK(f.refused(AddBinding{f.binding("amq.direct", DestinationKind::queue, "nosuch")}).text ==
        "no queue 'nosuch' in vhost '/'");
  CHECK(f.refused(AddBinding{f.binding("amq.direct", DestinationKind::exchange, "nosuchx")}).text ==
        "no exchange 'nosuchx' in vhost '/'");
  CHECK(f.refused(AddBinding{f.binding("", DestinationKind::queue, "q")}) ==
        base::Error{ErrorCode::access_refused, "operation not permitted on the default exchange"});

  Binding binding = f.binding("amq.direct", DestinationKind::queue, "q", "k");
  binding.arguments = {{"b", 1}, {"a", "x"}};
  f.must(AddBinding{binding});
  std::uint64_t version = f.catalog.routing_version();
  binding.arguments = {{"a", "x"}, {"b", 1}};
  f.must(AddBinding{binding});
  CHECK(f.catalog.routing_version() == version);
  CHECK(f.catalog.bindings_from(f.name("amq.direct")).size() == 1);
  f.must(AddBinding{f.binding("amq.direct", DestinationKind::queue, "q", "k")});
  f.must(AddBinding{f.binding("amq.topic", DestinationKind::queue, "q", "k")});
  CHECK(f.catalog.bindings_to(DestinationKind::queue, f.name("q")).size() == 3);
  f.must(RemoveBinding{binding});
  CHECK(f.catalog.routing_version() > version);
  f.must(RemoveBinding{binding});
  CHECK(f.catalog.bindings_from(f.name("amq.direct")).size() == 1);
}

TEST_CASE("a binding argument that is not even equal to itself goes with its queue") {
  Fixture f;
  f.add_running({"a"});
  QueueId queue = f.declare("q", "a");
  Binding binding = f.binding("amq.headers", DestinationKind::queue, "q");
  binding.arguments = {{"nan", std::numeric_limits<double>::quiet_NaN()}};
  f.must(AddBinding{binding});
  f.must(AddBinding{binding});
  f.must(DeleteQueue{queue});
  CHECK(f.catalog.bindings_from(f.name("amq.headers")).empty());
}

TEST_CASE("auto-delete exchanges go with their last binding, along the whole chain") {
  Fixture f;
  f.add_running({"a"});
  QueueId queue = f.declare("q", "a");
  constexpr int length = 20000;
  for (int i = 0; i < length; ++i) f.declare_exchange("x" + std::to_string(i), true);
  for (int i = 1; i < length; ++i)
    f.must(AddBinding{f.binding("x" + std::to_string(i - 1), DestinationKind::exchange,
                                "x" + std::to_string(i))});
  f.must(AddBinding{f.binding("x" + std::to_string(length - 1), DestinationKind::queue, "q")});
  f.declare_exchange("never-bound", true);
  f.must(DeleteQueue{queue});
  CHECK(f.catalog.exchanges().size() == 8);
  CHECK(f.has_exchange("never-bound"));
}

TEST_CASE("auto-delete exchanges that are bound in a circle go together") {
  Fixture f;
  f.declare_exchange("x", true);
  f.declare_exchange("y", true);
  f.must(AddBinding{f.binding("x", DestinationKind::exchange, "y")});
  f.must(AddBinding{f.binding("y", DestinationKind::exchange, "x")});
  f.must(RemoveBinding{f.binding("x", DestinationKind::exchange, "y")});
  CHECK_FALSE(f.has_exchange("x"));
  CHECK_FALSE(f.has_exchange("y"));
}

TEST_CASE("queues: a name is taken once, an id is never used again") {
  Fixture f;
  f.add_running({"a"});
  QueueId first = f.declare("q", "a");
  CHECK(f.refused(DeclareQueue{f.queue_record("q", "a")}).code == ErrorCode::already_exists);
  f.must(DeleteQueue{first});
  CHECK(f.changes_of<QueueRemoved>().front().queue.name == f.name("q"));
  QueueId second = f.declare("q", "a");
  CHECK(second != first);
  f.must(DeleteQueue{first});
  CHECK(f.has_queue("q"));
  Queue stray = f.queue_record("stray", "a");
  stray.name.vhost = "nosuch";
  CHECK(f.refused(DeclareQueue{stray}).code == ErrorCode::not_found);
  CHECK(f.refused(DeclareQueue{f.queue_record("r", "unknown")}).code == ErrorCode::unavailable);
}

TEST_CASE("exclusive queues end with their connection") {
  Fixture f;
  f.add_running({"a"});
  for (std::uint64_t connection : {1, 1, 2}) {
    Queue queue = f.queue_record("q" + std::to_string(f.catalog.queues().size()), "a");
    queue.exclusive_owner = ExclusiveOwner{ConnectionId{connection}, "a"};
    f.must(DeclareQueue{queue});
  }
  f.must(DeleteExclusiveQueues{ConnectionId{1}});
  CHECK(f.changes_of<QueueRemoved>().size() == 2);
  CHECK(f.catalog.queues().size() == 1);
  f.must(DeleteExclusiveQueues{ConnectionId{1}});
  CHECK(f.changes.empty());
}

TEST_CASE("policies: the highest priority wins, then the first name") {
  Fixture f;
  f.add_running({"a"});
  QueueId queue = f.declare("orders", "a");
  f.declare_exchange("orders.x");
  const Exchange* exchange = f.catalog.find_exchange(f.name("orders.x"));
  f.set_policy("b", "^ord", R"({"max-length":5})");
  CHECK(f.queue(queue).policy == "b");
  CHECK(f.changes_of<QueuePlaced>().size() == 1);
  CHECK(exchange->policy == "b");
  f.set_policy("a", "ders", R"({"max-length":6})");
  CHECK(f.queue(queue).policy == "a");
  f.set_policy("c", "orders", R"({"expires":6})", 1, AppliesTo::queues);
  CHECK(f.queue(queue).policy == "c");
  CHECK(exchange->policy == "a");
  f.set_policy("other", "^rders", R"({"expires":6})", 100);
  CHECK(f.queue(queue).policy == "c");
  f.must(ClearPolicy{f.name("c")});
  CHECK(f.queue(queue).policy == "a");
  CHECK(f.queue(f.declare("ord2", "a")).policy == "b");
  CHECK(f.catalog.find_policy_definition(f.name("a"))->max_length == 6);
  f.set_policy("a", "ders", R"({"max-length":7})");
  CHECK(f.changes_of<QueuePlaced>().size() == 1);
  f.set_policy("a", "ders", R"({"max-length":7})");
  CHECK(f.changes.empty());
  CHECK(f.refused(ClearPolicy{f.name("c")}) ==
        base::Error{ErrorCode::not_found, "Parameter does not exist"});
  CHECK(f.refused(SetPolicy{{{"nosuch", "p"}, "^", "{}", 0, AppliesTo::all}}).text ==
        "Virtual host 'nosuch' does not exist");
  CHECK(f.refused(SetPolicy{{f.name("p"), "^", R"({"ha-mode":"foo"})", 0, AppliesTo::all}}).text ==
        "Validation failed\n\n<<\"foo\">> is not a valid ha-mode value\n");
}

TEST_CASE("a policy's definition is kept with its keys sorted") {
  Fixture f;
  f.set_policy("p", "^", R"({ "message-ttl" : 60000, "max-length":10})");
  CHECK(f.catalog.find_policy(f.name("p"))->definition ==
        R"({"max-length":10,"message-ttl":60000})");
}

TEST_CASE("an operator's policy stands beside the policy") {
  Fixture f;
  f.add_running({"a"});
  QueueId queue = f.declare("orders", "a");
  f.set_policy("p", "^o", R"({"max-length":5})");
  Policy policy{f.name("p"), "^o", R"({"max-length":3})", 0, AppliesTo::all};
  f.must(SetOperatorPolicy{policy});
  CHECK(f.changes_of<QueuePlaced>().size() == 1);
  CHECK(f.queue(queue).policy == "p");
  CHECK(f.queue(queue).operator_policy == "p");
  CHECK(f.catalog.policy_of(f.queue(queue))->max_length == 5);
  CHECK(f.catalog.operator_policy_of(f.queue(queue))->max_length == 3);
  CHECK(f.queue(f.declare("other", "a")).operator_policy == "p");
  f.must(SetOperatorPolicy{policy});
  CHECK(f.changes.empty());

  Catalog copy;
  REQUIRE(copy.restore(f.catalog.snapshot()));
  CHECK(copy.operator_policy_of(*copy.find_queue(queue))->max_length == 3);

  f.must(SetOperatorPolicy{{f.name("x"), "^o", R"({"expires":3})", 9, AppliesTo::exchanges}});
  CHECK(f.queue(queue).operator_policy == "p");
  f.must(ClearOperatorPolicy{f.name("p")});
  CHECK(f.queue(queue).operator_policy.empty());
  CHECK(f.catalog.operator_policy_of(f.queue(queue)) == nullptr);
  CHECK(f.queue(queue).policy == "p");
  CHECK(f.refused(ClearOperatorPolicy{f.name("p")}).code == ErrorCode::not_found);
  policy.definition = R"({"dead-letter-exchange":"x"})";
  CHECK(f.refused(SetOperatorPolicy{policy}).code == ErrorCode::invalid_argument);
}

TEST_CASE("global parameters") {
  Fixture f;
  CHECK(f.catalog.global_parameter("cluster_name") == "");
  f.must(SetGlobalParameter{"cluster_name", "warren"});
  CHECK(f.catalog.global_parameter("cluster_name") == "warren");
  f.must(SetGlobalParameter{"cluster_name", ""});
  CHECK(f.catalog.global_parameters().empty());
}

TEST_CASE("exchanges that are not durable last until no node runs") {
  Fixture f;
  f.add_running({"a", "b"});
  f.declare_exchange("durable");
  Exchange transient;
  transient.name = f.name("transient");
  transient.type = "direct";
  f.must(DeclareExchange{transient});
  f.must(NodesDown{{{"a", Incarnation{1}}}});
  f.must(NodeUp{"a", Incarnation{2}});
  CHECK(f.has_exchange("transient"));
  f.must(NodesDown{{{"b", Incarnation{1}}}});
  f.must(NodeUp{"a", Incarnation{3}});  // it was the last, and nobody saw it go
  CHECK_FALSE(f.has_exchange("transient"));
  CHECK(f.has_exchange("durable"));
  CHECK(f.has_exchange("amq.direct"));
}

TEST_CASE("members") {
  Fixture f;
  f.must(AddNode{"a", NodeKind::disc, "u1"});
  CHECK(f.changes_of<NodeChanged>().size() == 1);
  CHECK_FALSE(f.catalog.find_node("a")->running);
  f.must(AddNode{"a", NodeKind::ram, "u1"});
  CHECK(f.catalog.find_node("a")->kind == NodeKind::disc);
  CHECK(f.refused(AddNode{"a", NodeKind::disc, "u2"}).code == ErrorCode::already_exists);
  f.must(SetNodeKind{"a", NodeKind::ram});
  CHECK(f.catalog.find_node("a")->kind == NodeKind::ram);
  f.must(NodeUp{"a", Incarnation{3}});
  CHECK(f.refused(ForgetNode{"a"}) ==
        base::Error{ErrorCode::not_allowed,
                    "RabbitMQ on node a must be stopped with 'rabbitmqctl -n a stop_app' before "
                    "it can be removed"});
  f.must(NodesDown{{{"a", Incarnation{2}}}});
  CHECK(f.catalog.find_node("a")->running);
  f.must(NodeUp{"a", Incarnation{2}});
  CHECK(f.catalog.find_node("a")->incarnation == Incarnation{3});
  f.must(NodesDown{{{"a", Incarnation{3}}}});
  CHECK_FALSE(f.catalog.find_node("a")->running);
  f.must(ForgetNode{"a"});
  CHECK(f.refused(ForgetNode{"a"}) ==
        base::Error{ErrorCode::not_found, "The node selected is not in the cluster."});
  CHECK(f.refused(NodeUp{"a", Incarnation{4}}).code == ErrorCode::not_found);
}
