#include "server/environment.h"

#include <doctest/doctest.h>

using namespace warren;
using namespace warren::server;

namespace {

Host user_host() {
  Host host;
  host.short_name = "vm";
  host.full_name = "vm.example.org";
  host.user_home = "/home/bunny";
  return host;
}

Host root_host() {
  Host host = user_host();
  host.user_home = "/root";
  host.is_root = host.can_write_state = host.can_write_config = true;
  return host;
}

/// Without the files of this machine.
Variables bare(Variables more = {}) {
  more.emplace("RABBITMQ_CONF_ENV_FILE", "/nonexistent/rabbitmq-env.conf");
  more.emplace("RABBITMQ_CONFIG_FILE", "/nonexistent/rabbitmq");
  return more;
}

}  // namespace

TEST_CASE("root has its state where RabbitMQ has it") {
  auto environment = Environment::resolve(bare(), root_host());
  REQUIRE(environment);
  CHECK(environment->node_name == "rabbit@vm");
  CHECK(environment->data_dir == "/var/lib/rabbitmq/mnesia/rabbit@vm");
  CHECK(environment->pid_file == "/var/lib/rabbitmq/mnesia/rabbit@vm.pid");
  CHECK(environment->log_file == "/var/log/rabbitmq/rabbit@vm.log");
  CHECK(environment->enabled_plugins_file == "/etc/rabbitmq/enabled_plugins");
  CHECK(environment->cookie_file == "/root/.erlang.cookie");
  CHECK(!environment->node_port);
}

TEST_CASE("a user without rights has its state at home") {
  auto environment = Environment::resolve(bare(), user_host());
  REQUIRE(environment);
  CHECK(environment->data_dir == "/home/bunny/.warren/data/rabbit@vm");
  CHECK(environment->log_file == "/home/bunny/.warren/log/rabbit@vm.log");
  CHECK(environment->enabled_plugins_file == "/home/bunny/.warren/enabled_plugins");
}

TEST_CASE("variables win over defaults") {
  auto environment = Environment::resolve(
      bare({{"RABBITMQ_NODENAME", "rabbit1"},
            {"RABBITMQ_NODE_PORT", "5673"},
            {"RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1"},
            {"RABBITMQ_DIST_PORT", "30000"},
            {"RABBITMQ_MNESIA_BASE", "/data"},
            {"RABBITMQ_LOG_BASE", "/logs"},
            {"RABBITMQ_ERLANG_COOKIE", "SECRET"},
            {"RABBITMQ_SERVER_START_ARGS", "-rabbitmq_management listener [{port,15673}]"},
            {"ERL_EPMD_PORT", "4370"},
            {"ERL_EPMD_ADDRESS", "127.0.0.1,10.0.0.1"},
            {"HOME", "/tmp/home"}}),
      root_host());
  REQUIRE(environment);
  CHECK(environment->node_name == "rabbit1@vm");
  CHECK(environment->node_short_name() == "rabbit1");
  CHECK(environment->node_port == 5673);
  CHECK(environment->node_ip_address == "127.0.0.1");
  CHECK(environment->dist_port == 30000);
  CHECK(environment->data_dir == "/data/rabbit1@vm");
  CHECK(environment->pid_file == "/data/rabbit1@vm.pid");
  CHECK(environment->log_file == "/logs/rabbit1@vm.log");
  CHECK(environment->cookie == "SECRET");
  CHECK(environment->cookie_file == "/tmp/home/.erlang.cookie");
  CHECK(environment->epmd_port == 4370);
  CHECK(environment->epmd_addresses == std::vector<std::string>{"127.0.0.1", "10.0.0.1"});
}

TEST_CASE("a cookie among the arguments wins") {
  auto environment =
      Environment::resolve(bare({{"RABBITMQ_ERLANG_COOKIE", "SECRET"},
                                 {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-setcookie OTHER"},
                                 {"RABBITMQ_SERVER_START_ARGS", "-rabbit heartbeat 10"}}),
                           user_host());
  REQUIRE(environment);
  CHECK(environment->cookie == "OTHER");
  CHECK(environment->start_args == "-setcookie OTHER -rabbit heartbeat 10");
}

TEST_CASE("values that make no sense are refused by name") {
  auto port = Environment::resolve(bare({{"RABBITMQ_NODE_PORT", "many"}}), user_host());
  REQUIRE(!port);
  CHECK(port.error().text == "RABBITMQ_NODE_PORT is not a port number: 'many'");
  CHECK(!Environment::resolve(bare({{"RABBITMQ_NODENAME", "a@b@c"}}), user_host()));
  CHECK(!Environment::resolve(bare({{"RABBITMQ_NODENAME", "../x"}}), user_host()));
  CHECK(!Environment::resolve(bare({{"ERL_EPMD_PORT", "0"}}), user_host()));
}

TEST_CASE("a node name gets the short host") {
  CHECK(*complete_node_name("rabbit2", user_host()) == "rabbit2@vm");
  CHECK(*complete_node_name("rabbit2@other", user_host()) == "rabbit2@other");
  CHECK(!complete_node_name("", user_host()));
  CHECK(!complete_node_name("@vm", user_host()));
  CHECK(!complete_node_name("a b", user_host()));
}

TEST_CASE("this machine's own names are dialled on the loopback") {
  CHECK(dialled_host("a@vm", user_host()) == "127.0.0.1");
  CHECK(dialled_host("a@vm.example.org", user_host()) == "127.0.0.1");
  CHECK(dialled_host("a@localhost", user_host()) == "127.0.0.1");
  CHECK(dialled_host("a@other", user_host()) == "other");
}

TEST_CASE("rabbitmq-env.conf is read as a shell reads it") {
  auto found = parse_env_file(
      "# comment\n"
      "NODENAME=rabbit7\n"
      "  export NODE_PORT=5680 # trailing\n"
      "LOG_BASE=\"/logs/$NODENAME\"\n"
      "MNESIA_BASE='/data/$NODENAME'\n"
      "RABBITMQ_PID_FILE=${HOME}/x.pid\r\n"
      "if [ -f x ]; then\n"
      "EMPTY=\n",
      {{"HOME", "/root"}});
  CHECK(found["NODENAME"] == "rabbit7");
  CHECK(found["NODE_PORT"] == "5680");
  CHECK(found["LOG_BASE"] == "/logs/rabbit7");
  CHECK(found["MNESIA_BASE"] == "/data/$NODENAME");
  CHECK(found["PID_FILE"] == "/root/x.pid");
  CHECK(found["EMPTY"].empty());
  CHECK(parse_env_file("A=${", {}).size() == 1);
  CHECK(parse_env_file("A=$", {})["A"] == "$");
}
