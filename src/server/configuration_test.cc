#include "server/configuration.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

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
      "consumer_timeout = 60000\n"
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
  CHECK(configuration.consumer_timeout_ms == 60000);
  CHECK(configuration.log_level == base::LogLevel::debug);
  CHECK(configuration.default_user == "bunny");
  CHECK(configuration.default_pass == "guest");
  CHECK(configuration.memory_watermark == doctest::Approx(0.6));
  CHECK(configuration.disk_free_limit == 2'000'000'000);
  CHECK(configuration.cluster_name == "test cluster");
  CHECK(configuration.loopback_users.contains("guest"));
}

TEST_CASE("authentication back ends: the internal one, and no other") {
  const AuthLinkConfig internal{"internal", {"internal"}};
  const auto chain = read("auth_backends.10 = internal\nauth_backends.2.authn = internal\n"
                          "auth_backends.3.authz = rabbit_auth_backend_internal")
                         .auth_backends;
  CHECK(chain == std::map<std::uint32_t, AuthLinkConfig>{{2, internal}, {3, internal},
                                                         {10, internal}});
  CHECK(refusal("auth_backends.1 = ldap") ==
        "rabbitmq.conf, line 1: auth_backends.1: there is no authentication back end 'ldap' here, "
        "only 'internal': take it out, and make the users with 'rabbitmqctl add_user' and "
        "'set_permissions'");
  CHECK(refusal("auth_backends.1.both = internal").find("1.authz") != std::string::npos);
  CHECK(refusal("auth_backends.first = internal").find("line 1") != std::string::npos);
  CHECK(read("disk_free_limit.relative = 1.5").disk_free_share == doctest::Approx(1.5));
}

TEST_CASE("what the first user is and may do") {
  CHECK(!read("").default_user_tags);
  const auto named = read(
      "default_user_tags.monitoring = true\ndefault_user_tags.administrator = false\n"
      "default_permissions.configure = ^mine\ndefault_permissions.read = ^r\n"
      "default_permissions.write = ^w");
  CHECK(named.default_user_tags == std::vector<std::string>{"monitoring"});
  CHECK(named.default_permissions == std::array<std::string, 3>{"^mine", "^w", "^r"});
  CHECK(refusal("default_user_tags.x = maybe").find("line 1") != std::string::npos);

  Configuration classic;
  CHECK(read_classic_config("[{rabbit, [{default_user_tags, [management]},\n"
                            "  {default_permissions, [<<\"c\">>, <<\"w\">>, <<\"r\">>]}]}].",
                            "x", classic));
  CHECK(classic.default_user_tags == std::vector<std::string>{"management"});
  CHECK(classic.default_permissions == std::array<std::string, 3>{"c", "w", "r"});
  CHECK(!read_classic_config("[{rabbit, [{default_permissions, [<<\"c\">>]}]}].", "x", classic));
}

TEST_CASE("listeners and loopback users can be turned off") {
  CHECK(read("listeners.tcp = none").amqp_listeners->empty());
  CHECK(read("loopback_users = none").loopback_users.empty());
  CHECK(read("loopback_users.guest = false").loopback_users.empty());
  CHECK(read("loopback_users.other = true").loopback_users.size() == 2);
}

