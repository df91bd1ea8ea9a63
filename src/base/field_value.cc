#include "base/field_value.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace warren::base {
namespace {

constexpr int max_nesting = 32;

Result<FieldTable> read_entries(ByteReader reader, int depth);

Result<FieldArray> read_array(ByteView bytes, int depth);

Result<FieldValue> read_value(ByteReader& reader, int depth) {
  if (depth > max_nesting) return fail(ErrorCode::frame_error, "field table nested too deeply");
  switch (reader.u8()) {
    case 't': return FieldValue(reader.boolean());
    case 'b': return FieldValue(static_cast<std::int8_t>(reader.u8()));
    case 'B': return FieldValue(reader.u8());
    case 's': return FieldValue(static_cast<std::int16_t>(reader.u16()));
    case 'u': return FieldValue(reader.u16());
    case 'I': return FieldValue(static_cast<std::int32_t>(reader.u32()));
    case 'i': return FieldValue(reader.u32());
    case 'l':
    case 'L': return FieldValue(static_cast<std::int64_t>(reader.u64()));
    case 'f': return FieldValue(std::bit_cast<float>(reader.u32()));
    case 'd': return FieldValue(std::bit_cast<double>(reader.u64()));
    case 'D': {
      std::uint8_t scale = reader.u8();
      return FieldValue(FieldDecimal{scale, reader.u32()});
    }
    case 'S': return FieldValue(std::string(reader.long_string()));
    case 'x': return FieldValue(FieldBinary{std::string(reader.long_string())});
    case 'A': {
      TRY_ASSIGN(FieldArray array, read_array(reader.long_string(), depth + 1));
      return FieldValue(std::move(array));
    }
    case 'T': return FieldValue(FieldTimestamp{reader.u64()});
    case 'F': {
      TRY_ASSIGN(FieldTable table, read_entries(ByteReader(reader.long_string()), depth + 1));
      return FieldValue(std::move(table));
    }
    case 'V': return FieldValue(FieldVoid{});
    default: return fail(ErrorCode::frame_error, "unknown field type in table");
  }
}

Result<FieldArray> read_array(ByteView bytes, int depth) {
  ByteReader reader(bytes);
  FieldArray array;
  while (!reader.empty()) {
    TRY_ASSIGN(FieldValue value, read_value(reader, depth));
    array.push_back(std::move(value));
  }
  if (reader.failed()) return fail(ErrorCode::frame_error, "field array cut short");
  return array;
}

Result<FieldTable> read_entries(ByteReader reader, int depth) {
  FieldTable table;
  while (!reader.empty()) {
    std::string name(reader.short_string());
    TRY_ASSIGN(FieldValue value, read_value(reader, depth));
    table.add(std::move(name), std::move(value));
  }
  if (reader.failed()) return fail(ErrorCode::frame_error, "field table cut short");
  return table;
}

void write_value(ByteWriter& writer, const FieldValue& field);

struct ValueWriter {
  ByteWriter& writer;

