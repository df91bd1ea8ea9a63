#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace warren::management {

struct HttpRequest {
  std::string method;  ///< "GET"
  std::string path;    ///< as sent, without the query, still percent-encoded
  std::string query;   ///< what came after "?"
  std::string body;
  std::string authorization;  ///< header values; empty when absent
  std::string reason;         ///< X-Reason
  std::string peer_host;      ///< the client's address, "127.0.0.1"
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;  ///< besides the usual ones
};

/// Answers a request by calling the function exactly once, now or later.
using HttpHandler = std::function<void(const HttpRequest&, std::function<void(HttpResponse)>)>;

/// One client's HTTP/1.1 connection: bytes and time in, bytes out. Requests are answered one
/// after the other; while one is being answered, at most `max_pipeline_bytes` of what follows is
/// kept. A malformed request is answered with 400 and the connection ends.
class HttpConnection {
 public:
  struct Options {
    std::size_t max_header_bytes = 16 * 1024;
    std::size_t max_body_bytes = 16 * 1024 * 1024;
    std::size_t max_pipeline_bytes = 64 * 1024;
    base::Duration request_timeout = std::chrono::seconds(60);  ///< for one whole request
    base::Duration idle_timeout = std::chrono::seconds(120);
    /// Whether a body that does not come with its head is waited for; the head is all that is
    /// known. Other requests are handled without it, and end the connection. Empty: always.
    std::function<bool(const HttpRequest& head)> may_send_body = {};
  };

  /// `wake` is called when output appears outside feed and tick: an answer that came later.
  HttpConnection(HttpHandler handler, std::string peer_host, std::function<void()> wake,
                 base::Time now, Options options);
  HttpConnection(HttpHandler handler, std::string peer_host, std::function<void()> wake,
                 base::Time now);
  /// Answers that are still to come are dropped.
  ~HttpConnection();

  void feed(base::ByteView bytes, base::Time now);
  void tick(base::Time now);
  base::Time deadline() const;

  /// False while reading on would only fill the pipeline; asked again after each answer.
  bool wants_input() const;
  /// What is to be sent, in order; empty when there is nothing.
  base::Bytes take_output();
  /// Nothing more will come: close once the output is sent.
  bool done() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace warren::management
