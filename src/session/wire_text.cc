#include "session/wire_text.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace warren::session {

using base::FieldValue;

namespace {

struct MethodShape {
  std::string_view name;
  std::uint16_t class_id, method_id;
  /// s S: short and long string, o h l q: 1, 2, 4, 8 octets, b: bit, t: table; - is reserved.
  std::string_view arguments;
};

constexpr MethodShape shapes[] = {
    {"connection.start", 10, 10,
     "o:version_major o:version_minor t:server_properties S:mechanisms S:locales"},
    {"connection.start-ok", 10, 11, "t:client_properties s:mechanism S:response s:locale"},
    {"connection.tune", 10, 30, "h:channel_max l:frame_max h:heartbeat"},
    {"connection.tune-ok", 10, 31, "h:channel_max l:frame_max h:heartbeat"},
    {"connection.open", 10, 40, "s:virtual_host s:- b:-"},
    {"connection.open-ok", 10, 41, "s:-"},
    {"connection.close", 10, 50, "h:code s:text h:class h:method"},
    {"connection.close-ok", 10, 51, ""},
    {"connection.blocked", 10, 60, "s:reason"},
    {"connection.unblocked", 10, 61, ""},
    {"connection.update-secret", 10, 70, "S:new_secret s:reason"},
    {"connection.update-secret-ok", 10, 71, ""},
    {"channel.open", 20, 10, "s:-"},
    {"channel.open-ok", 20, 11, "S:-"},
    {"channel.flow", 20, 20, "b:active"},
    {"channel.flow-ok", 20, 21, "b:active"},
    {"channel.close", 20, 40, "h:code s:text h:class h:method"},
    {"channel.close-ok", 20, 41, ""},
    {"access.request", 30, 10, "s:realm b:exclusive b:passive b:active b:write b:read"},
    {"access.request-ok", 30, 11, "h:ticket"},
    {"exchange.declare", 40, 10,
     "h:- s:exchange s:type b:passive b:durable b:auto_delete b:internal b:no_wait t:arguments"},
    {"exchange.declare-ok", 40, 11, ""},
    {"exchange.delete", 40, 20, "h:- s:exchange b:if_unused b:no_wait"},
    {"exchange.delete-ok", 40, 21, ""},
    {"exchange.bind", 40, 30, "h:- s:destination s:source s:key b:no_wait t:arguments"},
    {"exchange.bind-ok", 40, 31, ""},
    {"exchange.unbind", 40, 40, "h:- s:destination s:source s:key b:no_wait t:arguments"},
    {"exchange.unbind-ok", 40, 51, ""},
    {"queue.declare", 50, 10,
     "h:- s:queue b:passive b:durable b:exclusive b:auto_delete b:no_wait t:arguments"},
    {"queue.declare-ok", 50, 11, "s:queue l:messages l:consumers"},
    {"queue.bind", 50, 20, "h:- s:queue s:exchange s:key b:no_wait t:arguments"},
    {"queue.bind-ok", 50, 21, ""},
    {"queue.purge", 50, 30, "h:- s:queue b:no_wait"},
    {"queue.purge-ok", 50, 31, "l:messages"},
    {"queue.delete", 50, 40, "h:- s:queue b:if_unused b:if_empty b:no_wait"},
    {"queue.delete-ok", 50, 41, "l:messages"},
    {"queue.unbind", 50, 50, "h:- s:queue s:exchange s:key t:arguments"},
    {"queue.unbind-ok", 50, 51, ""},
    {"basic.qos", 60, 10, "l:size h:count b:global"},
    {"basic.qos-ok", 60, 11, ""},
    {"basic.consume", 60, 20,
     "h:- s:queue s:tag b:no_local b:no_ack b:exclusive b:no_wait t:arguments"},
    {"basic.consume-ok", 60, 21, "s:tag"},
    {"basic.cancel", 60, 30, "s:tag b:no_wait"},
    {"basic.cancel-ok", 60, 31, "s:tag"},
    {"basic.publish", 60, 40, "h:- s:exchange s:key b:mandatory b:immediate"},
    {"basic.return", 60, 50, "h:code s:text s:exchange s:key"},
    {"basic.deliver", 60, 60, "s:consumer q:tag b:redelivered s:exchange s:key"},
    {"basic.get", 60, 70, "h:- s:queue b:no_ack"},
    {"basic.get-ok", 60, 71, "q:tag b:redelivered s:exchange s:key l:left"},
    {"basic.get-empty", 60, 72, "s:-"},
    {"basic.ack", 60, 80, "q:tag b:multiple"},
    {"basic.reject", 60, 90, "q:tag b:requeue"},
    {"basic.recover-async", 60, 100, "b:requeue"},
    {"basic.recover", 60, 110, "b:requeue"},
    {"basic.recover-ok", 60, 111, ""},
    {"basic.nack", 60, 120, "q:tag b:multiple b:requeue"},
    {"confirm.select", 85, 10, "b:no_wait"},
    {"confirm.select-ok", 85, 11, ""},
    {"tx.select", 90, 10, ""},
    {"tx.select-ok", 90, 11, ""},
    {"tx.commit", 90, 20, ""},
    {"tx.commit-ok", 90, 21, ""},
    {"tx.rollback", 90, 30, ""},
    {"tx.rollback-ok", 90, 31, ""},
};

/// In the order of their flags, from the highest.
constexpr std::string_view properties[] = {
    "s:content_type",   "s:content_encoding", "t:headers",    "o:delivery_mode", "o:priority",
    "s:correlation_id", "s:reply_to",         "s:expiration", "s:message_id",    "q:timestamp",
    "s:type",           "s:user_id",          "s:app_id",     "s:cluster_id"};

using Arguments = std::map<std::string, std::string, std::less<>>;

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end != 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::uint64_t number_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  REQUIRE_MESSAGE((fault == std::errc() && end == text.data() + text.size()),
                  "not a number: " << std::string(text));
  return static_cast<std::uint64_t>(value);
}

