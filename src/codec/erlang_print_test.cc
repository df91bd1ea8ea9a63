#include <doctest/doctest.h>

#include "codec/erlang_term.h"

using namespace warren::codec::erlang;

namespace {

/// Prints a term given as text, prettily.
std::string pretty(std::string_view text) {
  auto term = parse_term(text);
  REQUIRE(term.has_value());
  return print_pretty(*term);
}

std::string flat(std::string_view text) {
  auto term = parse_term(text);
  REQUIRE(term.has_value());
  return print_flat(*term);
}

}  // namespace

TEST_CASE("atoms are quoted where Erlang needs it") {
  CHECK(flat("[abc,aB_1@x,'apply-to','rabbit@my-host','end','','A',true]") ==
        "[abc,aB_1@x,'apply-to','rabbit@my-host','end','','A',true]");
  CHECK(flat("'a\\'b\\n\\\\'") == "'a\\'b\\n\\\\'");
}

TEST_CASE("strings and binaries print as text where all of it is printable") {
  CHECK(flat("{\"a\\\"b\\n\",<<\"{\\\"k\\\":1}\">>,<<0,97>>,<<>>,\"\",[104,105],[1024]}") ==
        "{\"a\\\"b\\n\",<<\"{\\\"k\\\":1}\">>,<<0,97>>,<<>>,[],\"hi\",[1024]}");
  CHECK(print_flat(binary("\xE9")) == "<<\"\xC3\xA9\">>");
  CHECK(print_octets("abc") == "<<97,98,99>>");
  CHECK(print_octets("") == "<<>>");
}

TEST_CASE("floats print in their shortest form") {
  CHECK(flat("[1.0,100.0,1000.0,12345.0,0.001,0.0001,0.00012,1.0e20,123456789.125,-0.5,0.0]") ==
        "[1.0,100.0,1.0e3,12345.0,0.001,0.0001,1.2e-4,1.0e20,123456789.125,-0.5,0.0]");
}

TEST_CASE("other terms print as they stand") {
  CHECK(print_flat(List{Opaque{"<12688.2963.0>"}, Tuple{}, Map{}}) == "[<12688.2963.0>,{},#{}]");
  CHECK(flat("#{a => 1,\"b\" => [2]}") == "#{a => 1,\"b\" => [2]}");
}

TEST_CASE("the recorded cluster status wraps as recorded") {
  const char* const recorded =
      R"([{nodes,[{disc,[rabbit1@vm]},{ram,[rabbit3@vm]}]},
 {running_nodes,[rabbit3@vm,rabbit1@vm]},
 {cluster_name,<<"rabbit1@vm">>},
 {partitions,[]},
 {alarms,[{rabbit3@vm,[]},{rabbit1@vm,[]}]},
 {listeners,[{rabbit3@vm,[{listener,rabbit3@vm,http,"vm",
                                    {0,0,0,0,0,0,0,0},
                                    15674,
                                    [{cowboy_opts,[{sendfile,false}]},
                                     {port,15674}]},
                          {listener,rabbit3@vm,clustering,"vm",
                                    {0,0,0,0,0,0,0,0},
                                    25674,[]},
                          {listener,rabbit3@vm,amqp,"vm",
                                    {0,0,0,0,0,0,0,0},
                                    5674,
                                    [{backlog,128},
                                     {nodelay,true},
                                     {linger,{true,0}},
                                     {exit_on_close,false}]}]}]},
 {versions,[{rabbit3@vm,#{erlang_version => <<"25.2.3">>,
                          rabbitmq_name => <<"RabbitMQ">>,
                          rabbitmq_version => <<"3.10.8">>}},
            {rabbit1@vm,#{erlang_version => <<"25.2.3">>,
                          rabbitmq_name => <<"RabbitMQ">>,
                          rabbitmq_version => <<"3.10.8">>}}]},
 {maintenance_status,[{rabbit3@vm,<<"not under maintenance">>},
                      {rabbit1@vm,<<"not under maintenance">>}]},
 {feature_flags,[[{name,classic_mirrored_queue_version},
                  {desc,<<"Support setting version for classic mirrored queues">>},
                  {doc_url,<<>>},
                  {state,enabled},
                  {stability,stable},
                  {provided_by,rabbit}]]}])";
  CHECK(pretty(recorded) == recorded);
}

TEST_CASE("the recorded list of queues wraps as recorded") {
  List slaves{Opaque{"<12764.5293.0>"}, Opaque{"<12765.4839.0>"}};
  Term row = List{List{pair("name", binary("cluster_test")), pair("pid", Opaque{"<12688.2963.0>"}),
                       pair("slave_pids", slaves), pair("synchronised_slave_pids", slaves),
                       pair("policy", binary("ha-all"))}};
  CHECK(print_pretty(row) == R"([[{name,<<"cluster_test">>},
  {pid,<12688.2963.0>},
  {slave_pids,[<12764.5293.0>,<12765.4839.0>]},
  {synchronised_slave_pids,[<12764.5293.0>,<12765.4839.0>]},
  {policy,<<"ha-all">>}]])");
}

TEST_CASE("what stands too far right is indented less") {
  const char* const expected = R"({a_long_tag_here,
    [{another_long_tag_here,
         [{yet_another_long_tag_here,
              [{still_more_tag_here,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
               {b,c}]}]}]})";
  CHECK(pretty(expected) == expected);
}

TEST_CASE("octets and numbers fill their lines") {
  const char* const octets =
      R"(<<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,
  29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53>>)";
  CHECK(pretty(octets) == octets);
  const char* const numbers =
      R"([1000,1001,1002,1003,1004,1005,1006,1007,1008,1009,1010,1011,1012,1013,1014,
 1015,1016])";
  CHECK(pretty(numbers) == numbers);
}

TEST_CASE("a map's long value goes under its key") {
  const char* const expected =
      R"([{longer_thing_here,#{another_key => [a,b,c,<<"some value">>,{k,v}],
                      some_key_that_is_long =>
                          <<"some value that is long">>}}])";
  CHECK(pretty(expected) == expected);
}

TEST_CASE("columns already taken count on the first line") {
  CHECK(print_pretty(Tuple{atom("frame_too_large"), 140000, 131064}, 49) ==
        "{frame_too_large,140000,\n" + std::string(50, ' ') + "131064}");
  CHECK(print_pretty(Tuple{atom("frame_too_large"), 140000, 131064}, 20) ==
        "{frame_too_large,140000,131064}");
}
