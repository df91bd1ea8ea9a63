#include "codec/erlang_args.h"

#include <doctest/doctest.h>

#include "codec/test_bytes.h"

using namespace warren::codec::erlang;

TEST_CASE("the documented start arguments are read") {
  auto settings = parse_start_args("-rabbitmq_management listener [{port,15672}]");
  REQUIRE(settings.has_value());
  CHECK(*settings ==
        std::vector<AppSetting>{{"rabbitmq_management", "listener", List{pair("port", 15672)}}});
}

TEST_CASE("flags, pairs and quotes are told apart") {
  auto settings = parse_start_args(
      "+P 1048576 +K true -smp enable -kernel inet_dist_listen_min 9100 inet_dist_listen_max 9105 "
      "-noinput -rabbit tcp_listeners '[{\"auto\", 5673}]' log \"[{console, []}]\" hearts -60 "
      "-boot file -detached");
  REQUIRE(settings.has_value());
  REQUIRE(settings->size() == 5);
  CHECK(settings->at(0) == AppSetting{"kernel", "inet_dist_listen_min", 9100});
  CHECK(settings->at(1) == AppSetting{"kernel", "inet_dist_listen_max", 9105});
  CHECK(settings->at(2).value == List{Tuple{string("auto"), 5673}});
  CHECK(settings->at(3).value == List{pair("console", List{})});
  CHECK(settings->at(4) == AppSetting{"rabbit", "hearts", -60});
}

TEST_CASE("a value that is no term is an error with the pair in its text") {
  auto settings = parse_start_args("-rabbit tcp_listeners [5672");
  REQUIRE_FALSE(settings.has_value());
  CHECK(settings.error().text ==
        "-rabbit tcp_listeners [5672: line 1: expected ',' or ']', but the text ends");
}

TEST_CASE("empty and odd arguments are harmless") {
  CHECK(parse_start_args("")->empty());
  CHECK(parse_start_args("  - -x 'unclosed")->empty());
  warren::base::Random random(9);
  for (int round = 0; round < 5000; ++round)
    static_cast<void>(parse_start_args("-a b " + warren::codec::random_bytes(random, 30)));
}
