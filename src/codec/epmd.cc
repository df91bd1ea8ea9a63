#include "codec/epmd.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/assert.h"

namespace warren::codec::epmd {
namespace {

constexpr std::uint8_t alive_request_tag = 120;
constexpr std::uint8_t port_request_tag = 122;
constexpr std::uint8_t names_request_tag = 110;
constexpr std::uint8_t alive_response_tag = 121;
constexpr std::uint8_t alive_x_response_tag = 118;
constexpr std::uint8_t port_response_tag = 119;
constexpr std::size_t max_name_size = 255;

auto malformed(std::string_view what) {
  return base::fail(base::ErrorCode::frame_error, fmt::format("epmd: malformed {}", what));
}

void write_node(base::ByteWriter& writer, const NodeInfo& node) {
  ASSERT(node.name.size() <= max_name_size && node.extra.size() <= UINT16_MAX);
  writer.u16(node.port);
  writer.u8(node.node_type);
  writer.u8(node.protocol);
  writer.u16(node.highest_version);
  writer.u16(node.lowest_version);
  writer.u16(static_cast<std::uint16_t>(node.name.size()));
  writer.raw(node.name);
  writer.u16(static_cast<std::uint16_t>(node.extra.size()));
  writer.raw(node.extra);
}

NodeInfo read_node(base::ByteReader& reader) {
  NodeInfo node;
  node.port = reader.u16();
  node.node_type = reader.u8();
  node.protocol = reader.u8();
  node.highest_version = reader.u16();
  node.lowest_version = reader.u16();
  node.name = reader.raw(reader.u16());
  node.extra = reader.raw(reader.u16());
  return node;
}

/// Names stand in a text answer, one on a line.
bool is_usable_name(std::string_view name) {
  if (name.empty() || name.size() > max_name_size) return false;
  return std::ranges::none_of(
      name, [](char octet) { return octet == '\0' || octet == '\n' || octet == ' '; });
}

base::Result<Request> decode_request(ByteView body) {
  base::ByteReader reader(body);
  std::uint8_t tag = reader.u8();
  if (tag == alive_request_tag) {
    AliveRequest request{read_node(reader)};
    if (reader.failed() || !reader.empty() || !is_usable_name(request.node.name))
      return malformed("alive request");
    return request;
  }
  if (tag == port_request_tag) {
    if (!is_usable_name(reader.rest())) return malformed("port request");
    return PortRequest{std::string(reader.rest())};
  }
  if (tag == names_request_tag) return NamesRequest{};
  return OtherRequest{tag};
}

struct RequestWriter {
  base::ByteWriter& writer;

  void operator()(const AliveRequest& request) {
    writer.u8(alive_request_tag);
    write_node(writer, request.node);
  }
  void operator()(const PortRequest& request) {
    writer.u8(port_request_tag);
    writer.raw(request.name);
  }
  void operator()(const NamesRequest&) { writer.u8(names_request_tag); }
  void operator()(const OtherRequest& request) { writer.u8(request.tag); }
};

/// Takes a line off the front; the last one may lack its end.
std::string_view take_line(std::string_view& text) {
  std::size_t size = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return line;
}

std::optional<NamesResponse::Node> parse_node_line(std::string_view line) {
  constexpr std::string_view before = "name ", between = " at port ";
  if (!line.starts_with(before)) return {};
  line.remove_prefix(before.size());
  std::size_t name_size = line.find(between);
  if (name_size == std::string_view::npos) return {};
  NamesResponse::Node node{.name = std::string(line.substr(0, name_size))};
  std::string_view digits = line.substr(name_size + between.size());
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), node.port);
  if (error != std::errc{} || end == digits.data()) return {};
  return node;
}

}  // namespace

void encode_request(Bytes& out, const Request& request) {
  Bytes body;
  base::ByteWriter body_writer(body);
  std::visit(RequestWriter{body_writer}, request);
  ASSERT(body.size() <= UINT16_MAX);
  base::ByteWriter writer(out);
  writer.u16(static_cast<std::uint16_t>(body.size()));
  writer.raw(body);
}

base::Result<std::optional<Request>> take_request(Bytes& buffer) {
  if (buffer.size() < 2) return std::nullopt;
  std::size_t size = base::ByteReader(buffer).u16();
  if (size == 0 || size > max_request_size) return malformed("request length");
  if (buffer.size() < 2 + size) return std::nullopt;
  TRY_ASSIGN(Request request, decode_request(ByteView(buffer).substr(2, size)));
  buffer.erase(0, 2 + size);
  return request;
}

void encode_alive_response(Bytes& out, const AliveResponse& response) {
  base::ByteWriter writer(out);
  writer.u8(response.is_extended ? alive_x_response_tag : alive_response_tag);
  writer.u8(response.result);
  if (response.is_extended)
    writer.u32(response.creation);
  else
    writer.u16(static_cast<std::uint16_t>(response.creation));
}

base::Result<std::optional<AliveResponse>> take_alive_response(Bytes& buffer) {
  if (buffer.empty()) return std::nullopt;
  base::ByteReader reader(buffer);
  std::uint8_t tag = reader.u8();
  if (tag != alive_response_tag && tag != alive_x_response_tag) return malformed("alive response");
  AliveResponse response;
  response.is_extended = tag == alive_x_response_tag;
  response.result = reader.u8();
  response.creation = response.is_extended ? reader.u32() : reader.u16();
  if (reader.failed()) return std::nullopt;
  buffer.erase(0, buffer.size() - reader.rest().size());
  return response;
}

void encode_port_response(Bytes& out, const PortResponse& response) {
  base::ByteWriter writer(out);
  writer.u8(port_response_tag);
  writer.u8(response.node ? 0 : 1);
  if (response.node) write_node(writer, *response.node);
}

base::Result<std::optional<PortResponse>> take_port_response(Bytes& buffer) {
  if (buffer.empty()) return std::nullopt;
  base::ByteReader reader(buffer);
  if (reader.u8() != port_response_tag) return malformed("port response");
  std::uint8_t result = reader.u8();
  if (reader.failed()) return std::nullopt;
  PortResponse response;
  if (result == 0) response.node = read_node(reader);
  if (reader.failed()) return std::nullopt;
  if (response.node && !is_usable_name(response.node->name)) return malformed("port response");
  buffer.erase(0, buffer.size() - reader.rest().size());
  return response;
}

void encode_names_response(Bytes& out, const NamesResponse& response) {
  base::ByteWriter writer(out);
  writer.u32(response.epmd_port);
  for (const NamesResponse::Node& node : response.nodes)
    writer.raw(fmt::format("name {} at port {}\n", node.name, node.port));
}

base::Result<NamesResponse> decode_names_response(ByteView whole) {
  if (whole.size() < 4 || whole.size() > max_names_size) return malformed("names response");
  NamesResponse response;
  response.epmd_port = base::ByteReader(whole).u32();
  std::string_view lines = whole.substr(4);
  while (!lines.empty())
    if (auto node = parse_node_line(take_line(lines))) response.nodes.push_back(std::move(*node));
  return response;
}

}  // namespace warren::codec::epmd
