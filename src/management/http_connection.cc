#include "management/http_connection.h"

#include <fmt/format.h>

#include <utility>

#include "management/http_parser.h"

namespace warren::management {
namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Request Entity Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Status";
  }
}

}  // namespace

struct HttpConnection::State : std::enable_shared_from_this<HttpConnection::State> {
  HttpHandler handler;
  std::string peer_host;
  std::function<void()> wake;
  Options options;
  HttpParser parser;
  base::Bytes input;
  base::Bytes output;
  base::Time last_byte;       ///< when something arrived or was answered
  base::Time request_begun;   ///< when the request's first byte arrived
  base::Time now;
  bool is_answering = false;
  bool is_head = false;
  bool is_body_welcome = false;  ///< of the request that is being read
  bool keep_alive = true;
  bool finished = false;
  bool in_call = false;  ///< run() is on the stack already

  State(HttpHandler h, std::string peer, std::function<void()> w, base::Time at, Options o)
      : handler(std::move(h)), peer_host(std::move(peer)), wake(std::move(w)),
        options(std::move(o)), parser(options.max_header_bytes, options.max_body_bytes),
        last_byte(at), request_begun(at), now(at) {}

  void run() {
    while (!is_answering && !finished && !input.empty()) {
      if (!parser.has_started()) request_begun = now;
      switch (parser.feed(input)) {
        case HttpParser::State::partial:
          if (!welcomes_body()) return handle(parser.head(), false);
          if (parser.take_expects_continue()) output += "HTTP/1.1 100 Continue\r\n\r\n";
          return;
        case HttpParser::State::malformed: return refuse(400);
        case HttpParser::State::too_large: return refuse(413);
        case HttpParser::State::complete: {
          HttpRequest request = parser.take_request();
          handle(std::move(request), parser.keep_alive());
        }
      }
    }
  }

  /// True also while there is no telling yet.
  bool welcomes_body() {
    if (is_body_welcome || !parser.has_head() || !options.may_send_body) return true;
    HttpRequest head = parser.head();
    head.peer_host = peer_host;
    return is_body_welcome = options.may_send_body(head);
  }

  void handle(HttpRequest request, bool keeps_alive) {
    keep_alive = keeps_alive;
    is_body_welcome = false;
    parser = HttpParser(options.max_header_bytes, options.max_body_bytes);
    request.peer_host = peer_host;
    is_head = request.method == "HEAD";
    if (is_head) request.method = "GET";
    is_answering = true;
    handler(request, [weak = weak_from_this()](HttpResponse response) {
      if (auto state = weak.lock()) state->answer(std::move(response));
    });
  }

  void answer(HttpResponse response) {
    if (!is_answering) return;
    is_answering = false;
    last_byte = now;
    write(response);
    if (!keep_alive) finished = true;
    if (in_call) return;
    in_call = true;
    run();
    in_call = false;
    if (wake) wake();
  }

  void refuse(int status) {
    HttpResponse response;
    response.status = status;
    response.body = R"({"error":"bad_request","reason":"malformed or too large"})";
    keep_alive = false;
    finished = true;
    input.clear();
    write(response);
  }

  void write(const HttpResponse& response) {
    output += fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
    if (response.status != 204)
      output += fmt::format("content-length: {}\r\n", response.body.size());
    if (!response.body.empty())
      output += fmt::format("content-type: {}\r\n", response.content_type);
    for (const auto& [name, value] : response.headers)
      output += fmt::format("{}: {}\r\n", name, value);
    output += "server: Warren\r\n";
    if (!keep_alive) output += "connection: close\r\n";
    output += "\r\n";
    if (!is_head && response.status != 204) output += response.body;
  }
};

HttpConnection::HttpConnection(HttpHandler handler, std::string peer_host,
                               std::function<void()> wake, base::Time now, Options options)
    : state_(std::make_shared<State>(std::move(handler), std::move(peer_host), std::move(wake),
                                     now, std::move(options))) {}
HttpConnection::HttpConnection(HttpHandler handler, std::string peer_host,
                               std::function<void()> wake, base::Time now)
    : HttpConnection(std::move(handler), std::move(peer_host), std::move(wake), now, Options{}) {}
HttpConnection::~HttpConnection() = default;

void HttpConnection::feed(base::ByteView bytes, base::Time now) {
  State& state = *state_;
  if (state.finished) return;
  state.now = state.last_byte = now;
  state.input.append(bytes);
  state.in_call = true;
  state.run();
  state.in_call = false;
}

void HttpConnection::tick(base::Time now) {
  State& state = *state_;
  state.now = now;
  if (now < deadline()) return;
  if (state.parser.has_started()) state.refuse(408);
  state.finished = true;
}

base::Time HttpConnection::deadline() const {
  const State& state = *state_;
  if (state.finished || state.is_answering) return base::never;
  if (state.parser.has_started()) return state.request_begun + state.options.request_timeout;
  return state.last_byte + state.options.idle_timeout;
}

bool HttpConnection::wants_input() const {
  if (state_->finished) return false;
  return !state_->is_answering || state_->input.size() < state_->options.max_pipeline_bytes;
}

base::Bytes HttpConnection::take_output() { return std::exchange(state_->output, {}); }

bool HttpConnection::done() const { return state_->finished; }

}  // namespace warren::management
