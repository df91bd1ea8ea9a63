#include "cli/diagnostics.h"

#include <doctest/doctest.h>

using namespace warren::cli;

namespace {

const CallerDetails caller{"rabbitmqcli-82-rabbit@vm", "/var/lib/rabbitmq", "hash==", 4369};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a node that is not registered is told from its neighbours") {
  const std::string text = describe_failure(
      {ConnectFailure::Kind::not_registered, "rabbit2@vm", 0, {"rabbit1", "rabbit3"}, {}}, caller);
  CHECK(text.starts_with("Error: unable to perform an operation on node 'rabbit2@vm'."));
  CHECK(has(text, "\nDIAGNOSTICS\n===========\n\nattempted to contact: [rabbit2@vm]\n\n"
                  "rabbit2@vm:\n  * connected to epmd (port 4369) on vm\n"
                  "  * epmd reports: node 'rabbit2' not running at all\n"
                  "                  other nodes on vm: [rabbit1,rabbit3]\n"
                  "  * suggestion: start the node\n\n"
                  "Current node details:\n * node name: 'rabbitmqcli-82-rabbit@vm'\n"
                  " * effective user's home directory: /var/lib/rabbitmq\n"
                  " * Erlang cookie hash: hash==\n\n"));
}

TEST_CASE("each cause has its own findings") {
  using Kind = ConnectFailure::Kind;
  CHECK(has(describe_failure({Kind::not_registered, "r@vm", 0, {}, {}}, caller),
            "no other nodes on vm\n"));
  CHECK(has(describe_failure({Kind::no_such_host, "r@nosuch", 0, {}, {}}, caller),
            "unable to connect to epmd (port 4369) on nosuch: nxdomain"));
  CHECK(has(describe_failure({Kind::refused_by_node, "r@vm", 25672, {}, "no"}, caller),
            "uses port 25672 for inter-node and CLI tool traffic \n"
            "  * TCP connection succeeded but Erlang distribution failed \n"));
}

TEST_CASE("the cookie's hash is base64 of its MD5") {
  CHECK(cookie_hash("wrongcookie") == "GCd44ETJWGT+PHvJqWPr8A==");
}
