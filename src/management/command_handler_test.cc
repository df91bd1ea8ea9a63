#include "management/command_handler.h"

#include <doctest/doctest.h>

#include "management/fake_operations.h"
#include "management/json.h"

using namespace warren;
using namespace warren::management;

namespace {

struct Fixture {
  FakeOperations operations;
  CommandHandler handler{operations};

  JsonObject run(std::string command, std::vector<std::string> words = {},
                 std::string vhost = "/", JsonObject options = {}) {
    JsonArray arguments;
    for (const std::string& word : words) arguments.push_back(text_json(word));
    std::string answer;
    handler.execute(print_json(JsonObject{{"command", text_json(command)},
                                          {"vhost", text_json(vhost)},
                                          {"arguments", std::move(arguments)},
                                          {"options", std::move(options)}}),
                    [&](std::string reply) { answer = std::move(reply); });
    operations.run();
    auto parsed = parse_json(answer);
    REQUIRE(parsed.has_value());
    return parsed->get_object();
  }
  std::string rows(const std::string& command, std::vector<std::string> words = {}) {
    JsonObject reply = run(command, std::move(words));
    REQUIRE(reply.contains("rows"));
    return print_json(reply["rows"]);
  }
  void declare(const char* name) {
    catalog::Queue queue;
    queue.name = {"/", name};
    queue.durable = true;
    queue.leader = operations.node_name();
    REQUIRE(operations.apply(catalog::DeclareQueue{queue}).has_value());
  }
};

void check_failure(const JsonObject& reply, int exit, std::string_view kind,
                   std::string_view text) {
  CHECK(member_text(reply, "status") == "error");
  CHECK(member_integer(reply, "exit") == exit);
  CHECK(member_text(reply, "kind") == kind);
  CHECK(member_text(reply, "text") == text);
}

void check_ok(const JsonObject& reply) { CHECK(member_text(reply, "status") == "ok"); }

}  // namespace

TEST_CASE_FIXTURE(Fixture, "requests that make no sense are refused") {
  std::string answer;
  handler.execute("{nonsense", [&](std::string reply) { answer = reply; });
  CHECK(answer.find("\"exit\":70") != std::string::npos);
  CHECK(member_integer(run("no_such_command"), "exit") == 64);
  CHECK(member_text(run("add_user", {"a"}), "kind") == "argument");
}

TEST_CASE_FIXTURE(Fixture, "users are added, tagged, listed and deleted") {
  check_ok(run("add_user", {"alice", "secret"}));
  check_failure(run("add_user", {"alice", "secret"}), 70, "failed",
                "User \"alice\" already exists");
  check_ok(run("set_user_tags", {"alice", "administrator", "monitoring"}));
  check_failure(run("set_user_tags", {"nosuch", "x"}), 67, "failed",
                "User \"nosuch\" does not exist");
  CHECK(rows("list_users") ==
        "[[\"alice\",[{\"atom\":\"administrator\"},{\"atom\":\"monitoring\"}]],"
        "[\"guest\",[{\"atom\":\"administrator\"}]]]");
  CHECK(member_text(run("authenticate_user", {"alice", "secret"}), "text") == "Success");
  check_failure(run("authenticate_user", {"alice", "wrong"}), 65, "failed",
                "Error: failed to authenticate user \"alice\"\n"
                "user 'alice' - invalid credentials");
  check_ok(run("delete_user", {"alice"}));
  check_failure(run("delete_user", {"alice"}), 67, "failed", "User \"alice\" does not exist");
}

