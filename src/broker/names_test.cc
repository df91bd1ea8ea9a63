#include "broker/names.h"

#include <doctest/doctest.h>

using namespace warren::broker;

TEST_CASE("made-up names carry all the random bits in URL-safe text") {
  CHECK(make_queue_name(std::string(16, '\0')) == "amq.gen-AAAAAAAAAAAAAAAAAAAAAA");
  CHECK(make_queue_name(std::string(16, '\xFF')) == "amq.gen-_____________________w");
  CHECK(make_consumer_tag("foobarfoobarfoob") == "amq.ctag-Zm9vYmFyZm9vYmFyZm9vYg");
  CHECK(make_queue_name("\xFB\xEF\xBE" + std::string(13, 'x')).starts_with("amq.gen----"));
}

TEST_CASE("names lose their line breaks") {
  CHECK(strip_line_breaks("a\r\nb\n") == "ab");
  CHECK(strip_line_breaks("\n").empty());
  CHECK(strip_line_breaks("plain name") == "plain name");
}

TEST_CASE("the reserved prefix has its dot") {
  CHECK(has_reserved_prefix("amq.x"));
  CHECK(has_reserved_prefix("amq."));
  CHECK_FALSE(has_reserved_prefix("amq"));
  CHECK_FALSE(has_reserved_prefix("amqx"));
}
