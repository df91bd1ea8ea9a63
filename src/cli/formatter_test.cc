#include "cli/formatter.h"

#include <doctest/doctest.h>

#include "management/reply.h"

using namespace warren::cli;
using warren::management::atom_cell;
using warren::management::tuple_cell;
using warren::management::pid_cell;

namespace {

Json table_of(const char* name, const char* type, Json value) {
  return JsonObject{{"table", JsonArray{JsonArray{name, type, std::move(value)}}}};
}

Listing policies() {
  return {{"vhost", "name", "pattern", "apply-to", "definition", "priority"},
          {{"/", "ha-all", "^", "all", R"({"ha-mode":"all"})", 0}}};
}

Listing pids() {
  return {{"name", "pid", "slave_pids"},
          {{"q", pid_cell("rabbit1@vm", 17, 2963),
            JsonArray{pid_cell("rabbit3@vm", 18, 5293), pid_cell("rabbit2@vm", 19, 4839)}}}};
}

}  // namespace

TEST_CASE("a table has tabs and, unless silent, a header") {
  const Listing listing{{"name", "messages"}, {{"cluster_test", 1000}}};
  CHECK(format_listing(listing, Format::table, true) == "name\tmessages\ncluster_test\t1000\n");
  CHECK(format_listing(listing, Format::table, false) == "cluster_test\t1000\n");
  CHECK(format_listing({{"name"}, {}}, Format::table, true) == "");
}

TEST_CASE("JSON rows come one a line") {
  CHECK(format_listing(policies(), Format::json, true) ==
        "[\n{\"vhost\":\"/\",\"name\":\"ha-all\",\"pattern\":\"^\",\"apply-to\":\"all\","
        "\"definition\":\"{\\\"ha-mode\\\":\\\"all\\\"}\",\"priority\":0}\n]\n");
  const Listing two{{"name"}, {{"a"}, {"b"}}};
  CHECK(format_listing(two, Format::json, true) == "[\n{\"name\":\"a\"}\n,{\"name\":\"b\"}\n]\n");
  CHECK(format_listing({{"name"}, {}}, Format::json, true) == "[\n]\n");
}

TEST_CASE("csv quotes everything") {
  CHECK(format_listing(policies(), Format::csv, true) ==
        "\"vhost\",\"name\",\"pattern\",\"apply-to\",\"definition\",\"priority\"\n"
        "\"/\",\"ha-all\",\"^\",\"all\",\"{\"\"ha-mode\"\":\"\"all\"\"}\",\"0\"\n");
  CHECK(format_listing({{"name"}, {}}, Format::csv, true) == "");
}

TEST_CASE("Erlang rows are lists of pairs") {
  CHECK(format_listing(policies(), Format::erlang, true) ==
        "[[{vhost,<<\"/\">>},\n  {name,<<\"ha-all\">>},\n  {pattern,<<\"^\">>},\n"
        "  {'apply-to',<<\"all\">>},\n  {definition,<<\"{\\\"ha-mode\\\":\\\"all\\\"}\">>},\n"
        "  {priority,0}]]\n");
  CHECK(format_listing({{"name"}, {}}, Format::erlang, true) == "[]\n");
}

TEST_CASE("a pretty table is drawn with the terminal's line characters") {
  const Listing listing{{"name"}, {{"ha-all"}}};
  CHECK(format_listing(listing, Format::pretty_table, true) ==
        "\x1b(0lqqqqqqqqk\x1b(B\n"
        "\x1b(0x\x1b(B \x1b[1mname\x1b[0m   \x1b(0x\x1b(B\n"
        "\x1b(0tqqqqqqqqu\x1b(B\n"
        "\x1b(0x\x1b(B ha-all \x1b(0x\x1b(B\n"
        "\x1b(0mqqqqqqqqj\x1b(B\n");
}

TEST_CASE("processes look different in each format") {
  CHECK(format_listing(pids(), Format::table, false) ==
        "q\t<rabbit1@vm.17.2963.0>\t[<rabbit3@vm.18.5293.0>, <rabbit2@vm.19.4839.0>]\n");
  CHECK(format_listing(pids(), Format::json, true) ==
        "[\n{\"name\":\"q\",\"pid\":\"#PID<17.2963.0>\","
        "\"slave_pids\":[\"#PID<18.5293.0>\",\"#PID<19.4839.0>\"]}\n]\n");
  CHECK(format_listing(pids(), Format::erlang, true) ==
        "[[{name,<<\"q\">>},{pid,<17.2963.0>},{slave_pids,[<18.5293.0>,<19.4839.0>]}]]\n");
}

TEST_CASE("arguments show their values in tables and their types in JSON") {
  const Json cell = table_of("alternate-exchange", "longstr", "amq.fanout");
  CHECK(cell_text(cell) == "[{\"alternate-exchange\",\"amq.fanout\"}]");
  CHECK(warren::management::print_json(cell_json(cell)) ==
        "[[\"alternate-exchange\",\"longstr\",\"amq.fanout\"]]");
  CHECK(cell_text(table_of("x-max-length", "long", 5)) == "[{\"x-max-length\",5}]");
  CHECK(cell_text(JsonObject{{"table", JsonArray{}}}) == "[]");
}

TEST_CASE("tuples are in braces, and lists in JSON") {
  const Json cell = tuple_cell({0, 9, 1});
  CHECK(cell_text(cell) == "{0,9,1}");
  CHECK(warren::management::print_json(cell_json(cell)) == "[0,9,1]");
  CHECK(format_listing({{"protocol"}, {{cell}}}, Format::erlang, true) ==
        "[[{protocol,{0,9,1}}]]\n");
}

TEST_CASE("tags are atoms") {
  const Json tags = JsonArray{atom_cell("administrator"), atom_cell("monitoring")};
  CHECK(cell_text(tags) == "[administrator, monitoring]");
  CHECK(warren::management::print_json(cell_json(tags)) == "[\"administrator\",\"monitoring\"]");
}
