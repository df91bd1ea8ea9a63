#include "session/transcript.h"

#include <doctest/doctest.h>

using warren::session::play;

TEST_CASE("handshake") {
  play("handshake.txt");
}
TEST_CASE("framing") {
  play("framing.txt");
}
TEST_CASE("channels") {
  play("channels.txt");
}
TEST_CASE("queues") {
  play("queues.txt");
}
TEST_CASE("exchanges and bindings") {
  play("exchanges.txt");
}
TEST_CASE("delayed messages") {
  play("delayed.txt");
}
TEST_CASE("publish and confirm") {
  play("publish.txt");
}
TEST_CASE("consume, get and settle") {
  play("consume.txt");
}
TEST_CASE("transactions") {
  play("transactions.txt");
}
TEST_CASE("direct reply-to") {
  play("reply_to.txt");
}
TEST_CASE("copies of what comes and goes") {
  play("firehose.txt");
}
TEST_CASE("permissions") {
  play("permissions.txt");
}
TEST_CASE("flow, alarms and ends of connections") {
  play("flow.txt");
}
TEST_CASE("changes that are made together") {
  play("changes.txt");
}
