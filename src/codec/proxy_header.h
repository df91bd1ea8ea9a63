#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

/// The header with which a proxy tells whom it speaks for, versions 1 (text) and 2 (binary) of
/// HAProxy's PROXY protocol.
namespace warren::codec::proxy {

struct Endpoint {
  std::string address;  ///< numeric, in its usual form
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

struct Header {
  std::size_t size = 0;  ///< octets of the header; what follows is the client's
  /// Unset when the proxy speaks for itself (a health check) or can't tell: the connection's own
  /// ends count then.
  std::optional<Endpoint> source;
  std::optional<Endpoint> destination;
};

/// A header with more than this is refused.
inline constexpr std::size_t max_header_size = 4096;

/// Reads the header at the beginning of a connection. Empty: not all of it is there yet; give the
/// same bytes and more. frame_error: no header can begin like this.
base::Result<std::optional<Header>> read_header(base::ByteView bytes);

}  // namespace warren::codec::proxy
