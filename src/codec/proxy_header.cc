#include "codec/proxy_header.h"

#include <arpa/inet.h>

#include <charconv>

namespace warren::codec::proxy {
namespace {

using base::ByteView;

constexpr ByteView text_prefix = "PROXY ";
constexpr ByteView binary_prefix("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t longest_text = 107;  // with its line end, as specified
constexpr std::size_t binary_fixed_size = 16;

std::unexpected<base::Error> refused(std::string text) {
  return base::fail(base::ErrorCode::frame_error, "PROXY protocol: " + std::move(text));
}

std::optional<std::string> canonical(int family, ByteView text) {
  const std::string terminated(text);
  in6_addr address{};
  char printed[INET6_ADDRSTRLEN] = {};
  if (terminated.find('\0') != std::string::npos ||
      inet_pton(family, terminated.c_str(), &address) != 1 ||
      !inet_ntop(family, &address, printed, sizeof printed))
    return {};
  return printed;
}

std::optional<std::uint16_t> decimal_port(ByteView text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return port;
}

/// The words of a line, each ended by one space or the end.
ByteView take_word(ByteView& line) {
  const ByteView word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return word;
}

base::Result<std::optional<Header>> read_text(ByteView bytes) {
  const std::size_t end = bytes.substr(0, longest_text).find("\r\n");
  if (end == ByteView::npos) {
    if (bytes.size() >= longest_text) return refused("the line does not end");
    return std::optional<Header>();
  }
  Header header;
  header.size = end + 2;
  ByteView line = bytes.substr(text_prefix.size(), end - text_prefix.size());
  const ByteView protocol = take_word(line);
  if (protocol == "UNKNOWN") return header;
  if (protocol != "TCP4" && protocol != "TCP6") return refused("neither TCP4, TCP6 nor UNKNOWN");
  const int family = protocol == "TCP4" ? AF_INET : AF_INET6;
  const auto source = canonical(family, take_word(line));
  const auto destination = canonical(family, take_word(line));
  const auto source_port = decimal_port(take_word(line));
  const auto destination_port = decimal_port(line);
  if (!source || !destination || !source_port || !destination_port)
    return refused("malformed addresses");
  header.source = Endpoint{*source, *source_port};
  header.destination = Endpoint{*destination, *destination_port};
  return header;
}

std::string address_text(int family, ByteView octets) {
  char printed[INET6_ADDRSTRLEN] = {};
  inet_ntop(family, octets.data(), printed, sizeof printed);
  return printed;
}

base::Result<std::optional<Header>> read_binary(ByteView bytes) {
  if (bytes.size() < binary_fixed_size) return std::optional<Header>();
  base::ByteReader reader(bytes.substr(binary_prefix.size()));
  const std::uint8_t version_and_command = reader.u8();
  const std::uint8_t family_and_transport = reader.u8();
  const std::size_t length = reader.u16();
  const int command = version_and_command & 0x0F;
  if (version_and_command >> 4 != 2) return refused("unknown version");
  if (command > 1) return refused("unknown command");
  Header header;
  header.size = binary_fixed_size + length;
  if (header.size > max_header_size) return refused("the header is too long");
  if (bytes.size() < header.size) return std::optional<Header>();
  // Other families, and a proxy that speaks for itself, leave the connection's own ends.
  const bool is_v4 = family_and_transport == 0x11;
  if (command == 0 || (!is_v4 && family_and_transport != 0x21)) return header;
  const std::size_t address_size = is_v4 ? 4 : 16;
  if (length < 2 * address_size + 4) return refused("the addresses are cut off");
  const int family = is_v4 ? AF_INET : AF_INET6;
  Endpoint source, destination;
  source.address = address_text(family, reader.raw(address_size));
  destination.address = address_text(family, reader.raw(address_size));
  source.port = reader.u16();
  destination.port = reader.u16();
  header.source = std::move(source);
  header.destination = std::move(destination);
  return header;
}

bool agree(ByteView bytes, ByteView prefix) {
  return bytes.substr(0, prefix.size()) == prefix.substr(0, bytes.size());
}

}  // namespace

base::Result<std::optional<Header>> read_header(ByteView bytes) {
  if (bytes.empty()) return std::optional<Header>();
  if (agree(bytes, text_prefix))
    return bytes.size() < text_prefix.size() ? std::optional<Header>() : read_text(bytes);
  if (agree(bytes, binary_prefix)) return read_binary(bytes);
  return refused("the connection does not begin with a header");
}

}  // namespace warren::codec::proxy