/// Takes a word, or a text in double quotes, up to one of `stops`.
std::string take_text(std::string_view& line, std::string_view stops) {
  std::string text;
  bool is_quoted = false;
  while (!line.empty() && (is_quoted || stops.find(line[0]) == std::string_view::npos)) {
    const char next = line[0];
    line.remove_prefix(1);
    if (next == '"') {
      is_quoted = !is_quoted;
    } else if (next == '\\' && !line.empty()) {
      const char named = line[0];
      text.push_back(named >= '0' && named <= '9' ? static_cast<char>(named - '0') : named);
      line.remove_prefix(1);
    } else {
      text.push_back(next);
    }
  }
  return text;
}

base::FieldTable take_table(std::string_view& text);

FieldValue take_value(std::string_view& text) {
  REQUIRE(text.size() >= 2);
  const char tag = text[0];
  text.remove_prefix(2);
  if (tag == 'F') return take_table(text);
  if (tag == 'A') {
    base::FieldArray array;
    REQUIRE(text.starts_with('['));
    text.remove_prefix(1);
    while (!text.starts_with(']')) {
      array.push_back(take_value(text));
      if (text.starts_with(',')) text.remove_prefix(1);
    }
    text.remove_prefix(1);
    return array;
  }
  const std::string word = take_text(text, ",}]");
  switch (tag) {
    case 'S':
      return word;
    case 't':
      return word == "true";
    case 'd':
      return std::stod(word);
    case 's':
      return static_cast<std::int16_t>(number_of(word));
    case 'I':
      return static_cast<std::int32_t>(number_of(word));
    case 'l':
      return static_cast<std::int64_t>(number_of(word));
    default:
      FAIL("unknown field tag " << tag);
      return {};
  }
}

base::FieldTable take_table(std::string_view& text) {
  base::FieldTable table;
  REQUIRE(text.starts_with('{'));
  text.remove_prefix(1);
  while (!text.starts_with('}')) {
    REQUIRE(!text.empty());
    std::string name = take_text(text, ":");
    text.remove_prefix(1);
    table.add(std::move(name), take_value(text));
    if (text.starts_with(',')) text.remove_prefix(1);
  }
  text.remove_prefix(1);
  return table;
}

/// name=value and flags; a table's text is kept for take_table.
Arguments take_arguments(std::string_view line) {
  Arguments arguments;
  while (!line.empty()) {
    if (line[0] == ' ') {
      line.remove_prefix(1);
      continue;
    }
    std::string name = take_text(line, "= ");
    std::string value = "1";
    if (line.starts_with('=')) {
      line.remove_prefix(1);
      if (line.starts_with('{')) {
        const std::string_view begin = line;
        take_table(line);
        value = begin.substr(0, begin.size() - line.size());
      } else {
        value = take_text(line, " ");
      }
    }
    arguments[std::move(name)] = std::move(value);
  }
  return arguments;
}

void write_value(base::ByteWriter& writer, char type, const std::string& text) {
  switch (type) {
    case 's':
      return writer.short_string(text);
    case 'S':
      return writer.long_string(text);
    case 'o':
      return writer.u8(static_cast<std::uint8_t>(number_of(text)));
    case 'h':
      return writer.u16(static_cast<std::uint16_t>(number_of(text)));
    case 'l':
      return writer.u32(static_cast<std::uint32_t>(number_of(text)));
    case 'q':
      return writer.u64(number_of(text));
    default: {
      std::string_view rest = text;
      write_field_table(writer, rest.empty() ? base::FieldTable() : take_table(rest));
    }
  }
}