TEST_CASE_FIXTURE(Fixture, "permissions need a user, a vhost and regular expressions") {
  check_failure(run("set_permissions", {"nosuch", ".*", ".*", ".*"}), 67, "failed",
                "User nosuch does not exist");
  check_failure(run("set_permissions", {"guest", ".*", ".*", ".*"}, "nosuch"), 69, "failed",
                "Virtual host nosuch does not exist");
  check_failure(run("set_permissions", {"guest", "[", ".*", ".*"}), 69, "failed",
                "{:invalid_regexp, '[', {'missing terminating ] for character class', 1}}");
  CHECK(rows("list_permissions") == "[[\"guest\",\".*\",\".*\",\".*\"]]");
  check_failure(run("list_permissions", {}, "nosuch"), 65, "plain",
                "Virtual host 'nosuch' does not exist");
}

TEST_CASE_FIXTURE(Fixture, "topic permissions are set, listed and cleared") {
  check_ok(run("set_topic_permissions", {"guest", "amq.topic", "^a", "^b"}));
  check_ok(run("set_topic_permissions", {"guest", "nosuch", "^c", "^d"}));
  CHECK(rows("list_topic_permissions") ==
        "[[\"guest\",\"amq.topic\",\"^a\",\"^b\"],[\"guest\",\"nosuch\",\"^c\",\"^d\"]]");
  CHECK(rows("list_user_topic_permissions", {"guest"}) ==
        "[[\"/\",\"amq.topic\",\"^a\",\"^b\"],[\"/\",\"nosuch\",\"^c\",\"^d\"]]");
  check_ok(run("clear_topic_permissions", {"guest", "nosuch"}));
  check_ok(run("clear_topic_permissions", {"guest"}));
  CHECK(rows("list_topic_permissions") == "[]");
  check_failure(run("set_topic_permissions", {"nosuch", "x", "", ""}), 67, "failed",
                "User nosuch does not exist");
  check_failure(run("clear_topic_permissions", {"guest"}, "nosuch"), 69, "failed",
                "Virtual host nosuch does not exist");
  check_failure(run("list_user_topic_permissions", {"nosuch"}), 69, "failed",
                "{:no_such_user, \"nosuch\"}");
}

TEST_CASE_FIXTURE(Fixture, "limits of vhosts replace each other, those of users add up") {
  check_failure(run("clear_vhost_limits"), 69, "failed", "Parameter does not exist");
  CHECK(rows("list_vhost_limits") == "[]");
  check_ok(run("set_vhost_limits", {R"({"max-connections":7})"}));
  check_ok(run("set_vhost_limits", {R"({"max-queues":5})"}));
  CHECK(member_text(run("list_vhost_limits"), "text") == R"({"max-queues":5})");
  CHECK(rows("list_parameters") ==
        R"([["vhost-limits","limits","{\"max-queues\":5}"]])");
  check_ok(run("clear_parameter", {"vhost-limits", "limits"}));
  CHECK(rows("list_parameters") == "[]");
  check_failure(run("set_vhost_limits", {R"({"max-foo":5})"}), 69, "failed",
                "Validation failed\n\nUnrecognised terms [{<<\"max-foo\">>,5}] in limits\n");
  check_failure(run("set_vhost_limits", {"max"}), 69, "failed",
                "JSON decoding error. Reason: badarg");
  check_failure(run("set_vhost_limits", {"{}"}, "nosuch"), 65, "plain",
                "Virtual host 'nosuch' does not exist");

  check_ok(run("set_user_limits", {"guest", R"({"max-connections":7})"}));
  check_ok(run("set_user_limits", {"guest", R"({"max-channels":-1})"}));
  CHECK(member_text(run("list_user_limits"), "text") ==
        R"({"max-channels":-1,"max-connections":7})");
  check_ok(run("clear_user_limits", {"guest", "max-connections"}));
  check_ok(run("clear_user_limits", {"guest", "max-foo"}));
  CHECK(member_text(run("list_user_limits"), "text") == R"({"max-channels":-1})");
  check_ok(run("clear_user_limits", {"guest", "all"}));
  CHECK(print_json(run("list_user_limits", {}, "/", {{"global", true}})["rows"]) == "[]");
  check_failure(run("set_user_limits", {"nosuch", "{}"}), 69, "failed",
                "{:no_such_user, \"nosuch\"}");
}

