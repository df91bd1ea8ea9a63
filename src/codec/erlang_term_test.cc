#include "codec/erlang_term.h"

#include <doctest/doctest.h>

#include "codec/test_bytes.h"

using namespace warren::codec;
using namespace warren::codec::erlang;
using warren::base::ErrorCode;
using warren::base::Random;

namespace {

Term parsed(std::string_view text) {
  auto term = parse_term(text);
  INFO(text);
  REQUIRE(term.has_value());
  return *term;
}

std::string error_of(std::string_view text) {
  auto term = parse_term(text);
  REQUIRE_FALSE(term.has_value());
  CHECK(term.error().code == ErrorCode::invalid_argument);
  return term.error().text;
}

}  // namespace

TEST_CASE("each kind of term is parsed") {
  CHECK(parsed("rabbit1@vm") == atom("rabbit1@vm"));
  CHECK(parsed("'apply-to'") == atom("apply-to"));
  CHECK(parsed("'a\\'b'") == atom("a'b"));
  CHECK(parsed("-42") == Term(-42));
  CHECK(parsed("16#fF") == Term(255));
  CHECK(parsed("1_000") == Term(1000));
  CHECK(parsed("$a") == Term(97));
  CHECK(parsed("$\\n") == Term(10));
  CHECK(parsed("0.4") == Term(0.4));
  CHECK(parsed("-1.5e-3") == Term(-1.5e-3));
  CHECK(parsed("\"a\\tb\\x41\\x{e9}\\101\"") == string("a\tbA\xC3\xA9"
                                                       "A"));
  CHECK(parsed("\"one \" \n \"two\"") == string("one two"));
  CHECK(parsed("<<\"x\">>") == binary("x"));
  CHECK(parsed("<<>>") == binary(""));
  CHECK(parsed("<<1,\"a\",255>>") == binary("\x01"
                                            "a\xFF"));
  CHECK(parsed("<<\"\xC3\xA9\"/utf8>>") == binary("\xC3\xA9"));
  CHECK(parsed("<<\"\xC3\xA9\">>") == binary("\xE9"));
  CHECK(parsed("{a, {}, []}") == Tuple{atom("a"), Tuple{}, List{}});
  CHECK(parsed("[1,2|[3]]") == List{1, 2, 3});
  CHECK(parsed("#{a => 1}") == Map{{{atom("a"), Term(1)}}});
}

TEST_CASE("strings, binaries, atoms and lists stay apart") {
  CHECK(parsed("\"x\"") != parsed("<<\"x\">>"));
  CHECK(parsed("\"x\"") != parsed("x"));
  CHECK(parsed("[120]") != parsed("\"x\""));
  CHECK(parsed("\"\"").items()->empty());
  CHECK(parsed("[]").text()->empty());
}

TEST_CASE("a plugins file is parsed") {
  auto terms = parse_terms("%% which plugins\n[rabbitmq_management,\n rabbitmq_shovel]. % done\n");
  REQUIRE(terms.has_value());
  CHECK(*terms == std::vector<Term>{List{atom("rabbitmq_management"), atom("rabbitmq_shovel")}});
  CHECK(parse_terms("")->empty());
  CHECK(parse_terms("a. b. 1.5. 2.")->size() == 4);
}

TEST_CASE("a classic configuration file is read by its pairs") {
  Term config = parsed(R"([
    {rabbit, [
       {tcp_listeners, [5673, {"127.0.0.1", 5674}]},  % two of them
       {vm_memory_high_watermark, {absolute, "1GB"}},
       {cluster_nodes, {['rabbit@host-1', rabbit@b], disc}},
       {queue_master_locator, <<"client-local">>},
       hipe_compile,
       {heartbeat, 60}]},
    {kernel, [{net_ticktime, 60}]}
  ].)");
  const Term* rabbit = find_pair(config, "rabbit");
  REQUIRE(rabbit != nullptr);
  CHECK(find_pair(*rabbit, "tcp_listeners")->items()->at(1) == Tuple{string("127.0.0.1"), 5674});
  CHECK(*find_pair(*rabbit, "queue_master_locator")->text() == "client-local");
  CHECK(find_pair(*rabbit, "hipe_compile")->is_atom("true"));
  CHECK(find_pair(*rabbit, "missing") == nullptr);
  CHECK(find_pair(atom("x"), "missing") == nullptr);
  CHECK(*find_pair(*find_pair(config, "kernel"), "net_ticktime") == Term(60));
}

TEST_CASE("errors say where and what") {
  CHECK(error_of("[{a,1},\n {b,2}\n {c,3}]") == "line 3: expected ',' or ']', but found {");
  CHECK(error_of("[a,\n b") == "line 2: expected ',' or ']', but the text ends");
  CHECK(error_of("\"abc") == "line 1: a quote is never closed");
  CHECK(error_of("{Name}") == "line 1: a name that begins with a capital must be quoted: 'Name'");
  CHECK(error_of("[end]") == "line 1: 'end' is a reserved word: quote it");
  CHECK(error_of("99999999999999999999") == "line 1: malformed or too large integer");
  CHECK(error_of("a b") == "line 1: expected the end, but found b");
  CHECK(error_of("") == "line 1: expected a term, but the text ends");
  CHECK(error_of("[a|b]") == "line 1: the tail of a list must be a list");
  CHECK(parse_terms("[a]").error().text == "line 1: expected a full stop, but the text ends");
}

TEST_CASE("depth and size are bounded") {
  CHECK(parse_term(std::string(100, '[') + std::string(100, ']')).has_value());
  CHECK(error_of(std::string(200000, '[')) == "line 1: nested too deeply");
  CHECK(error_of(std::string(200000, '{')) == "line 1: nested too deeply");
  std::string quotes = "[";
  for (int i = 0; i < 200000; ++i) quotes += "'',";
  CHECK_FALSE(parse_term(quotes).has_value());
  CHECK(error_of(std::string(2000000, ' ')) == "longer than 1 MiB");
}

TEST_CASE("random text never upsets the parser, and what is read prints and reads the same") {
  Random random(8);
  const std::string sound =
      "[{rabbit,[{a,\"text\"},{b,<<1,2>>},{'C d',-1.5e10},{e,16#ff,$x,#{k => v}}]}, % c\n x].";
  static constexpr std::string_view alphabet = "[]{}<>\"'\\,.%#$|=-+0123456789eaxz_@ \n\xC3\xA9/";
  int accepted = 0;
  for (int round = 0; round < 30000; ++round) {
    std::string text = sound;
    for (std::uint64_t n = random.below(5) + 1; n > 0; --n)
      text[random.below(text.size())] = alphabet[random.below(alphabet.size())];
    if (random.chance(20)) text = random_bytes(random, 40);
    auto term = parse_term(text);
    if (!term) continue;
    ++accepted;
    std::string flat = print_flat(*term);
    auto again = parse_term(flat);
    INFO(flat);
    REQUIRE(again.has_value());
    CHECK(print_flat(*again) == flat);
    CHECK(print_flat(*parse_term(print_pretty(*term))) == flat);
  }
  CHECK(accepted > 1000);
}

TEST_CASE("cut text is an error, not a crash") {
  const std::string text = "[{a,\"t\\x{41}\"},<<\"b\"/utf8>>,'q\\n',1.5e3,16#ff,#{k => [v|[]]}]";
  for (std::size_t cut = 0; cut < text.size(); ++cut)
    CHECK_FALSE(parse_term(std::string_view(text).substr(0, cut)).has_value());
}