void write_arguments(base::Bytes& payload, std::string_view shape, Arguments arguments) {
  base::ByteWriter writer(payload);
  int bits_open = 0;
  std::uint8_t bits = 0;
  const auto close_bits = [&] {
    if (bits_open) writer.u8(bits);
    bits_open = bits = 0;
  };
  for (std::string_view argument : split(shape)) {
    const auto node = arguments.extract(std::string(argument.substr(2)));
    const std::string value = node.empty() ? std::string() : node.mapped();
    if (argument[0] == 'b') {
      if (!value.empty() && value != "0") bits = static_cast<std::uint8_t>(bits | 1 << bits_open);
      ++bits_open;
      continue;
    }
    close_bits();
    const bool is_number = std::string_view("ohlq").find(argument[0]) != std::string_view::npos;
    write_value(writer, argument[0], is_number && value.empty() ? "0" : value);
  }
  close_bits();
  REQUIRE_MESSAGE(arguments.empty(), "unknown argument " << arguments.begin()->first);
}

base::Bytes frame(std::uint8_t type, std::uint16_t channel, base::ByteView payload) {
  base::Bytes bytes;
  base::ByteWriter writer(bytes);
  writer.u8(type);
  writer.u16(channel);
  writer.long_string(payload);
  writer.u8(0xCE);
  return bytes;
}

base::Bytes header_payload(Arguments arguments) {
  base::Bytes payload;
  base::ByteWriter writer(payload);
  const auto take = [&](std::string_view name, std::string_view otherwise) {
    const auto node = arguments.extract(std::string(name));
    return node.empty() ? std::string(otherwise) : node.mapped();
  };
  writer.u16(static_cast<std::uint16_t>(number_of(take("class", "60"))));
  writer.u16(0);
  writer.u64(number_of(take("size", "0")));
  std::uint16_t flags = 0;
  base::Bytes list;
  base::ByteWriter list_writer(list);
  for (std::size_t i = 0; i < std::size(properties); ++i) {
    const auto node = arguments.extract(std::string(properties[i].substr(2)));
    if (node.empty()) continue;
    flags = static_cast<std::uint16_t>(flags | 0x8000 >> i);
    write_value(list_writer, properties[i][0], node.mapped());
  }
  REQUIRE_MESSAGE(arguments.empty(), "unknown property " << arguments.begin()->first);
  writer.u16(flags);
  writer.raw(list);
  return payload;
}

std::string quoted(std::string_view text) {
  const bool is_plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 127 && c != '"' && c != '\\';
  });
  if (is_plain) return std::string(text);
  std::string shown = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') shown.push_back('\\');
    if (c == '\0')
      shown.append("\\0");
    else
      shown.push_back(c);
  }
  return shown + '"';
}

std::string shown(const base::FieldTable& table);

std::string shown(const FieldValue& value) {
  if (const auto* text = value.as<std::string>()) return "S:" + quoted(*text);
  if (const auto* flag = value.as<bool>()) return *flag ? "t:true" : "t:false";
  if (const auto* table = value.as<base::FieldTable>()) return "F:" + shown(*table);
  if (value.is_integer()) return fmt::format("{}:{}", value.type_name(), value.to_integer());
  if (const auto* array = value.as<base::FieldArray>()) {
    std::string all;
    for (const FieldValue& item : *array) all += (all.empty() ? "" : ",") + shown(item);
    return "A:[" + all + "]";
  }
  return std::string(value.type_name());
}

std::string shown(const base::FieldTable& table) {
  std::string all;
  for (const auto& [name, value] : table)
    all += (all.empty() ? "" : ",") + name + ":" + shown(value);
  return "{" + all + "}";
}

std::string read_value(base::ByteReader& reader, char type) {
  switch (type) {
    case 's':
      return quoted(reader.short_string());
    case 'S':
      return quoted(reader.long_string());
    case 'o':
      return std::to_string(reader.u8());
    case 'h':
      return std::to_string(reader.u16());
    case 'l':
      return std::to_string(reader.u32());
    case 'q':
      return std::to_string(reader.u64());
    default:
      return shown(base::read_field_table(reader).value());
  }
}