TEST_CASE_FIXTURE(Fixture, "parameters are JSON, and the name of the cluster is one of them") {
  check_ok(run("set_cluster_name", {"mycluster"}));
  check_ok(run("set_global_parameter", {"p", R"({"a" : 1})"}));
  CHECK(rows("list_global_parameters") ==
        R"([["cluster_name","\"mycluster\""],["p","{\"a\":1}"]])");
  check_ok(run("set_global_parameter", {"cluster_name", R"("other")"}));
  CHECK(operations.catalog().global_parameter("cluster_name") == "other");
  check_ok(run("clear_global_parameter", {"p"}));
  check_failure(run("clear_global_parameter", {"p"}), 69, "failed", "Parameter does not exist");
  check_failure(run("set_global_parameter", {"p", "junk"}), 69, "failed",
                "JSON decoding error. Reason: badarg");
  check_failure(run("set_parameter", {"nosuch", "x", "{}"}), 69, "failed",
                "Validation failed\n\ncomponent nosuch not found\n");
}

TEST_CASE_FIXTURE(Fixture, "thresholds are shares or bytes") {
  check_ok(run("set_vm_memory_high_watermark", {}, "/", {{"share", 0.25}}));
  CHECK(operations.memory_watermark.share == doctest::Approx(0.25));
  CHECK(!operations.memory_watermark.is_absolute);
  check_ok(run("set_disk_free_limit", {}, "/", {{"bytes", 5000}}));
  CHECK(operations.disk_free_limit.bytes == 5000);
  CHECK(operations.disk_free_limit.is_absolute);
}

TEST_CASE_FIXTURE(Fixture, "adding a vhost twice is no failure, deleting it twice is") {
  check_ok(run("add_vhost", {"v1"}));
  check_ok(run("add_vhost", {"v1"}));
  CHECK(rows("list_vhosts") == "[[\"/\"],[\"v1\"]]");
  check_ok(run("delete_vhost", {"v1"}));
  check_failure(run("delete_vhost", {"v1"}), 65, "plain", "Virtual host 'v1' does not exist");
}

TEST_CASE_FIXTURE(Fixture, "tracing is on for one vhost until it is turned off") {
  check_ok(run("add_vhost", {"v1"}));
  check_ok(run("trace_on", {}, "v1"));
  CHECK(operations.is_traced("v1"));
  CHECK(!operations.is_traced("/"));
  check_ok(run("trace_off", {}, "v1"));
  CHECK(!operations.is_traced("v1"));
}

TEST_CASE_FIXTURE(Fixture, "queues of a vhost can be classic ones by default, and no others") {
  check_ok(run("add_vhost", {"v1"}, "/", {{"default-queue-type", "classic"}}));
  check_failure(run("add_vhost", {"v2"}, "/", {{"default-queue-type", "quorum"}}), 69, "failed",
                "only classic queues are offered here");
  check_failure(run("add_vhost", {"v2"}, "/", {{"default-queue-type", "fast"}}), 69, "failed",
                "invalid_queue_type");
  CHECK(rows("list_vhosts") == "[[\"/\"],[\"v1\"]]");
}

TEST_CASE_FIXTURE(Fixture, "policies are listed by priority") {
  check_ok(run("set_policy", {"ttl", "^ttl", R"({"message-ttl":60000,"max-length":10})"}, "/",
               {{"priority", 5}, {"apply_to", "queues"}}));
  check_ok(run("set_policy", {"z", "^", R"({"ha-mode":"all"})"}));
  CHECK(rows("list_policies") ==
        "[[\"/\",\"z\",\"^\",\"all\",\"{\\\"ha-mode\\\":\\\"all\\\"}\",0],"
        "[\"/\",\"ttl\",\"^ttl\",\"queues\","
        "\"{\\\"max-length\\\":10,\\\"message-ttl\\\":60000}\",5]]");
  check_failure(run("set_policy", {"bad", "^", R"({"ha-mode":"foo"})"}), 69, "failed",
                "Validation failed\n\n<<\"foo\">> is not a valid ha-mode value\n");
  check_failure(run("set_policy", {"bad", "^", "{}"}, "nosuch"), 65, "plain",
                "Virtual host 'nosuch' does not exist");
  check_ok(run("clear_policy", {"z"}));
  check_failure(run("clear_policy", {"z"}), 69, "failed", "Parameter does not exist");
}

