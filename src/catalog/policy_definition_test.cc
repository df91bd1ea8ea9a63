#include "catalog/policy_definition.h"

#include <doctest/doctest.h>

#include "catalog/pattern.h"

using namespace warren;
using namespace warren::catalog;

namespace {

std::string complaint(std::string_view json) {
  auto parsed = parse_policy_definition(json);
  REQUIRE_FALSE(parsed.has_value());
  CHECK(parsed.error().code == base::ErrorCode::invalid_argument);
  std::string text = parsed.error().text;
  constexpr std::string_view frame = "Validation failed\n\n";
  REQUIRE(text.starts_with(frame));
  REQUIRE(text.ends_with("\n"));
  return text.substr(frame.size(), text.size() - frame.size() - 1);
}

bool is_valid(std::string_view json) { return parse_policy_definition(json).has_value(); }

}  // namespace

TEST_CASE("definitions are refused in RabbitMQ's words") {
  struct Case {
    const char* json;
    const char* text;
  };
  const Case cases[] = {
      {R"({"ha-mode":"foo"})", R"(<<"foo">> is not a valid ha-mode value)"},
      {R"({"no-such":"foo"})", R"([{<<"no-such">>,<<"foo">>}] are not recognised policy settings)"},
      {R"({"nosuch":5})", R"([{<<"nosuch">>,5}] are not recognised policy settings)"},
      {R"({"z":[1,"a"],"b":{"k":null}})",
       R"([{<<"b">>,#{<<"k">> => null}},{<<"z">>,[1,<<"a">>]}] are not recognised policy )"
       "settings"},
      {R"({"ha-params":2})",
       "ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown"},
      {R"({"ha-mode":"exactly"})", R"(ha-mode="exactly" takes an integer, none given)"},
      {R"({"ha-mode":"exactly","ha-params":"2"})",
       R"(ha-mode="exactly" takes an integer, <<"2">> given)"},
      {R"({"ha-mode":"exactly","ha-params":0})", R"(ha-mode="exactly" takes an integer, 0 given)"},
      {R"({"ha-mode":"nodes","ha-params":[]})", R"(ha-mode="nodes" list must be non-empty)"},
      {R"({"ha-mode":"nodes","ha-params":3})", R"(ha-mode="nodes" takes a list, 3 given)"},
      {R"({"ha-mode":"nodes","ha-params":["a",true]})",
       R"(ha-mode="nodes" takes a list of strings, true was not a string)"},
      {R"({"ha-mode":"all","ha-sync-mode":"x"})",
       R"(ha-sync-mode must be "manual" or "automatic", got <<"x">>)"},
      {R"({"ha-mode":"all","ha-sync-batch-size":0})",
       "ha-sync-batch-size takes an integer greater than 0, 0 given"},
      {R"({"ha-mode":"all","ha-promote-on-shutdown":1.5})",
       R"(ha-promote-on-shutdown must be "always" or "when-synced", got 1.5)"},
      {R"({"queue-master-locator":"x"})", R"(<<"x">> invalid queue-master-locator value)"},
      {R"({"queue-leader-locator":1})", "1 is not a valid queue leader locator value"},
      {R"({"message-ttl":-1})", "-1 is not a valid message TTL"},
      {R"({"message-ttl":2.0})", "2.0 is not a valid message TTL"},
      {R"({"expires":0})", "0 is not a valid queue expiry"},
      {R"({"max-length":"5"})", R"(<<"5">> is not a valid maximum length)"},
      {R"({"max-length-bytes":-5})", "-5 is not a valid maximum length in bytes"},
      {R"({"dead-letter-exchange":5})", "5 is not a valid dead letter exchange name"},
      {R"({"alternate-exchange":{}})", "#{} is not a valid alternate exchange name"},
      {R"({"queue-mode":"fast"})", R"(<<"fast">> is not a valid queue-mode value)"},
      {R"({"max-age":"D"})", R"(<<"D">> is not a valid max age)"},
      {R"([1])", "definition must be a dictionary: [1]"},
  };
  for (const Case& c : cases) CHECK(complaint(c.json) == c.text);
}