std::string method_text(base::ByteView payload) {
  base::ByteReader reader(payload);
  const std::uint16_t class_id = reader.u16();
  const std::uint16_t method_id = reader.u16();
  const auto shape = std::ranges::find_if(shapes, [&](const MethodShape& candidate) {
    return candidate.class_id == class_id && candidate.method_id == method_id;
  });
  if (shape == std::end(shapes)) return fmt::format("{}.{}", class_id, method_id);
  std::string text(shape->name);
  int bit = 0;
  std::uint8_t bits = 0;
  for (std::string_view argument : split(shape->arguments)) {
    const std::string_view name = argument.substr(2);
    if (argument[0] == 'b') {
      if (bit == 0) bits = reader.u8();
      if (bits >> bit++ & 1) text.append(" ").append(name);
      continue;
    }
    bit = 0;
    const std::string value = read_value(reader, argument[0]);
    if (name != "-") text += fmt::format(" {}={}", name, value);
  }
  CHECK_MESSAGE((!reader.failed() && reader.empty()), "malformed " << text);
  return text;
}

std::string header_text(base::ByteView payload) {
  base::ByteReader reader(payload);
  reader.u32();
  std::string text = fmt::format("header size={}", reader.u64());
  const std::uint16_t flags = reader.u16();
  for (std::size_t i = 0; i < std::size(properties); ++i)
    if (flags & (0x8000 >> i))
      text += fmt::format(" {}={}", properties[i].substr(2), read_value(reader, properties[i][0]));
  CHECK_MESSAGE((!reader.failed() && reader.empty()), "malformed " << text);
  return text;
}

std::string frame_text(std::uint8_t type, base::ByteView payload) {
  switch (type) {
    case 1:
      return method_text(payload);
    case 2:
      return header_text(payload);
    case 3:
      return payload.size() > 200 ? fmt::format("body of {}", payload.size())
                                  : "body " + quoted(payload);
    case 8:
      return "heartbeat";
    default:
      return fmt::format("frame {} {}", type, quoted(payload));
  }
}

std::string take_word(std::string_view& line) {
  std::string word = take_text(line, " ");
  if (line.starts_with(' ')) line.remove_prefix(1);
  return word;
}

}  // namespace

base::Bytes frame_of(std::string_view line) {
  const auto channel = static_cast<std::uint16_t>(number_of(take_word(line)));
  const std::string name = take_word(line);
  if (name == "header") return frame(2, channel, header_payload(take_arguments(line)));
  if (name == "body") return frame(3, channel, take_text(line, ""));
  if (name == "heartbeat") return frame(8, channel, "");
  if (name == "frame") {
    const auto type = static_cast<std::uint8_t>(number_of(take_word(line)));
    return frame(type, channel, take_text(line, ""));
  }
  if (name == "publish") return publish_frames(fmt::format("{} {}", channel, line));
  const auto shape = std::ranges::find(shapes, name, &MethodShape::name);
  REQUIRE_MESSAGE(shape != std::end(shapes), "unknown method " << name);
  base::Bytes payload;
  base::ByteWriter writer(payload);
  writer.u16(shape->class_id);
  writer.u16(shape->method_id);
  write_arguments(payload, shape->arguments, take_arguments(line));
  return frame(1, channel, payload);
}

base::Bytes publish_frames(std::string_view line, std::size_t body_frame_size) {
  const std::string channel = take_word(line);
  const std::string exchange = take_word(line);
  const std::string key = take_word(line);
  const std::string body = take_word(line);
  std::string flags;
  std::string rest;
  while (!line.empty()) {
    const std::string_view before = line;
    if (const std::string word = take_word(line); word == "mandatory" || word == "immediate") {
      flags += " " + word;
    } else {
      rest = before;
      break;
    }
  }
  base::Bytes bytes = frame_of(
      fmt::format("{} basic.publish exchange=\"{}\" key=\"{}\"{}", channel, exchange, key, flags));
  bytes += frame_of(fmt::format("{} header size={} {}", channel, body.size(), rest));
  const auto number = static_cast<std::uint16_t>(number_of(channel));
  for (std::size_t at = 0; at < body.size(); at += body_frame_size)
    bytes += frame(3, number, base::ByteView(body).substr(at, body_frame_size));
  return bytes;
}

std::vector<std::string> lines_of(base::ByteView bytes) {
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    if (bytes.starts_with("AMQP")) {
      std::string hex;
      for (char c : bytes.substr(4, 4)) hex += fmt::format(" {}", static_cast<int>(c));
      lines.push_back("AMQP" + hex);
      bytes.remove_prefix(std::min<std::size_t>(8, bytes.size()));
      continue;
    }
    base::ByteReader reader(bytes);
    const std::uint8_t type = reader.u8();
    const std::uint16_t channel = reader.u16();
    const base::ByteView payload = reader.long_string();
    const std::uint8_t end = reader.u8();
    REQUIRE((!reader.failed() && end == 0xCE));
    lines.push_back(fmt::format("{} {}", channel, frame_text(type, payload)));
    bytes = reader.rest();
  }
  return lines;
}

}  // namespace warren::session