TEST_CASE_FIXTURE(Fixture, "operators have policies of their own") {
  check_ok(run("set_operator_policy", {"o", "^", R"({"max-length":10})"}, "/", {{"priority", 5}}));
  CHECK(rows("list_operator_policies") ==
        "[[\"/\",\"o\",\"^\",\"all\",\"{\\\"max-length\\\":10}\",5]]");
  CHECK(rows("list_policies") == "[]");
  check_failure(run("set_operator_policy", {"bad", "^", R"({"overflow":"drop-head"})"}), 69,
                "failed",
                "Validation failed\n\n[{<<\"overflow\">>,<<\"drop-head\">>}] are not recognised "
                "policy settings\n");
  check_failure(run("set_operator_policy", {"o", "^", R"({"expires":1})"}, "nosuch"), 65, "plain",
                "Virtual host 'nosuch' does not exist");
  check_failure(run("clear_policy", {"o"}), 69, "failed", "Parameter does not exist");
  check_failure(run("clear_operator_policy", {"o"}, "nosuch"), 69, "failed",
                "Parameter does not exist");
  check_ok(run("clear_operator_policy", {"o"}));
  CHECK(rows("list_operator_policies") == "[]");
}

TEST_CASE_FIXTURE(Fixture, "queues are listed with what their leader says") {
  declare("q");
  CHECK(rows("list_queues") == "[[\"q\",0]]");
  CHECK(rows("list_queues", {"name", "durable", "state", "pid", "slave_pids", "arguments"}) ==
        "[[\"q\",true,{\"atom\":\"running\"},{\"pid\":\"rabbit1@vm.17.1.0\"},\"\","
        "{\"table\":[]}]]");
  CHECK(print_json(run("list_queues", {}, "nosuch")["rows"]) == "[]");
}

TEST_CASE_FIXTURE(Fixture, "queues are purged and deleted, and what is missing is named") {
  declare("q");
  check_ok(run("purge_queue", {"q"}));
  check_failure(run("purge_queue", {"nosuch"}), 69, "failed", "not_found");
  CHECK(member_text(run("delete_queue", {"q"}), "text") ==
        "Queue was successfully deleted with 0 ready messages");
  check_failure(run("delete_queue", {"q"}), 64, "failed", "Queue not found");
  check_failure(run("sync_queue", {"q"}), 69, "failed", "not_found");
  CHECK(operations.open_channels() == 0);
}