TEST_CASE("what is not JSON has a text of its own") {
  for (const char* json : {"notjson", "", "{", "{\"a\":1} x"})
    CHECK(parse_policy_definition(json).error().text == "JSON decoding error. Reason: badarg");
  CHECK_FALSE(is_valid(std::string(100'000, '[')));
}

TEST_CASE("every key that RabbitMQ knows is accepted") {
  for (const char* json :
       {R"({"message-ttl":0})", R"({"expires":1})", R"({"max-length":0})",
        R"({"max-length-bytes":9007199254740993})", R"({"dead-letter-exchange":""})",
        R"({"dead-letter-routing-key":"k"})", R"({"dead-letter-strategy":"at-least-once"})",
        R"({"overflow":"reject-publish-dlx"})", R"({"queue-mode":"lazy"})",
        R"({"queue-version":2})", R"({"queue-master-locator":"min-masters"})",
        R"({"queue-leader-locator":"balanced"})", R"({"delivery-limit":3})",
        R"({"max-in-memory-length":3})", R"({"max-in-memory-bytes":3})", R"({"max-age":"7D"})",
        R"({"stream-max-segment-size-bytes":3000})", R"({"initial-cluster-size":3})",
        R"({"alternate-exchange":"x"})", R"({"federation-upstream-set":"all"})",
        R"({"federation-upstream":"u"})", R"({"ha-mode":"all"})"})
    CHECK_MESSAGE(is_valid(json), json);
}

TEST_CASE("a definition's values can be used") {
  auto parsed = parse_policy_definition(
      R"({"ha-sync-mode":"automatic", "ha-params":["b","a"], "ha-mode":"nodes",
          "ha-promote-on-failure":"when-synced", "ha-promote-on-shutdown":"always",
          "ha-sync-batch-size":7, "message-ttl":60000, "dead-letter-exchange":"d"})");
  REQUIRE(parsed.has_value());
  CHECK(parsed->ha_mode == HaMode::nodes);
  CHECK(parsed->ha_nodes == std::vector<NodeName>{"b", "a"});
  CHECK(parsed->ha_sync_automatic);
  CHECK(parsed->ha_sync_batch_size == 7);
  CHECK(parsed->promote_on_failure == Promotion::when_synced);
  CHECK(parsed->promote_on_shutdown == Promotion::always);
  CHECK(parsed->message_ttl_ms == 60000);
  CHECK(parsed->dead_letter_exchange == "d");
  CHECK_FALSE(parsed->expires_ms.has_value());
  CHECK(parsed->text ==
        R"({"dead-letter-exchange":"d","ha-mode":"nodes","ha-params":["b","a"],)"
        R"("ha-promote-on-failure":"when-synced","ha-promote-on-shutdown":"always",)"
        R"("ha-sync-batch-size":7,"ha-sync-mode":"automatic","message-ttl":60000})");
  auto plain = parse_policy_definition(R"({"ha-mode":"exactly","ha-params":2})");
  CHECK(plain->ha_count == 2);
  CHECK(plain->promote_on_failure == Promotion::always);
  CHECK(plain->promote_on_shutdown == Promotion::when_synced);
}

TEST_CASE("patterns are refused in RabbitMQ's words and layout") {
  CHECK(check_policy_pattern("^(?!amq\\.).*").has_value());
  CHECK(check_policy_pattern("[").error().text ==
        "Validation failed\n\npattern should be regular expression but is invalid: "
        "{\"missing terminating ] for character class\",\n" +
            std::string(54, ' ') + "1}\n");
  CHECK(check_policy_pattern("*").error().text ==
        "Validation failed\n\npattern should be regular expression but is invalid: "
        "{\"nothing to repeat\",0}\n");
}

TEST_CASE("what a policy applies to") {
  CHECK(parse_applies_to("queues") == AppliesTo::queues);
  CHECK(parse_applies_to("foo").error().text ==
        "Validation failed\n\napply-to 'foo' unrecognised; should be 'queues', 'exchanges' or "
        "'all'\n");
}

TEST_CASE("a pattern matches anywhere, and a hostile one not at all") {
  CHECK(Pattern::compile("rde")->matches("orders"));
  CHECK(Pattern::compile("")->matches(""));
  CHECK_FALSE(Pattern::compile("^rde")->matches("orders"));
  CHECK_FALSE(Pattern::compile("^(?!amq\\.).*")->matches("amq.x"));
  CHECK_FALSE(Pattern::compile("(a+)+$")->matches(std::string(60, 'a') + "b"));
  CHECK_FALSE(Pattern::compile(std::string(70'000, 'a')).has_value());
  CHECK_FALSE(Pattern::compile(std::string(1000, '(')).has_value());
}

TEST_CASE("an empty definition is none") {
  CHECK(complaint("{}") == "no policy provided");
}

TEST_CASE("operators may set limits and nothing else") {
  auto parse = [](std::string_view json) {
    return parse_policy_definition(json, PolicyKind::operators);
  };
  CHECK(parse(R"({"delivery-limit":2,"expires":3,"message-ttl":0,"max-length":1,
                  "max-length-bytes":4,"max-in-memory-length":5,"max-in-memory-bytes":6})"));
  for (std::string_view key : {"overflow", "ha-mode", "dead-letter-exchange", "queue-version"}) {
    std::string name(key);
    auto parsed = parse("{\"" + name + "\":\"all\"}");
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().text == "Validation failed\n\n[{<<\"" + name +
                                     "\">>,<<\"all\">>}] are not recognised policy settings\n");
  }
}

TEST_CASE("of two definitions the lower limits hold") {
  auto policy = *parse_policy_definition(
      R"({"max-length":7,"message-ttl":5,"dead-letter-exchange":"x","ha-mode":"all"})");
  auto operator_policy = *parse_policy_definition(R"({"max-length":5,"message-ttl":9,"expires":1})",
                                                  PolicyKind::operators);
  CHECK(merge_definitions(&policy, &operator_policy) ==
        R"({"dead-letter-exchange":"x","expires":1,"ha-mode":"all","max-length":5,)"
        R"("message-ttl":5})");
  CHECK(merge_definitions(nullptr, &operator_policy) == operator_policy.text);
  CHECK(merge_definitions(nullptr, nullptr).empty());
}
