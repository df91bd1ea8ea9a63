#include "server/cookie.h"

#include <doctest/doctest.h>

using namespace warren::server;

TEST_CASE("a cookie is what is left without trailing blanks") {
  CHECK(*parse_cookie("ABCDEF") == "ABCDEF");
  CHECK(*parse_cookie("ABC DEF \r\n") == "ABC DEF");
  CHECK(parse_cookie("").error().text == "Too short cookie string");
  CHECK(parse_cookie("\n").error().text == "Too short cookie string");
  CHECK(parse_cookie("A\tB").error().text == "Bad characters in cookie");
  CHECK(!parse_cookie(std::string(300, 'A')));
}
