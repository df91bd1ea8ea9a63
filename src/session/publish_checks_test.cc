#include "session/publish_checks.h"

#include <doctest/doctest.h>

using namespace warren::session::amqp091;

TEST_CASE("expirations") {
  CHECK(expiration_fault("0") == "");
  CHECK(expiration_fault("60000") == "");
  CHECK(expiration_fault("+5") == "");
  CHECK(expiration_fault("-0") == "");
  CHECK(expiration_fault("0315360000000") == "");
  CHECK(expiration_fault("315360000001") == "{value_too_large,315360000001}");
  CHECK(expiration_fault("99999999999999999999999") == "{value_too_large,99999999999999999999999}");
  CHECK(expiration_fault("") == "no_integer");
  CHECK(expiration_fault("-") == "no_integer");
  CHECK(expiration_fault("abc") == "no_integer");
  CHECK(expiration_fault("-12") == "{value_negative,-12}");
  CHECK(expiration_fault("10s") == "{leftover_string,\"s\"}");
  CHECK(expiration_fault("1.5") == "{leftover_string,\".5\"}");
}
