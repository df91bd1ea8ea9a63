#include "management/http_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace warren::management {
namespace http = boost::beast::http;

struct HttpParser::Impl {
  http::request_parser<http::string_body> parser;
  bool has_started = false;
  bool told_to_continue = false;
  bool keep_alive = false;
};

namespace {

/// "0", and the end of a line twice: no chunked body ends with less. The library's parser breaks on
/// a last chunk that it has seen the beginning of, when it is shown fewer.
constexpr std::size_t last_chunk_bytes = 5;

std::string text(boost::beast::string_view view) { return {view.data(), view.size()}; }

}  // namespace

HttpParser::HttpParser(std::size_t max_header_bytes, std::size_t max_body_bytes)
    : impl_(std::make_unique<Impl>()) {
  impl_->parser.eager(true);
  impl_->parser.header_limit(static_cast<std::uint32_t>(max_header_bytes));
  impl_->parser.body_limit(max_body_bytes);
}
HttpParser::~HttpParser() = default;
HttpParser::HttpParser(HttpParser&&) noexcept = default;
HttpParser& HttpParser::operator=(HttpParser&&) noexcept = default;

HttpParser::State HttpParser::feed(base::Bytes& bytes) {
  std::size_t taken = 0;
  State state = State::partial;
  while (taken < bytes.size() && state == State::partial) {
    const auto& parser = impl_->parser;
    if (parser.is_header_done() && parser.chunked() && bytes.size() - taken < last_chunk_bytes)
      break;
    boost::system::error_code error;
    const std::size_t used = impl_->parser.put(
        boost::asio::buffer(bytes.data() + taken, bytes.size() - taken), error);
    taken += used;
    impl_->has_started = true;
    if (impl_->parser.is_done())
      state = State::complete;
    else if (error == http::error::header_limit || error == http::error::body_limit)
      state = State::too_large;
    else if (error && error != http::error::need_more)
      state = State::malformed;
    else if (used == 0)
      break;
  }
  bytes.erase(0, taken);
  return state;
}

bool HttpParser::take_expects_continue() {
  if (impl_->told_to_continue || !impl_->parser.is_header_done()) return false;
  impl_->told_to_continue = true;
  return boost::beast::iequals(impl_->parser.get()[http::field::expect], "100-continue");
}

bool HttpParser::has_started() const { return impl_->has_started; }

bool HttpParser::has_head() const { return impl_->parser.is_header_done(); }

HttpRequest HttpParser::head() const {
  const auto& message = impl_->parser.get();
  HttpRequest request;
  request.method = text(message.method_string());
  const std::string target = text(message.target());
  const std::size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string::npos) request.query = target.substr(question + 1);
  request.authorization = text(message[http::field::authorization]);
  request.reason = text(message["X-Reason"]);
  return request;
}

HttpRequest HttpParser::take_request() {
  HttpRequest request = head();
  auto message = impl_->parser.release();
  impl_->keep_alive = message.keep_alive();
  request.body = std::move(message.body());
  return request;
}

bool HttpParser::keep_alive() const { return impl_->keep_alive; }

}  // namespace warren::management
