#include "net/tls.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "net/test_certificates.h"

namespace warren::net {
namespace {

using Context = std::shared_ptr<const TlsContext>;

const TestAuthority::Name client_name = {{"C", "DE"}, {"O", "Warren"}, {"CN", "client"}};

struct World {
  World() {
    authority.issue("server", {{"CN", "server"}}, "DNS:broker.example");
    authority.issue("client", client_name, "DNS:client.example,IP:10.0.0.7,email:c@example.org");
  }

  TlsOptions server_options() const {
    TlsOptions options;
    options.ca_file = authority.ca_file();
    options.certificate_file = authority.path("server.pem");
    options.key_file = authority.path("server.key");
    return options;
  }
  TlsOptions client_options(const std::string& certificate = {}) const {
    TlsOptions options;
    options.ca_file = authority.ca_file();
    options.verify_peer = true;
    if (certificate.empty()) return options;
    options.certificate_file = authority.path(certificate + ".pem");
    options.key_file = authority.path(certificate + ".key");
    return options;
  }

  TestAuthority authority;
};

Context make(TlsContext::Role role, const TlsOptions& options) {
  auto made = TlsContext::make(role, options);
  REQUIRE_MESSAGE(made, made.error().text);
  return *made;
}

/// Two ends and the wire between them, which carries `step` bytes at a time.
struct Pair {
  Pair(const TlsOptions& server_options, const TlsOptions& client_options,
       const std::string& name = "broker.example")
      : server(make(TlsContext::Role::server, server_options)),
        client(make(TlsContext::Role::client, client_options), name) {}

  void run() {
    while (!server.output().empty() || !client.output().empty()) {
      carry(client, server, at_server, server_error);
      carry(server, client, at_client, client_error);
    }
  }
  void carry(Tls& from, Tls& to, base::Bytes& plain, std::string& error) const {
    base::Bytes bytes = std::exchange(from.output(), {});
    for (std::size_t at = 0; at < bytes.size() && error.empty(); at += step) {
      auto fed = to.feed(base::ByteView(bytes).substr(at, step), plain);
      if (!fed) error = fed.error().text;
    }
  }

