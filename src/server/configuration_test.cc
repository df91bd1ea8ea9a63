#include "server/configuration.h"

#include <doctest/doctest.h>

using namespace warren;
using namespace warren::server;

namespace {

Configuration read(std::string_view text) {
  Configuration configuration;
  auto result = read_conf(text, "rabbitmq.conf", configuration);
  REQUIRE_MESSAGE(result, (result ? "" : result.error().text));
  return configuration;
}

std::string refusal(std::string_view text) {
  Configuration configuration;
  auto result = read_conf(text, "rabbitmq.conf", configuration);
  REQUIRE(!result);
  CHECK(result.error().code == base::ErrorCode::invalid_argument);
  return result.error().text;
}

}  // namespace

TEST_CASE("rabbitmq.conf sets what it names and leaves the rest") {
  auto configuration = read(
      "# a comment\n"
      "\n"
      "listeners.tcp.default = 5673\n"
      "listeners.tcp.local = 127.0.0.1:5674   # and one more\n"
      "listeners.tcp.six = [::1]:5675\r\n"
      "management.tcp.port=15673\n"
      "management.tcp.ip = 127.0.0.1\n"
      "heartbeat = 10\n"
      "channel_max = 100\n"
      "log.file.level = debug\n"
      "default_user = 'bunny'\n"
      "vm_memory_high_watermark.relative = 0.6\n"
      "disk_free_limit.absolute = 2GB\n"
      "cluster_name = test cluster\n");
  REQUIRE(configuration.amqp_listeners);
  CHECK(*configuration.amqp_listeners ==
        std::vector<ListenAddress>{{"", 5673}, {"127.0.0.1", 5674}, {"::1", 5675}});
  CHECK(configuration.management == ListenAddress{"127.0.0.1", 15673});
  CHECK(configuration.heartbeat_s == 10);
  CHECK(configuration.channel_max == 100);
  CHECK(configuration.log_level == base::LogLevel::debug);
  CHECK(configuration.default_user == "bunny");
  CHECK(configuration.default_pass == "guest");
  CHECK(configuration.memory_watermark == doctest::Approx(0.6));
  CHECK(configuration.disk_free_limit == 2'000'000'000);
  CHECK(configuration.cluster_name == "test cluster");
  CHECK(configuration.loopback_users.contains("guest"));
}

TEST_CASE("listeners and loopback users can be turned off") {
  CHECK(read("listeners.tcp = none").amqp_listeners->empty());
  CHECK(read("loopback_users = none").loopback_users.empty());
  CHECK(read("loopback_users.guest = false").loopback_users.empty());
  CHECK(read("loopback_users.other = true").loopback_users.size() == 2);
}

TEST_CASE("a setting of RabbitMQ without use here is noted, an unknown one is refused") {
  auto configuration = read("cluster_partition_handling = ignore\nssl_options.verify = none\n");
  CHECK(configuration.unused_keys ==
        std::vector<std::string>{"cluster_partition_handling", "ssl_options.verify"});
  CHECK(refusal("heartbeat = 10\n\nheartbeet = 10\n") ==
        "rabbitmq.conf, line 3: heartbeet: there is no setting named 'heartbeet'");
}

TEST_CASE("nonsense is refused with its line") {
  CHECK(refusal("heartbeat = often\n") ==
        "rabbitmq.conf, line 1: heartbeat: 'often' is not a number from 0 to 65535");
  CHECK(refusal("heartbeat\n") == "rabbitmq.conf, line 1: expected 'key = value'");
  CHECK(refusal("listeners.tcp.default = 70000") ==
        "rabbitmq.conf, line 1: listeners.tcp.default: '70000' is not a port, or an address and a "
        "port");
  CHECK(refusal("vm_memory_high_watermark.relative = 7").find("line 1") != std::string::npos);
  CHECK(refusal("log.console = maybe").find("true or false") != std::string::npos);
}

TEST_CASE("the classic configuration file is read too") {
  Configuration configuration;
  auto result = read_classic_config(
      "%% comment\n"
      "[{rabbit, [{tcp_listeners, [5673, {\"127.0.0.1\", 5674}]},\n"
      "           {heartbeat, 30}, {loopback_users, []},\n"
      "           {vm_memory_high_watermark, 0.5}, {hipe_compile, false}]},\n"
      " {rabbitmq_management, [{listener, [{port, 15680}, {ip, \"127.0.0.1\"}]}]},\n"
      " {kernel, [{inet_dist_listen_min, 40000}]}].\n",
      "rabbitmq.config", configuration);
  REQUIRE(result);
  CHECK(*configuration.amqp_listeners ==
        std::vector<ListenAddress>{{"", 5673}, {"127.0.0.1", 5674}});
  CHECK(configuration.heartbeat_s == 30);
  CHECK(configuration.loopback_users.empty());
  CHECK(configuration.memory_watermark == doctest::Approx(0.5));
  CHECK(configuration.management == ListenAddress{"127.0.0.1", 15680});
  CHECK(configuration.dist_port == 40000);
  CHECK(configuration.unused_keys == std::vector<std::string>{"rabbit.hipe_compile"});
  CHECK(!read_classic_config("[{rabbit, [{heartbeat, often}]}].", "x", configuration));
  CHECK(!read_classic_config("[{rabbit", "x", configuration));
  CHECK(!read_classic_config("{rabbit, 1}.", "x", configuration));
}

TEST_CASE("start arguments move the management port") {
  Configuration configuration;
  auto settings = codec::erlang::parse_start_args("-rabbitmq_management listener [{port,15673}]");
  REQUIRE(settings);
  REQUIRE(apply_settings(*settings, configuration));
  CHECK(configuration.management.port == 15673);
}

TEST_CASE("sizes have units") {
  CHECK(parse_size("1000") == 1000);
  CHECK(parse_size("50MB") == 50'000'000);
  CHECK(parse_size("1 GiB") == 1u << 30);
  CHECK(parse_size("2k") == 2048);
  CHECK(!parse_size("many"));
  CHECK(!parse_size("1XB"));
  CHECK(!parse_size("99999999999999999999"));
  CHECK(!parse_size("99999999999TB"));
}