  void operator()(FieldVoid) { writer.u8('V'); }
  void operator()(bool v) { writer.u8('t'), writer.boolean(v); }
  void operator()(std::int8_t v) { writer.u8('b'), writer.u8(static_cast<std::uint8_t>(v)); }
  void operator()(std::uint8_t v) { writer.u8('B'), writer.u8(v); }
  void operator()(std::int16_t v) { writer.u8('s'), writer.u16(static_cast<std::uint16_t>(v)); }
  void operator()(std::uint16_t v) { writer.u8('u'), writer.u16(v); }
  void operator()(std::int32_t v) { writer.u8('I'), writer.u32(static_cast<std::uint32_t>(v)); }
  void operator()(std::uint32_t v) { writer.u8('i'), writer.u32(v); }
  void operator()(std::int64_t v) { writer.u8('l'), writer.u64(static_cast<std::uint64_t>(v)); }
  void operator()(float v) { writer.u8('f'), writer.u32(std::bit_cast<std::uint32_t>(v)); }
  void operator()(double v) { writer.u8('d'), writer.u64(std::bit_cast<std::uint64_t>(v)); }
  void operator()(FieldDecimal v) { writer.u8('D'), writer.u8(v.scale), writer.u32(v.value); }
  void operator()(const std::string& v) { writer.u8('S'), writer.long_string(v); }
  void operator()(const FieldBinary& v) { writer.u8('x'), writer.long_string(v.bytes); }
  void operator()(FieldTimestamp v) { writer.u8('T'), writer.u64(v.seconds); }
  void operator()(const FieldTable& v) { writer.u8('F'), write_field_table(writer, v); }
  void operator()(const FieldArray& v) {
    writer.u8('A');
    std::size_t start = writer.size();
    writer.u32(0);
    for (const FieldValue& item : v) write_value(writer, item);
    writer.patch_u32(start, static_cast<std::uint32_t>(writer.size() - start - 4));
  }
};

void write_value(ByteWriter& writer, const FieldValue& field) {
  std::visit(ValueWriter{writer}, field.value);
}

}  // namespace

FieldTable::FieldTable(std::initializer_list<Entry> entries) : entries_(entries) {}

const FieldValue* FieldTable::find(std::string_view name) const {
  auto entry = std::ranges::find(entries_, name, &Entry::first);
  return entry == entries_.end() ? nullptr : &entry->second;
}

void FieldTable::set(std::string_view name, FieldValue value) {
  auto entry = std::ranges::find(entries_, name, &Entry::first);
  if (entry == entries_.end())
    entries_.emplace_back(name, std::move(value));
  else
    entry->second = std::move(value);
}

void FieldTable::add(std::string name, FieldValue value) {
  entries_.emplace_back(std::move(name), std::move(value));
}

void FieldTable::erase(std::string_view name) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.first == name; });
}

bool FieldTable::empty() const { return entries_.empty(); }
std::size_t FieldTable::size() const { return entries_.size(); }
std::vector<FieldTable::Entry>::const_iterator FieldTable::begin() const {
  return entries_.begin();
}
std::vector<FieldTable::Entry>::const_iterator FieldTable::end() const { return entries_.end(); }
bool FieldTable::operator==(const FieldTable& other) const { return entries_ == other.entries_; }

bool FieldValue::is_integer() const {
  return std::visit(
      []<typename T>(const T&) { return std::is_integral_v<T> && !std::is_same_v<T, bool>; },
      value);
}

std::int64_t FieldValue::to_integer() const {
  return std::visit(
      []<typename T>(const T& v) -> std::int64_t {
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
          return static_cast<std::int64_t>(v);
        else
          return 0;
      },
      value);
}

std::string_view FieldValue::type_name() const {
  // In the order of FieldValue::Variant.
  static constexpr std::string_view names[] = {
      "void",     "bool",   "byte",   "unsignedbyte", "short",   "unsignedshort",
      "signedint", "unsignedint", "long", "float",    "double",  "decimal",
      "longstr",  "binary", "array",  "timestamp",    "table"};
  static_assert(std::size(names) == std::variant_size_v<Variant>);
  return names[value.index()];
}

void write_field_table(ByteWriter& writer, const FieldTable& table) {
  std::size_t start = writer.size();
  writer.u32(0);
  for (const auto& [name, value] : table) {
    writer.short_string(std::string_view(name).substr(0, 255));
    write_value(writer, value);
  }
  writer.patch_u32(start, static_cast<std::uint32_t>(writer.size() - start - 4));
}

Result<FieldTable> read_field_table(ByteReader& reader) {
  ByteView body = reader.long_string();
  if (reader.failed()) return fail(ErrorCode::frame_error, "field table cut short");
  return read_entries(ByteReader(body), 0);
}

Result<FieldTable> read_field_table_body(ByteView bytes) {
  return read_entries(ByteReader(bytes), 0);
}

}  // namespace warren::base
