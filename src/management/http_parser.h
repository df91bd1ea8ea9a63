#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "management/http_connection.h"

namespace warren::management {

/// Reads one HTTP/1.x request out of bytes. It hides the library behind it, which is slow to
/// compile.
class HttpParser {
 public:
  enum class State { partial, complete, malformed, too_large };

  HttpParser(std::size_t max_header_bytes, std::size_t max_body_bytes);
  ~HttpParser();
  HttpParser(HttpParser&&) noexcept;
  HttpParser& operator=(HttpParser&&) noexcept;

  /// Takes what belongs to the request off the front of `bytes`; what follows it stays.
  State feed(base::Bytes& bytes);
  /// True once, when the client waits to hear that it may send its body.
  bool take_expects_continue();
  bool has_started() const;
  bool has_head() const;
  /// What is known of a request whose head is complete; the body is left out.
  HttpRequest head() const;
  /// Of a complete request.
  HttpRequest take_request();
  bool keep_alive() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace warren::management
