#include "server/control_endpoint.h"

#include <fmt/format.h>

#include <deque>

#include "base/log.h"

namespace warren::server {

base::Result<std::optional<std::string>> take_control_frame(base::Bytes& buffer,
                                                            std::size_t limit) {
  if (buffer.size() < 4) return std::nullopt;
  std::size_t size = base::ByteReader(buffer).u32();
  if (size > limit)
    return base::fail(base::ErrorCode::frame_error,
                      fmt::format("a control frame of {} octets is too long", size));
  if (buffer.size() - 4 < size) return std::nullopt;
  std::string payload = buffer.substr(4, size);
  buffer.erase(0, 4 + size);
  return payload;
}

base::Bytes make_control_frame(std::string_view payload) {
  base::Bytes frame;
  base::ByteWriter(frame).long_string(payload);
  return frame;
}

/// One caller. Requests are carried out one after the other.
class ControlEndpoint::Session final : public net::StreamEvents,
                                       public std::enable_shared_from_this<Session> {
 public:
  Session(ControlEndpoint& endpoint, std::uint64_t id, std::unique_ptr<net::TcpStream> stream,
          std::string caller)
      : endpoint_(&endpoint), id_(id), stream_(std::move(stream)), caller_(std::move(caller)) {}

  void start(base::ByteView rest) {
    stream_->start(*this);
    on_bytes(rest);
  }
  void abandon() { endpoint_ = nullptr; }
  bool is_busy() const { return is_busy_ || stream_->pending() > 0; }

  void on_bytes(base::ByteView bytes) override {
    auto keep = shared_from_this();
    input_.append(bytes);
    work();
  }
  void on_closed(const std::string&) override { remove(); }
  void on_drained() override { report_drained(); }

 private:
  void work() {
    if (is_busy_ || !endpoint_) return;
    auto frame = take_control_frame(input_, max_control_request);
    if (!frame) return remove();
    // While a request is carried out, the next one may come in and no more than that.
    stream_->set_reading(input_.size() <= max_control_request);
    if (!*frame) return;
    is_busy_ = true;
    endpoint_->handler_(caller_, **frame, [weak = weak_from_this()](std::string reply) {
      if (auto self = weak.lock()) self->on_reply(reply);
    });
  }
  void on_reply(const std::string& reply) {
    if (!is_busy_ || !endpoint_) return;
    is_busy_ = false;
    base::OutputBuffer output;
    output.text() = make_control_frame(reply);
    // At once: whoever ends the process next asks only whether the answer has gone.
    stream_->send_now(output);
    report_drained();
    work();
  }
  void report_drained() {
    if (endpoint_ && endpoint_->on_drained_) endpoint_->on_drained_();
  }
  void remove() {
    if (endpoint_) endpoint_->remove(id_);
  }

  ControlEndpoint* endpoint_;
  std::uint64_t id_;
  std::unique_ptr<net::TcpStream> stream_;
  std::string caller_;
  base::Bytes input_;
  bool is_busy_ = false;
};

ControlEndpoint::ControlEndpoint(Handler handler) : handler_(std::move(handler)) {}
ControlEndpoint::~ControlEndpoint() {
  for (auto& [id, session] : sessions_) session->abandon();
}

void ControlEndpoint::adopt(std::unique_ptr<net::TcpStream> stream, std::string caller,
                            base::Bytes rest) {
  auto session = std::make_shared<Session>(*this, ++last_id_, std::move(stream), std::move(caller));
  sessions_.emplace(last_id_, session);
  session->start(rest);
}

bool ControlEndpoint::is_drained() const {
  for (const auto& [id, session] : sessions_)
    if (session->is_busy()) return false;
  return true;
}

void ControlEndpoint::set_on_drained(std::function<void()> callback) {
  on_drained_ = std::move(callback);
}

/// A session may be the one that calls this; it stays until its call has returned.
void ControlEndpoint::remove(std::uint64_t id) {
  auto at = sessions_.find(id);
  if (at == sessions_.end()) return;
  auto session = std::move(at->second);
  session->abandon();
  sessions_.erase(at);
  if (on_drained_) on_drained_();
}

}  // namespace warren::server