  Tls server;
  Tls client;
  std::size_t step = SIZE_MAX / 2;
  base::Bytes at_server, at_client;
  std::string server_error, client_error;
};

}  // namespace

TEST_CASE("two ends agree and bytes pass both ways") {
  World world;
  Pair pair(world.server_options(), world.client_options());
  pair.client.send("sent before the handshake is over");
  pair.run();
  REQUIRE(pair.server.is_established());
  REQUIRE(pair.client.is_established());
  CHECK(pair.at_server == "sent before the handshake is over");
  pair.server.send("and back");
  pair.run();
  CHECK(pair.at_client == "and back");
  TlsFacts facts = pair.server.facts();
  CHECK(facts.protocol == "tlsv1.3");
  CHECK(facts.key_exchange == "any");
  CHECK(facts.cipher == "aes_256_gcm");
  CHECK(facts.hash == "aead");
  CHECK(!facts.peer);
}

TEST_CASE("a wire that carries one byte at a time changes nothing") {
  World world;
  Pair pair(world.server_options(), world.client_options());
  pair.step = 1;
  pair.run();
  const base::Bytes long_text(100'000, 'x');
  pair.client.send(long_text);
  pair.run();
  CHECK(pair.at_server == long_text);
}

TEST_CASE("a verified client is known by its certificate") {
  World world;
  TlsOptions server = world.server_options();
  server.verify_peer = server.fail_if_no_peer_cert = true;
  Pair pair(server, world.client_options("client"));
  pair.run();
  REQUIRE(pair.server.is_established());
  const auto peer = pair.server.facts().peer;
  REQUIRE(peer);
  CHECK(peer->subject == "CN=client,O=Warren,C=DE");
  CHECK(peer->issuer == "CN=Test CA");
  CHECK(peer->validity == "2020-01-01T00:00:00Z - 2099-12-31T23:59:59Z");
  CHECK(peer->common_names == std::vector<std::string>{"client"});
  using enum Certificate::NameType;
  CHECK(peer->alternative_name(dns, 0) == "client.example");
  CHECK(peer->alternative_name(ip, 0) == "10.0.0.7");
  CHECK(peer->alternative_name(email, 0) == "c@example.org");
  CHECK(!peer->alternative_name(dns, 1));
}

TEST_CASE("a certificate of a stranger is refused by either side") {
  World world, strangers;
  TlsOptions server = world.server_options();
  server.verify_peer = true;
  TlsOptions client = world.client_options();
  client.certificate_file = strangers.authority.path("client.pem");
  client.key_file = strangers.authority.path("client.key");
  Pair pair(server, client);
  pair.run();
  CHECK(!pair.server.is_established());
  CHECK(pair.server_error.find("certificate verify failed") != std::string::npos);
  CHECK(pair.client_error == "TLS: tlsv1 alert decrypt error");
  base::Bytes plain;
  CHECK(!pair.server.feed("more", plain));

  Pair deceived(strangers.server_options(), world.client_options());
  deceived.run();
  CHECK(!deceived.client.is_established());
  Pair misnamed(world.server_options(), world.client_options(), "elsewhere.example");
  misnamed.run();
  CHECK(misnamed.client_error.find("ostname mismatch") != std::string::npos);
}

TEST_CASE("a client without a certificate is refused only where one is demanded") {
  World world;
  TlsOptions server = world.server_options();
  server.verify_peer = true;
  Pair welcome(server, world.client_options());
  welcome.run();
  CHECK(welcome.server.is_established());
  CHECK(!welcome.server.facts().peer);
  server.fail_if_no_peer_cert = true;
  Pair refused(server, world.client_options());
  refused.run();
  CHECK(!refused.server.is_established());
  CHECK(refused.server_error.find("peer did not return a certificate") != std::string::npos);
}

TEST_CASE("versions and ciphers are what the options say") {
  World world;
  TlsOptions server = world.server_options();
  server.versions = {"tlsv1.2"};
  server.ciphers = {"ECDHE-ECDSA-AES128-SHA256"};
  Pair pair(server, world.client_options());
  pair.run();
  REQUIRE(pair.server.is_established());
  TlsFacts facts = pair.server.facts();
  CHECK(facts.protocol == "tlsv1.2");
  CHECK(facts.key_exchange == "ecdhe_ecdsa");
  CHECK(facts.cipher == "aes_128_cbc");
  CHECK(facts.hash == "sha256");
  server.versions = {"tlsv1.3"};
  server.ciphers = {"TLS_CHACHA20_POLY1305_SHA256"};
  TlsOptions old = world.client_options();
  old.versions = {"tlsv1.2"};
  Pair apart(server, old);
  apart.run();
  CHECK(apart.server_error.find("unsupported protocol") != std::string::npos);
  Pair together(server, world.client_options());
  together.run();
  CHECK(together.server.facts().cipher == "chacha20_poly1305");
}

TEST_CASE("bytes that are no TLS end the connection") {
  World world;
  Tls server(make(TlsContext::Role::server, world.server_options()));
  base::Bytes plain;
  auto fed = server.feed(base::ByteView("AMQP\0\0\x09\x01", 8), plain);
  REQUIRE(!fed);
  CHECK(fed.error().text.find("wrong version number") != std::string::npos);
  CHECK(plain.empty());
}

TEST_CASE("a tampered record ends the connection") {
  World world;
  Pair pair(world.server_options(), world.client_options());
  pair.run();
  pair.client.send("genuine");
  pair.client.output().back() ^= 1;
  pair.run();
  CHECK(pair.at_server.empty());
  CHECK(pair.server_error.find("bad record mac") != std::string::npos);
}

TEST_CASE("an end of the peer is told apart from a broken wire") {
  World world;
  Pair pair(world.server_options(), world.client_options());
  pair.run();
  pair.client.send("last words");
  pair.client.close();
  pair.client.send("not sent any more");
  pair.run();
  CHECK(pair.at_server == "last words");
  CHECK(pair.server.has_ended());
  CHECK(pair.server_error.empty());
}

TEST_CASE("a client gets the certificate of the host that it asks for") {
  World world;
  world.authority.issue("other", {{"CN", "other"}}, "DNS:other.example");
  TlsOptions server = world.server_options();
  server.verify_peer = server.fail_if_no_peer_cert = true;
  server.hosts["other.example"] = {
      world.authority.path("other.pem"), world.authority.path("other.key"), {}};
  for (const char* name : {"other.example", "OTHER.example", "broker.example"}) {
    // A client checks that the certificate is made out for the name.
    Pair pair(server, world.client_options("client"), name);
    pair.run();
    CHECK_MESSAGE(pair.client.is_established(), pair.client_error);
    REQUIRE(pair.server.is_established());
    CHECK(pair.server.facts().peer->subject == "CN=client,O=Warren,C=DE");
  }
  // With every name the listener's demands are the same.
  for (const char* name : {"other.example", "broker.example"}) {
    Pair pair(server, world.client_options(), name);
    pair.run();
    CHECK(pair.server_error.find("peer did not return a certificate") != std::string::npos);
  }
  Pair unknown(server, world.client_options("client"), "third.example");
  unknown.run();
  CHECK(unknown.client_error.find("ostname mismatch") != std::string::npos);
}

TEST_CASE("a chain is completed from the file of authorities, also where clients show none") {
  TestAuthority root;
  TestAuthority below({{"CN", "Intermediate CA"}}, root);
  below.issue("server", {{"CN", "server"}}, "DNS:broker.example");
  TlsOptions server;
  server.ca_file = below.ca_file();
  server.certificate_file = below.path("server.pem");
  server.key_file = below.path("server.key");
  TlsOptions client;
  client.ca_file = root.ca_file();
  client.verify_peer = true;
  Pair pair(server, client);
  pair.run();
  CHECK_MESSAGE(pair.client.is_established(), pair.client_error);
}

TEST_CASE("options that cannot work are refused with the file") {
  World world;
  auto refusal = [](const TlsOptions& options) {
    auto made = TlsContext::make(TlsContext::Role::server, options);
    return made ? std::string() : made.error().text;
  };
  CHECK(refusal({}) == "TLS needs a certfile");
  TlsOptions options = world.server_options();
  options.key_file = world.authority.path("client.key");
  CHECK(refusal(options).find("client.key") != std::string::npos);
  options = world.server_options();
  options.certificate_file = "/nonexistent.pem";
  CHECK(refusal(options).starts_with("cannot use the certificate in /nonexistent.pem: "));
  options = world.server_options();
  options.versions = {"sslv3"};
  CHECK(refusal(options) == "there is no TLS version named 'sslv3'");
  options = world.server_options();
  options.ciphers = {"NONSENSE"};
  CHECK(refusal(options).starts_with("no usable ciphers in NONSENSE"));
  options = world.server_options();
  options.verify_peer = true;
  options.ca_file.clear();
  CHECK(refusal(options) == "verify_peer needs a cacertfile");
  options = world.server_options();
  options.ca_file = "/nonexistent.pem";
  CHECK(refusal(options).starts_with("cannot use the certificates in /nonexistent.pem: "));
  options = world.server_options();
  options.hosts["b.example"] = {"/nonexistent.pem", {}, {}};
  CHECK(refusal(options).starts_with("host b.example: cannot use the certificate in /nonexis"));
  options.hosts["b.example"] = {};
  CHECK(refusal(options) == "host b.example: TLS needs a certfile");
}

TEST_CASE("a renewed certificate is taken up, and a broken one is not") {
  World world;
  auto opened = TlsCredentials::open(world.server_options());
  REQUIRE(opened);
  TlsCredentials& credentials = **opened;
  const base::Time start = base::Time() + std::chrono::hours(1);
  const Context first = credentials.context(start);
  CHECK(credentials.context(start + std::chrono::seconds(2)) == first);

  world.authority.issue("server", {{"CN", "renewed"}}, "DNS:broker.example");
  CHECK(credentials.context(start + std::chrono::milliseconds(2500)) == first);
  const Context second = credentials.context(start + std::chrono::seconds(4));
  CHECK(second != first);

  std::ofstream(world.authority.path("server.pem")) << "half a file";
  CHECK(credentials.context(start + std::chrono::seconds(6)) == second);
  world.authority.issue("server", {{"CN", "again"}}, "DNS:broker.example");
  CHECK(credentials.context(start + std::chrono::seconds(8)) != second);
}

TEST_CASE("a renewed certificate of one host is taken up") {
  World world;
  TlsOptions options = world.server_options();
  world.authority.issue("other", {{"CN", "other"}}, "DNS:other.example");
  options.hosts["other.example"] = {
      world.authority.path("other.pem"), world.authority.path("other.key"), {}};
  auto opened = TlsCredentials::open(options);
  REQUIRE(opened);
  const base::Time start = base::Time() + std::chrono::hours(1);
  const Context first = (*opened)->context(start);
  world.authority.issue("other", {{"CN", "renewed"}}, "DNS:other.example");
  CHECK((*opened)->context(start + std::chrono::seconds(2)) != first);
}

TEST_CASE("names are written as RabbitMQ writes them") {
  TestAuthority authority;
  auto certificate = authority.issue(
      "odd", {{"C", "DE"}, {"CN", "a,b=\"c\" "}, {"emailAddress", "x@y"}, {"O", "#Jürgen"}}, "");
  CHECK(read_certificate(*certificate).subject ==
        "O=\\#J\\C3\\BCrgen,EMAILADDRESS=x@y,CN=a\\,b=\\\"c\\\"\\ ,C=DE");

  certificate = authority.issue("wild", {{"O", "\t~"}, {"OU", "x"}, {"+CN", "y"}, {"C", "DE"}}, "");
  CHECK(read_certificate(*certificate).subject == "C=DE,OU=x+CN=y,O=\\09\\7E");
}

}  // namespace warren::net
