#include "perf/options.h"

#include <doctest/doctest.h>

namespace warren::perf {

namespace {

Options parse(std::vector<std::string> words) {
  auto options = parse_options(std::move(words));
  if (!options) FAIL(options.error().text);
  return *options;
}

/// The complaint, or nothing.
std::string complaint(std::vector<std::string> words) {
  const auto options = parse_options(std::move(words));
  return options ? "" : options.error().text;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("options without a mode are those of a load") {
  const auto options = parse({"--size", "100", "--confirms=50", "--time", "2.5"});
  CHECK(options.mode == Mode::load);
  CHECK(options.size == 100);
  CHECK(options.window == 50);
  CHECK(options.seconds == 2.5);
  CHECK(options.uris.front().host == "127.0.0.1");
  CHECK(options.producer_uris.size() == 1);
}

TEST_CASE("a load without an end has ten seconds") {
  CHECK(parse({"load"}).seconds == 10);
  CHECK(parse({"load", "--count", "5"}).seconds == 0);
}

TEST_CASE("filling has no consumers and stays, draining has no producers") {
  const auto fill = parse({"fill", "--persistent", "--count", "10"});
  CHECK(fill.consumers == 0);
  CHECK(fill.keep);
  CHECK(fill.durable);
  const auto drain = parse({"drain", "--prefetch", "10"});
  CHECK(drain.producers == 0);
  CHECK(drain.consumers == 1);
}

TEST_CASE("arguments of queues have the types that they look like") {
  const auto options = parse({"--queue-argument", "x-queue-version=2", "--queue-argument",
                              "x-mode=lazy", "--queue-argument", "x-on=true", "--queue-type",
                              "quorum"});
  CHECK(options.queue_arguments.find("x-queue-version")->to_integer() == 2);
  CHECK(*options.queue_arguments.find("x-mode")->as<std::string>() == "lazy");
  CHECK(*options.queue_arguments.find("x-on")->as<bool>());
  CHECK(*options.queue_arguments.find("x-queue-type")->as<std::string>() == "quorum");
  CHECK(options.durable);
}

TEST_CASE("numbered bindings have keys without being asked") {
  const auto options = parse({"--exchange-type", "topic", "--bindings", "5"});
  CHECK(options.binding_key == "key.{}");
  CHECK(options.routing_key == "key.{}");
  CHECK(parse({"--exchange-type", "topic", "--binding-key", "a.#", "--routing-key", "a.b"})
            .routing_key == "a.b");
}

TEST_CASE("keys are numbered wherever they have braces") {
  CHECK(number_key("a.{}.b.{}", 12) == "a.12.b.12");
  CHECK(number_key("plain", 1) == "plain");
  CHECK(number_key("", 1).empty());
}

TEST_CASE("one queue has the bare name, several are numbered") {
  Options options;
  CHECK(options.queue_name(0) == "perf");
  options.queues = 2;
  CHECK(options.queue_name(1) == "perf-2");
}

TEST_CASE("churn knows its kinds") {
  const auto options = parse({"churn", "binding", "--count", "7", "--create-only"});
  CHECK(options.mode == Mode::churn);
  CHECK(options.churn == ChurnKind::binding);
  CHECK(options.create_only);
  CHECK(has(complaint({"churn", "cats"}), "cats"));
  CHECK(has(complaint({"churn"}), "kind"));
}

TEST_CASE("what can't be is said with the option that is wrong") {
  CHECK(has(complaint({"--size", "x"}), "--size"));
  CHECK(has(complaint({"--size", "-1"}), "--size"));
  CHECK(has(complaint({"--confirms", "0"}), "--confirms"));
  CHECK(has(complaint({"--nonsense"}), "--nonsense"));
  CHECK(has(complaint({"walk"}), "walk"));
  CHECK(has(complaint({"--prefetch", "3", "--ack-batch", "5"}), "--ack-batch"));
  CHECK(has(complaint({"--producers", "0", "--consumers", "0"}), "nothing to do"));
  CHECK(has(complaint({"--bindings", "5"}), "--exchange-type"));
  CHECK(has(complaint({"--queue-argument", "nothing"}), "name=value"));
  CHECK(has(complaint({"--warm-up", "1", "--count", "5"}), "--warm-up"));
  CHECK(has(complaint({"--uri", "http://x"}), "http://x"));
}

TEST_CASE("help is text, not an error") {
  CHECK(has(parse({"--help"}).help, "churn"));
  CHECK(has(parse({"load", "--help"}).help, "--confirms"));
  CHECK(has(parse({}).help, "relay"));
}

TEST_CASE("a URI has all parts or few") {
  const auto full = parse_uri("amqp://us%40er:pa%2Fss@host:5673/v%2Fh");
  REQUIRE(full);
  CHECK(full->user == "us@er");
  CHECK(full->password == "pa/ss");
  CHECK(full->host == "host");
  CHECK(full->port == 5673);
  CHECK(full->vhost == "v/h");
  const auto bare = parse_uri("amqp://");
  REQUIRE(bare);
  CHECK(bare->host == "127.0.0.1");
  CHECK(bare->port == 5672);
  CHECK(bare->vhost == "/");
  CHECK(parse_uri("amqp://[::1]:1234/")->host == "::1");
  CHECK(parse_uri("amqp://[::1]:1234/")->port == 1234);
  CHECK_FALSE(parse_uri("amqp://host:port"));
  CHECK_FALSE(parse_uri("amqp://host:70000"));
  CHECK_FALSE(parse_uri("amqp://[::1"));
  CHECK_FALSE(parse_uri("amqp://us%4r@host"));
  CHECK_FALSE(parse_uri("amqps://host"));
}

}  // namespace warren::perf
