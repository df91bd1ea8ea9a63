#include "broker/route_headers.h"

#include <doctest/doctest.h>

using namespace warren;
using namespace warren::broker;
using base::FieldTable;
using base::FieldValue;

namespace {

bool fits(const FieldTable& binding, const FieldTable& headers) {
  HeadersTable table;
  table.add(binding, 3);
  std::vector<TargetNumber> out;
  table.match(&headers, out);
  return out == std::vector<TargetNumber>{3};
}

FieldTable with(const char* match, FieldTable table) {
  table.add("x-match", FieldValue(match));
  return table;
}

FieldValue integer(std::int32_t value) {
  return FieldValue(value);
}

}  // namespace

TEST_CASE("all is the default, any needs one") {
  FieldTable two{{"a", integer(1)}, {"b", integer(2)}};
  FieldTable one{{"a", integer(1)}}, other{{"a", integer(1)}, {"b", integer(3)}};
  CHECK(fits(two, two));
  CHECK(fits(one, two));
  CHECK_FALSE(fits(two, one));
  CHECK_FALSE(fits(two, other));
  CHECK_FALSE(fits(with("all", two), one));
  CHECK(fits(with("any", two), one));
  CHECK(fits(with("any", two), other));
  CHECK_FALSE(fits(with("any", two), {{"c", integer(1)}}));
}

TEST_CASE("nothing asked for: all fits and any does not") {
  CHECK(fits({}, {}));
  CHECK(fits(with("all", {}), {{"a", integer(1)}}));
  CHECK_FALSE(fits(with("any", {}), {{"a", integer(1)}}));
  HeadersTable table;
  table.add({}, 1);
  std::vector<TargetNumber> out;
  table.match(nullptr, out);
  CHECK(out.size() == 1);
}

TEST_CASE("names that start with x- count only when asked for") {
  FieldTable x{{"x-a", integer(1)}};
  CHECK(fits(with("all", x), {}));
  CHECK_FALSE(fits(with("any", x), x));
  CHECK_FALSE(fits(with("all-with-x", x), {}));
  CHECK(fits(with("all-with-x", x), x));
  CHECK(fits(with("any-with-x", x), x));
  CHECK_FALSE(fits(with("any-with-x", x), {}));
}

TEST_CASE("a void value asks only for presence") {
  FieldTable present{{"a", FieldValue()}};
  CHECK(fits(present, {{"a", integer(5)}}));
  CHECK(fits(present, {{"a", FieldValue()}}));
  CHECK_FALSE(fits(present, {{"b", integer(5)}}));
  CHECK_FALSE(fits({{"a", integer(5)}}, present));
}

TEST_CASE("values are compared without their types") {
  FieldValue one(std::int64_t{1});
  CHECK(is_same_value(one, FieldValue(std::uint8_t{1})));
  CHECK(is_same_value(one, FieldValue(1.0)));
  CHECK(is_same_value(FieldValue(1.0f), FieldValue(1.0)));
  CHECK(is_same_value(one, FieldValue(base::FieldTimestamp{1})));
  CHECK(is_same_value(FieldValue("t"), FieldValue(base::FieldBinary{"t"})));
  CHECK_FALSE(is_same_value(one, FieldValue("1")));
  CHECK_FALSE(is_same_value(one, FieldValue(true)));
  CHECK_FALSE(is_same_value(one, FieldValue(1.5)));
  CHECK_FALSE(
      is_same_value(FieldValue(std::int64_t{9007199254740993}), FieldValue(9007199254740992.0)));
  CHECK_FALSE(
      is_same_value(FieldValue(std::int64_t{-1}), FieldValue(base::FieldTimestamp{UINT64_MAX})));
  CHECK(is_same_value(FieldValue(base::FieldArray{one}), FieldValue(base::FieldArray{one})));
}
