#include "management/json.h"

#include <doctest/doctest.h>

#include "base/utf8.h"

using namespace warren;
using namespace warren::management;

TEST_CASE("doubles are printed as clients know them") {
  CHECK(print_json(0.0) == "0.0");
  CHECK(print_json(1.5) == "1.5");
  CHECK(print_json(1234.0) == "1234.0");
  CHECK(print_json(1.5132760149876093e-06) == "1.5132760149876093e-06");
  CHECK(print_json(7) == "7");
}

TEST_CASE("a number that is read and printed stays the same") {
  for (const char* text : {"4.4444444444444443e+21", "0.1", "7.205759403792795e+16",
                           "2.2250738585072014e-308", "18446744073709551615", "-7"})
    CHECK(print_json(*parse_json(text)) == text);
  CHECK(print_json(*parse_json("4444444444444444444444")) == "4.4444444444444443e+21");
  CHECK(print_json(*parse_json(R"( {"a":[1,-2.50,"b\u00e9",null,true,{}],"a":3.0e2} )")) ==
        R"({"a":300.0})");
  CHECK_FALSE(parse_json("[1.5] 2"));
  CHECK_FALSE(parse_json("1.5.5"));
}

TEST_CASE("text that is no UTF-8 still makes valid JSON") {
  CHECK(print_json(text_json("a\"\n\x01")) == "\"a\\\"\\n\\u0001\"");
  CHECK(print_json(text_json("\xff\xc3")) == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  CHECK(print_json(text_json("\xC3\xA9")) == "\"\xC3\xA9\"");
  CHECK_FALSE(base::is_utf8("\xED\xA0\x80"));
}

TEST_CASE("tables become objects, with types where they are asked for") {
  base::FieldTable table{{"x-max-length", base::FieldValue(std::int64_t{5})},
                         {"x-match", base::FieldValue("all")}};
  CHECK(print_json(table_json(table)) == R"({"x-max-length":5,"x-match":"all"})");
  CHECK(print_json(typed_table_json(table)) ==
        R"([["x-max-length","long",5],["x-match","longstr","all"]])");
  CHECK(json_table(table_json(table)) == table);
}

TEST_CASE("input is bounded in depth") {
  CHECK(parse_json("[1]").has_value());
  CHECK_FALSE(parse_json("[1").has_value());
  CHECK_FALSE(parse_json(std::string(1000, '[')).has_value());
  CHECK(decode_percent("%2Fa%20b") == "/a b");
  CHECK_FALSE(decode_percent("%2").has_value());
}
