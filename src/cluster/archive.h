#pragma once

#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/field_value.h"
#include "base/id.h"
#include "broker/message.h"

/// One description of a structure's fields serves for writing and for reading: each structure has
/// `template <typename A> void fields(A& a) { a(first, second); }`. The layout is the fields in
/// that order, integers in network order, counts and lengths in four octets.
namespace warren::cluster {

class ArchiveWriter {
 public:
  explicit ArchiveWriter(base::Bytes& out) : out_(out) {}

  template <typename... Fields>
  void operator()(Fields&... fields) { (write(fields), ...); }

 private:
  void write(bool& value) { out_.boolean(value); }
  void write(std::uint8_t& value) { out_.u8(value); }
  void write(std::uint16_t& value) { out_.u16(value); }
  void write(std::uint32_t& value) { out_.u32(value); }
  void write(std::int32_t& value) { out_.u32(static_cast<std::uint32_t>(value)); }
  void write(std::uint64_t& value) { out_.u64(value); }
  void write(std::string& value) { out_.long_string(value); }
  void write(base::FieldTable& value) { base::write_field_table(out_, value); }
  void write(broker::Message& value) { out_.long_string(value.encoded()); }
  template <typename Tag>
  void write(base::Id<Tag>& value) { out_.u64(value.value); }
  template <typename T>
    requires std::is_enum_v<T>
  void write(T& value) { out_.u8(static_cast<std::uint8_t>(value)); }
  template <typename T>
  void write(std::vector<T>& values) {
    out_.u32(static_cast<std::uint32_t>(values.size()));
    for (T& value : values) write(value);
  }
  template <typename T>
  void write(std::optional<T>& value) {
    out_.boolean(value.has_value());
    if (value) write(*value);
  }
  template <typename... Ts>
  void write(std::variant<Ts...>& value) {
    out_.u8(static_cast<std::uint8_t>(value.index()));
    std::visit([this](auto& alternative) { write(alternative); }, value);
  }
  template <typename T>
    requires requires(T& value, ArchiveWriter& archive) { value.fields(archive); }
  void write(T& value) { value.fields(*this); }

  base::ByteWriter out_;
};

/// Reads what ArchiveWriter wrote, from bytes that may be anything: a failed read leaves default
/// values behind and `failed()` true.
class ArchiveReader {
 public:
  explicit ArchiveReader(base::ByteView bytes) : in_(bytes) {}

  template <typename... Fields>
  void operator()(Fields&... fields) { (read(fields), ...); }

  bool failed() const { return in_.failed(); }
  bool empty() const { return in_.empty(); }

 private:
  void read(bool& value) { value = in_.boolean(); }
  void read(std::uint8_t& value) { value = in_.u8(); }
  void read(std::uint16_t& value) { value = in_.u16(); }
  void read(std::uint32_t& value) { value = in_.u32(); }
  void read(std::int32_t& value) { value = static_cast<std::int32_t>(in_.u32()); }
  void read(std::uint64_t& value) { value = in_.u64(); }
  void read(std::string& value) { value = in_.long_string(); }
  void read(base::FieldTable& value) {
    auto table = base::read_field_table(in_);
    if (table)
      value = std::move(*table);
    else
      in_.fail();
  }
  void read(broker::Message& value) {
    auto message = broker::Message::decode(in_.long_string());
    if (message)
      value = std::move(*message);
    else
      in_.fail();
  }
  template <typename Tag>
  void read(base::Id<Tag>& value) { value.value = in_.u64(); }
  template <typename T>
    requires std::is_enum_v<T>
  void read(T& value) { value = static_cast<T>(in_.u8()); }
  template <typename T>
  void read(std::vector<T>& values) {
    std::uint32_t count = in_.u32();
    values.clear();
    // An element takes at least one octet, so a count beyond the rest is a lie.
    if (count > in_.rest().size()) return in_.fail();
    for (std::uint32_t i = 0; i < count && !in_.failed(); ++i) read(values.emplace_back());
  }
  template <typename T>
  void read(std::optional<T>& value) {
    value.reset();
    if (in_.boolean()) read(value.emplace());
  }
  template <typename... Ts>
  void read(std::variant<Ts...>& value) {
    std::size_t index = in_.u8();
    if (index >= sizeof...(Ts)) return in_.fail();
    std::size_t at = 0;
    ((at++ == index ? read(value.template emplace<Ts>()) : void()), ...);
  }
  template <typename T>
    requires requires(T& value, ArchiveReader& archive) { value.fields(archive); }
  void read(T& value) { value.fields(*this); }

  base::ByteReader in_;
};

template <typename T>
void write_archive(base::Bytes& out, T& value) {
  ArchiveWriter writer(out);
  writer(value);
}

template <typename T>
base::Result<T> read_archive(base::ByteView bytes, std::string_view what) {
  ArchiveReader reader(bytes);
  T value{};
  reader(value);
  if (reader.failed() || !reader.empty())
    return base::fail(base::ErrorCode::corrupt, std::string(what) + " does not decode");
  return value;
}

}  // namespace warren::cluster
