#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace warren::base {

struct FieldValue;

/// An ordered list of (name, value). Order and repeats are kept as they arrived.
class FieldTable {
 public:
  using Entry = std::pair<std::string, FieldValue>;

  FieldTable() = default;
  FieldTable(std::initializer_list<Entry> entries);

  /// The first value of that name, or null.
  const FieldValue* find(std::string_view name) const;
  /// Replaces the value of that name, or adds it at the end.
  void set(std::string_view name, FieldValue value);
  void add(std::string name, FieldValue value);
  void erase(std::string_view name);

  bool empty() const;
  std::size_t size() const;
  std::vector<Entry>::const_iterator begin() const;
  std::vector<Entry>::const_iterator end() const;

  bool operator==(const FieldTable& other) const;

 private:
  std::vector<Entry> entries_;
};

struct FieldVoid {
  bool operator==(const FieldVoid&) const = default;
};
struct FieldDecimal {
  std::uint8_t scale;
  std::uint32_t value;
  bool operator==(const FieldDecimal&) const = default;
};
struct FieldTimestamp {
  std::uint64_t seconds;
  bool operator==(const FieldTimestamp&) const = default;
};
/// Bytes that are not text (tag 'x'); text is a plain std::string (tag 'S').
struct FieldBinary {
  std::string bytes;
  bool operator==(const FieldBinary&) const = default;
};
using FieldArray = std::vector<FieldValue>;

/// One value of a field table, with its exact wire type, so that a table survives a round trip.
struct FieldValue {
  using Variant =
      std::variant<FieldVoid, bool, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t,
                   std::int32_t, std::uint32_t, std::int64_t, float, double, FieldDecimal,
                   std::string, FieldBinary, FieldArray, FieldTimestamp, FieldTable>;
  Variant value;

  FieldValue() = default;
  template <typename T>
    requires(!std::is_same_v<std::remove_cvref_t<T>, FieldValue> &&
             std::is_constructible_v<Variant, T &&>)
  FieldValue(T&& from) : value(std::forward<T>(from)) {}
  FieldValue(const char* text) : value(std::string(text)) {}

  template <typename T>
  const T* as() const { return std::get_if<T>(&value); }
  /// The value of any integer type, or empty for other types.
  bool is_integer() const;
  std::int64_t to_integer() const;
  /// The name that RabbitMQ's error texts use: longstr, signedint, long, bool, table...
  std::string_view type_name() const;

  bool operator==(const FieldValue& other) const { return value == other.value; }
};

/// The AMQP 0-9-1 table encoding with RabbitMQ's tags (t b B s u I i l L f d D S A T F V x),
/// including its four length octets; it serves on the wire, on disk and between nodes.
void write_field_table(ByteWriter& writer, const FieldTable& table);
/// Nesting deeper than 32 levels is an error.
Result<FieldTable> read_field_table(ByteReader& reader);
/// Reads fields to the end of `bytes`: a table body without its length (AMQPLAIN).
Result<FieldTable> read_field_table_body(ByteView bytes);

}  // namespace warren::base
