#include <doctest/doctest.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/field_value.h"
#include "base/random.h"

using namespace warren::base;

TEST_CASE("crc32c gives the published check value") {
  CHECK(crc32c("123456789") == 0xE3069283u);
  CHECK(crc32c("6789", crc32c("12345")) == 0xE3069283u);
}

TEST_CASE("crc32c of much at once is that of one octet after the other") {
  Random random(1);
  Bytes bytes(4000, '\0');
  for (char& octet : bytes) octet = static_cast<char>(random.next());
  std::uint32_t expected = 77;
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    expected = crc32c(ByteView(bytes).substr(size - 1, 1), expected);
    CHECK(crc32c(ByteView(bytes).substr(0, size), 77) == expected);
  }
}

TEST_CASE("a reader that runs past the end fails for good") {
  ByteReader reader("\x01\x02");
  CHECK(reader.u32() == 0);
  CHECK(reader.failed());
  CHECK(reader.u8() == 0);
  CHECK_FALSE(reader.check("header").has_value());
}

TEST_CASE("a field table keeps every type over a round trip") {
  FieldTable inner{{"k", FieldValue("v")}};
  FieldTable table{{"bool", FieldValue(true)},
                   {"i8", FieldValue(std::int8_t{-1})},
                   {"u8", FieldValue(std::uint8_t{200})},
                   {"i16", FieldValue(std::int16_t{-300})},
                   {"u16", FieldValue(std::uint16_t{60000})},
                   {"i32", FieldValue(std::int32_t{-70000})},
                   {"u32", FieldValue(std::uint32_t{4000000000})},
                   {"i64", FieldValue(std::int64_t{-5000000000})},
                   {"f", FieldValue(1.5f)},
                   {"d", FieldValue(2.5)},
                   {"D", FieldValue(FieldDecimal{2, 314})},
                   {"S", FieldValue("text")},
                   {"x", FieldValue(FieldBinary{"\0\1"})},
                   {"A", FieldValue(FieldArray{FieldValue(true), FieldValue("x")})},
                   {"T", FieldValue(FieldTimestamp{1700000000})},
                   {"F", FieldValue(inner)},
                   {"V", FieldValue(FieldVoid{})}};
  Bytes bytes;
  ByteWriter writer(bytes);
  write_field_table(writer, table);
  ByteReader reader(bytes);
  auto read = read_field_table(reader);
  REQUIRE(read.has_value());
  CHECK(*read == table);
  CHECK(reader.empty());
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    ByteReader partial(ByteView(bytes).substr(0, cut));
    CHECK_FALSE(read_field_table(partial).has_value());
  }
}

TEST_CASE("a table nested without end is refused") {
  Bytes bytes;
  for (int i = 0; i < 100; ++i) {
    Bytes outer;
    ByteWriter writer(outer);
    writer.short_string("n");
    writer.u8('F');
    writer.long_string(bytes);
    bytes = outer;
  }
  CHECK_FALSE(read_field_table_body(bytes).has_value());
}

TEST_CASE("one seed gives one sequence") {
  Random a(7), b(7);
  for (int i = 0; i < 100; ++i) CHECK(a.next() == b.next());
}