TEST_CASE("a setting of RabbitMQ without use here is noted, an unknown one is refused") {
  auto configuration = read("cluster_partition_handling = ignore\ncollect_statistics = none\n");
  CHECK(configuration.unused_keys ==
        std::vector<std::string>{"cluster_partition_handling", "collect_statistics"});
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

TEST_CASE("listeners with TLS, and what all listeners ask for") {
  auto configuration = read(
      "listeners.ssl.default = 5671\n"
      "listeners.ssl.local = ::1:5670\n"
      "listeners.tcp.all = :::5672\n"
      "ssl_options.cacertfile = /etc/ca.pem\n"
      "ssl_options.certfile = /etc/server.pem\n"
      "ssl_options.keyfile = /etc/server.key\n"
      "ssl_options.password = secret\n"
      "ssl_options.verify = verify_peer\n"
      "ssl_options.fail_if_no_peer_cert = true\n"
      "ssl_options.depth = 2\n"
      "ssl_options.versions.1 = tlsv1.3\n"
      "ssl_options.versions.2 = tlsv1.2\n"
      "ssl_options.ciphers.1 = TLS_AES_128_GCM_SHA256\n"
      "ssl_options.honor_cipher_order = true\n"
      "ssl_options.secure_renegotiate = true\n"
      "ssl_handshake_timeout = 7000\n"
      "ssl_cert_login_from = subject_alternative_name\n"
      "ssl_cert_login_san_type = email\n"
      "ssl_cert_login_san_index = 1\n"
      "auth_mechanisms.1 = EXTERNAL\n"
      "proxy_protocol = true\n"
      "connection_max = 100\n"
      "tcp_listen_options.backlog = 4096\n"
      "tcp_listen_options.nodelay = false\n"
      "tcp_listen_options.sndbuf = 196608\n"
      "tcp_listen_options.exit_on_close = false\n"
      "num_acceptors.ssl = 20\n"
      "management.ssl.port = 15671\n"
      "management.ssl.certfile = /etc/http.pem\n");
  const ListenerConfig& listeners = configuration.listeners;
  CHECK(listeners.amqp_tls == std::vector<ListenAddress>{{"", 5671}, {"::1", 5670}});
  CHECK(*configuration.amqp_listeners == std::vector<ListenAddress>{{"", 5672}});
  CHECK(listeners.tls.ca_file == "/etc/ca.pem");
  CHECK(listeners.tls.certificate_file == "/etc/server.pem");
  CHECK(listeners.tls.key_file == "/etc/server.key");
  CHECK(listeners.tls.password == "secret");
  CHECK(listeners.tls.verify_peer);
  CHECK(listeners.tls.fail_if_no_peer_cert);
  CHECK(listeners.tls.honor_cipher_order);
  CHECK(listeners.tls.depth == 2);
  CHECK(listeners.tls.versions == std::vector<std::string>{"tlsv1.3", "tlsv1.2"});
  CHECK(listeners.tls.ciphers == std::vector<std::string>{"TLS_AES_128_GCM_SHA256"});
  CHECK(listeners.tls_handshake_timeout_ms == 7000);
  CHECK(listeners.certificate_login.from == CertificateLogin::From::subject_alternative_name);
  CHECK(listeners.certificate_login.san_type == net::Certificate::NameType::email);
  CHECK(listeners.certificate_login.san_index == 1);
  CHECK(listeners.auth_mechanisms == std::vector<std::string>{"EXTERNAL"});
  CHECK(listeners.proxy_protocol);
  CHECK(listeners.connection_max == 100);
  CHECK(listeners.socket.backlog == 4096);
  CHECK(!listeners.socket.no_delay);
  CHECK(listeners.socket.send_buffer == 196608);
  CHECK(listeners.management_tls == std::vector<ListenAddress>{{"", 15671}});
  CHECK(!listeners.has_management_tcp);
  CHECK(listeners.tls_of_management().certificate_file == "/etc/http.pem");
  CHECK(refusal("ssl_options.verify = perhaps") ==
        "rabbitmq.conf, line 1: ssl_options.verify: 'perhaps' is not verify_peer or verify_none");
}

TEST_CASE("certificates by the host that is asked for") {
  auto configuration = read(
      "ssl_options.certfile = /etc/server.pem\n"
      "ssl_options.sni_hosts.Mq.Example.org.certfile = /etc/mq.pem\n"
      "ssl_options.sni_hosts.mq.example.org.keyfile = /etc/mq.key\n"
      "ssl_options.sni_hosts.other.certfile = /etc/other.pem\n");
  const auto& hosts = configuration.listeners.tls.hosts;
  REQUIRE(hosts.size() == 2);
  CHECK(hosts.at("mq.example.org").certificate_file == "/etc/mq.pem");
  CHECK(hosts.at("mq.example.org").key_file == "/etc/mq.key");
  CHECK(hosts.at("other").certificate_file == "/etc/other.pem");
  CHECK(refusal("ssl_options.sni_hosts.a.verify = verify_peer") ==
        "rabbitmq.conf, line 1: ssl_options.sni_hosts.a.verify: 'verify' is not certfile, keyfile "
        "or password");

  Configuration classic;
  auto result = read_classic_config(
      "[{rabbit, [{ssl_options, [{certfile, \"/cert\"}, {sni_hosts, [\n"
      "  {\"a.example\", [{certfile, \"/a\"}, {keyfile, \"/a.key\"}, {password, \"p\"}]}]}]}]}].",
      "rabbitmq.config", classic);
  REQUIRE_MESSAGE(result, result.error().text);
  CHECK(classic.listeners.tls.certificate_file == "/cert");
  CHECK(classic.listeners.tls.hosts.at("a.example").certificate_file == "/a");
  CHECK(classic.listeners.tls.hosts.at("a.example").password == "p");
  CHECK(!read_classic_config("[{rabbit, [{ssl_options, [{sni_hosts, [a]}]}]}].", "", classic));
}

TEST_CASE("TLS in the classic configuration file") {
  Configuration configuration;
  auto result = read_classic_config(
      "[{rabbit, [{ssl_listeners, [5671]}, {ssl_cert_login_from, common_name},\n"
      "  {ssl_options, [{cacertfile, \"/ca\"}, {certfile, \"/cert\"}, {keyfile, \"/key\"},\n"
      "    {verify, verify_peer}, {fail_if_no_peer_cert, false}, {depth, 3},\n"
      "    {versions, ['tlsv1.2']}]},\n"
      "  {auth_mechanisms, ['PLAIN', 'EXTERNAL']},\n"
      "  {tcp_listen_options, [{backlog, 256}, {nodelay, true}, {linger, {true, 0}}]},\n"
      "  {connection_max, infinity}, {proxy_protocol, true}]},\n"
      " {rabbitmq_management, [{listener, [{port, 15999}, {ssl, true},\n"
      "    {ssl_opts, [{certfile, \"/http\"}]}]}]}].\n",
      "rabbitmq.config", configuration);
  REQUIRE_MESSAGE(result, result.error().text);
  const ListenerConfig& listeners = configuration.listeners;
  CHECK(listeners.amqp_tls == std::vector<ListenAddress>{{"", 5671}});
  CHECK(listeners.certificate_login.from == CertificateLogin::From::common_name);
  CHECK(listeners.tls.ca_file == "/ca");
  CHECK(listeners.tls.verify_peer);
  CHECK(listeners.tls.depth == 3);
  CHECK(listeners.tls.versions == std::vector<std::string>{"tlsv1.2"});
  CHECK(listeners.auth_mechanisms == std::vector<std::string>{"PLAIN", "EXTERNAL"});
  CHECK(listeners.socket.backlog == 256);
  CHECK(listeners.proxy_protocol);
  CHECK(listeners.management_tls == std::vector<ListenAddress>{{"", 15999}});
  CHECK(listeners.management_tls_options.certificate_file == "/http");
  CHECK(configuration.unused_keys.empty());
}

TEST_CASE("the classic configuration file is read too") {
  Configuration configuration;
  auto result = read_classic_config(
      "%% comment\n"
      "[{rabbit, [{tcp_listeners, [5673, {\"127.0.0.1\", 5674}]},\n"
      "           {heartbeat, 30}, {loopback_users, []},\n"
      "           {vm_memory_high_watermark, 0.5}, {hipe_compile, false},\n"
      "           {disk_free_limit, {mem_relative, 2.0}},\n"
      "           {auth_backends, [{rabbit_auth_backend_internal,\n"
      "         [rabbit_auth_backend_internal, rabbit_auth_backend_internal]}]}]},\n"
      " {rabbitmq_management, [{listener, [{port, 15680}, {ip, \"127.0.0.1\"}]}]},\n"
      " {kernel, [{inet_dist_listen_min, 40000}]}].\n",
      "rabbitmq.config", configuration);
  REQUIRE(result);
  CHECK(*configuration.amqp_listeners ==
        std::vector<ListenAddress>{{"", 5673}, {"127.0.0.1", 5674}});
  CHECK(configuration.heartbeat_s == 30);
  CHECK(configuration.loopback_users.empty());
  CHECK(configuration.memory_watermark == doctest::Approx(0.5));
  CHECK(configuration.disk_free_share == doctest::Approx(2.0));
  CHECK(configuration.management == ListenAddress{"127.0.0.1", 15680});
  CHECK(configuration.dist_port == 40000);
  CHECK(configuration.unused_keys == std::vector<std::string>{"rabbit.hipe_compile"});
  CHECK(configuration.auth_backends ==
        std::map<std::uint32_t, AuthLinkConfig>{{0, {"internal", {"internal", "internal"}}}});
  for (const char* chain : {"[rabbit_auth_backend_ldap]", "[{rabbit_auth_backend_internal, []}]",
                            "[{rabbit_auth_backend_internal, rabbit_auth_backend_http}]", "[1]"})
    CHECK(!read_classic_config(fmt::format("[{{rabbit, [{{auth_backends, {}}}]}}].", chain), "x",
                               configuration));
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

TEST_CASE("the name of a certificate's user follows the rule") {
  using enum net::Certificate::NameType;
  net::Certificate certificate;
  certificate.subject = "CN=b,CN=a,O=Warren";
  certificate.common_names = {"a", "b"};
  certificate.alternative_names = {{dns, "first"}, {email, "a@b"}, {dns, "second"}};
  CertificateLogin rule;
  CHECK(certificate_user(certificate, rule) == "CN=b,CN=a,O=Warren");
  rule.from = CertificateLogin::From::common_name;
  CHECK(certificate_user(certificate, rule) == "a,b");
  rule.from = CertificateLogin::From::subject_alternative_name;
  CHECK(certificate_user(certificate, rule) == "first");
  rule.san_index = 1;
  CHECK(certificate_user(certificate, rule) == "second");
  rule.san_type = email;
  CHECK(certificate_user(certificate, rule) == "");
}
