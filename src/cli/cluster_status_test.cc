#include "cli/cluster_status.h"

#include <doctest/doctest.h>

#include <string>

using namespace warren::cli;
using warren::management::JsonArray;
using warren::management::JsonObject;

namespace {

JsonObject facts_of_two() {
  const JsonObject version{{"erlang_version", "25.2.3"},
                           {"rabbitmq_name", "RabbitMQ"},
                           {"rabbitmq_version", "3.10.8"}};
  const JsonObject listener{{"interface", "[::]"},
                            {"node", "rabbit1@vm"},
                            {"port", 5672},
                            {"protocol", "amqp"},
                            {"purpose", "AMQP 0-9-1 and AMQP 1.0"}};
  return {{"alarms", JsonArray{}},
          {"cluster_name", "rabbit1@vm"},
          {"disk_nodes", JsonArray{"rabbit1@vm"}},
          {"feature_flags", JsonArray{JsonObject{{"name", "quorum_queue"}, {"state", "enabled"}}}},
          {"listeners", JsonObject{{"rabbit1@vm", JsonArray{listener}}}},
          {"maintenance_status", JsonObject{{"rabbit1@vm", "not under maintenance"}}},
          {"partitions", JsonObject{}},
          {"ram_nodes", JsonArray{"rabbit3@vm"}},
          {"running_nodes", JsonArray{"rabbit1@vm", "rabbit3@vm"}},
          {"versions", JsonObject{{"rabbit1@vm", version}}}};
}

}  // namespace

TEST_CASE("cluster_status has the sections that people know") {
  CHECK(cluster_status_text(facts_of_two()) ==
        "\x1b[1mBasics\x1b[0m\n\nCluster name: rabbit1@vm\n\n"
        "\x1b[1mDisk Nodes\x1b[0m\n\nrabbit1@vm\n\n"
        "\x1b[1mRAM Nodes\x1b[0m\n\nrabbit3@vm\n\n"
        "\x1b[1mRunning Nodes\x1b[0m\n\nrabbit1@vm\nrabbit3@vm\n\n"
        "\x1b[1mVersions\x1b[0m\n\nrabbit1@vm: RabbitMQ 3.10.8 on Erlang 25.2.3\n\n"
        "\x1b[1mMaintenance status\x1b[0m\n\nNode: rabbit1@vm, status: not under maintenance\n\n"
        "\x1b[1mAlarms\x1b[0m\n\n(none)\n\n"
        "\x1b[1mNetwork Partitions\x1b[0m\n\n(none)\n\n"
        "\x1b[1mListeners\x1b[0m\n\nNode: rabbit1@vm, interface: [::], port: 5672, "
        "protocol: amqp, purpose: AMQP 0-9-1 and AMQP 1.0\n\n"
        "\x1b[1mFeature flags\x1b[0m\n\nFlag: quorum_queue, state: enabled");
}

TEST_CASE("the Erlang form names disc and ram nodes, and quotes where Erlang does") {
  CHECK(cluster_status_term(facts_of_two()) ==
        "[{nodes,[{disc,[rabbit1@vm]},{ram,[rabbit3@vm]}]},\n"
        " {running_nodes,[rabbit1@vm,rabbit3@vm]},\n"
        " {cluster_name,<<\"rabbit1@vm\">>},\n"
        " {partitions,[]},\n"
        " {alarms,[{rabbit1@vm,[]},{rabbit3@vm,[]}]}]");
  JsonObject facts = facts_of_two();
  facts["disk_nodes"] = JsonArray{"node1@tester-VirtualBox", "node2@tester-VirtualBox"};
  facts["ram_nodes"] = JsonArray{};
  facts["running_nodes"] = JsonArray{"node1@tester-VirtualBox"};
  facts["cluster_name"] = "node1@tester-VirtualBox";
  CHECK(cluster_status_term(facts) ==
        "[{nodes,[{disc,['node1@tester-VirtualBox','node2@tester-VirtualBox']}]},\n"
        " {running_nodes,['node1@tester-VirtualBox']},\n"
        " {cluster_name,<<\"node1@tester-VirtualBox\">>},\n"
        " {partitions,[]},\n"
        " {alarms,[{'node1@tester-VirtualBox',[]}]}]");
}

TEST_CASE("alarms and partitions are shown where there are any") {
  JsonObject facts = facts_of_two();
  facts["alarms"] = JsonArray{JsonObject{{"node", "rabbit1@vm"}, {"resource", "memory"}}};
  facts["partitions"] = JsonObject{{"rabbit1@vm", JsonArray{"rabbit2@vm"}}};
  const std::string text = cluster_status_text(facts);
  CHECK(text.find("Memory alarm on node rabbit1@vm") != std::string::npos);
  CHECK(text.find("Node rabbit1@vm cannot communicate with rabbit2@vm") != std::string::npos);
  CHECK(cluster_status_term(facts).find("{rabbit1@vm,[memory]}") != std::string::npos);
}