TEST_CASE_FIXTURE(Fixture, "bindings include those to the default exchange") {
  declare("q");
  CHECK(rows("list_bindings", {"source_name", "destination_name", "routing_key"}) ==
        "[[\"\",\"q\",\"q\"]]");
  CHECK(rows("list_exchanges").find("[\"amq.topic\",{\"atom\":\"topic\"}]") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "commands say whether the application is in their way") {
  check_failure(run("join_cluster", {"rabbit2"}), 64, "app_running",
                "the application runs on this node");
  check_ok(run("stop_app"));
  check_ok(run("stop_app"));
  CHECK(member_text(run("list_queues"), "kind") == "app_stopped");
  CHECK(member_text(run("cluster_status"), "kind") == "app_stopped");
  check_ok(run("start_app"));
}

TEST_CASE_FIXTURE(Fixture, "what joining can lead to") {
  run("stop_app");
  check_failure(run("join_cluster", {"rabbit1"}), 70, "failed",
                "Error: cannot cluster node with itself: rabbit1@vm");
  check_ok(run("join_cluster", {"rabbit2@vm"}));
  operations.outcome = base::fail(base::ErrorCode::already_exists, "");
  CHECK(member_text(run("join_cluster", {"rabbit2@vm"}), "text") ==
        "The node is already a member of this cluster");
  operations.outcome = base::fail(base::ErrorCode::unavailable, "no answer");
  JsonObject reply = run("join_cluster", {"rabbit2"});
  check_failure(reply, 69, "unreachable", "no answer");
  CHECK(member_text(reply, "node") == "rabbit2@vm");
  check_failure(run("change_cluster_node_type", {"foo"}), 65, "argument",
                "Bad argument: The node type must be either disc or ram.");
}

TEST_CASE_FIXTURE(Fixture, "forgetting a node that runs, or is none") {
  operations.outcome = base::fail(base::ErrorCode::not_found, "");
  check_failure(run("forget_cluster_node", {"nosuch@vm"}), 69, "failed",
                "{:not_a_cluster_node, 'The node selected is not in the cluster.'}");
  operations.outcome = base::fail(base::ErrorCode::not_allowed, "");
  check_failure(run("forget_cluster_node", {"rabbit2@vm"}), 69, "failed",
                "RabbitMQ on node rabbit2@vm must be stopped with 'rabbitmqctl -n rabbit2@vm "
                "stop_app' before it can be removed");
}

TEST_CASE_FIXTURE(Fixture, "cluster_status tells who is there") {
  check_ok(run("set_cluster_name", {"mycluster"}));
  JsonObject reply = run("cluster_status");
  JsonObject& facts = reply["value"].get_object();
  CHECK(member_text(facts, "cluster_name") == "mycluster");
  CHECK(print_json(facts["disk_nodes"]) == "[\"rabbit1@vm\"]");
  CHECK(print_json(facts["running_nodes"]) == "[\"rabbit1@vm\"]");
  CHECK(print_json(facts["listeners"]) ==
        "{\"rabbit1@vm\":[{\"interface\":\"[::]\",\"node\":\"rabbit1@vm\",\"port\":5672,"
        "\"protocol\":\"amqp\",\"purpose\":\"AMQP 0-9-1 and AMQP 1.0\"}]}");
}

TEST_CASE_FIXTURE(Fixture, "connections are listed and closed by the pid that is shown") {
  ConnectionInfo connection;
  connection.id = catalog::ConnectionId{5};
  connection.user = "guest";
  connection.vhost = "/";
  connection.state = "running";
  connection.peer.peer_host = "127.0.0.1";
  connection.peer.peer_port = 39614;
  operations.known_connections = {connection};
  CHECK(rows("list_connections") ==
        "[[\"guest\",\"127.0.0.1\",39614,{\"atom\":\"running\"}]]");
  CHECK(rows("list_connections", {"pid"}) == "[[{\"pid\":\"rabbit1@vm.17.5.0\"}]]");
  CHECK(rows("list_connections",
             {"protocol", "vhost", "channel_max", "auth_mechanism", "client_properties"}) ==
        R"([[{"tuple":[0,9,1]},"/",{"atom":"undefined"},{"atom":"none"},{"atom":"none"}]])");

  ConnectionInfo another = connection;
  another.id = catalog::ConnectionId{6};
  another.user = "alice";
  another.vhost = "v";
  operations.known_connections.push_back(another);
  run("close_all_user_connections", {"nobody", "bye"});
  CHECK(operations.closed.empty());
  run("close_all_user_connections", {"alice", "bye"});
  operations.run();
  CHECK(operations.closed == std::vector<catalog::ConnectionId>{another.id});
  CHECK(member_text(run("close_all_connections", {"bye"}), "text") == "Closed 1 connections");
  operations.run();
  CHECK(operations.closed == std::vector<catalog::ConnectionId>{another.id, connection.id});
}
