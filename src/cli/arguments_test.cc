#include "cli/arguments.h"

#include <doctest/doctest.h>

#include "cli/command_spec.h"

using namespace warren::cli;

namespace {

/// Parses as the tool does: first the command is found, then its own options count.
Arguments parse(const std::string& tool, std::vector<std::string> words) {
  std::vector<OptionSpec> all;
  for (const CommandSpec& spec : commands_of(tool))
    all.insert(all.end(), spec.options.begin(), spec.options.end());
  const CommandSpec* spec = find_command(tool, find_command_word(words, all));
  REQUIRE(spec != nullptr);
  return parse_arguments(tool, std::move(words), spec->options);
}

std::optional<Complaint> complaint_of(std::vector<std::string> words) {
  const Arguments arguments = prepare_listing(parse("rabbitmqctl", std::move(words)));
  return check_arguments(*find_command("rabbitmqctl", arguments.command), arguments);
}

}  // namespace

TEST_CASE("options may stand before and behind the command") {
  const Arguments before = parse("rabbitmqctl", {"-n", "rabbit1", "list_queues", "name"});
  CHECK(before.command == "list_queues");
  CHECK(before.value("node") == "rabbit1");
  CHECK(before.positional == std::vector<std::string>{"name"});
  const Arguments behind = parse("rabbitmqctl", {"list_queues", "name", "-p", "v", "--node=r2"});
  CHECK(behind.vhost() == "v");
  CHECK(behind.value("node") == "r2");
  CHECK(behind.given_text() == "list_queues name -p v --node=r2");
}

TEST_CASE("a command's own option may stand before the command") {
  const Arguments flag = parse("rabbitmqctl", {"--offline", "forget_cluster_node", "rabbit2@vm"});
  CHECK(flag.has("offline"));
  CHECK(flag.invalid.empty());
  const Arguments value =
      parse("rabbitmqctl",
            {"set_policy", "--priority", "5", "--apply-to", "queues", "a", "b", "{}"});
  CHECK(value.number("priority") == 5);
  CHECK(value.positional == std::vector<std::string>{"a", "b", "{}"});
}

TEST_CASE("two dashes end the options") {
  const Arguments arguments = parse("rabbitmqctl", {"add_user", "--", "-n", "x"});
  CHECK(arguments.positional == std::vector<std::string>{"-n", "x"});
}

TEST_CASE("wrong arguments have the exit status that scripts know") {
  CHECK_FALSE(complaint_of({"join_cluster", "rabbit1@vm"}));
  CHECK(complaint_of({"join_cluster"})->text ==
        "Error (argument validation): not enough arguments.");
  CHECK(complaint_of({"join_cluster"})->exit == 64);
  CHECK(complaint_of({"join_cluster", "a", "b", "c"})->text ==
        "Error (argument validation): too many arguments.");
  CHECK(complaint_of({"join_cluster", "--foo", "rabbit1@vm"})->text ==
        "Error (argument validation): Invalid options for this command:\n--foo : ");
  CHECK(complaint_of({"cluster_status", "--timeout", "x"})->text ==
        "Error (argument validation): Invalid options for this command:\n--timeout : x");
  CHECK(complaint_of({"change_cluster_node_type", "foo"})->exit == 65);
  CHECK(complaint_of({"add_user", "", "x"})->exit == 65);
}

TEST_CASE("columns are checked before a node is asked") {
  CHECK_FALSE(complaint_of({"list_queues", "name,messages"}));
  CHECK(complaint_of({"list_queues", "nosuchcol"})->text ==
        "Error (argument validation): Info key(s) nosuchcol are not supported");
  CHECK(complaint_of({"list_queues", "b", "name", "a"})->text.find("a,b are") !=
        std::string::npos);
}

TEST_CASE("a mistyped command has its neighbour suggested") {
  CHECK(suggest_command("rabbitmqctl", "list_qeues") == "list_queues");
  CHECK_FALSE(suggest_command("rabbitmqctl", "nosuchcommand"));
}
