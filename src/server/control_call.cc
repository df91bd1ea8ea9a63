#include "server/control_call.h"

#include "server/control_endpoint.h"

namespace warren::server {
namespace {

constexpr std::chrono::seconds patience(20);

}  // namespace

class ControlCall::Impl final : public net::StreamEvents {
 public:
  Impl(net::Shard& shard, const Caller& caller, std::string node, std::string request, Done done)
      : request_(std::move(request)),
        done_(std::move(done)),
        timer_(shard,
               [this] {
                 finish(base::fail(base::ErrorCode::timeout, "the node did not answer in time"));
               }),
        dial_(shard, caller, net::PeerRole::cli, std::move(node), std::nullopt,
              [this](auto result) { on_dialled(std::move(result)); }) {
    timer_.set(shard.now() + patience);
  }

  void on_bytes(base::ByteView bytes) override {
    input_.append(bytes);
    auto frame = take_control_frame(input_, max_control_reply);
    if (!frame) return finish(std::unexpected(frame.error()));
    if (*frame) finish(std::move(**frame));
  }
  void on_closed(const std::string& reason) override {
    finish(base::fail(base::ErrorCode::unavailable, reason));
  }

 private:
  void on_dialled(std::expected<Acquaintance, NodeDialError> result) {
    if (!result)
      return finish(base::fail(result.error().failure == NodeDialFailure::cookie_differs
                                   ? base::ErrorCode::access_refused
                                   : base::ErrorCode::unavailable,
                               result.error().text));
    stream_ = std::move(result->stream);
    stream_->start(*this);
    stream_->send(make_control_frame(request_));
  }
  /// The callback may destroy this, so it is the last thing done.
  void finish(base::Result<std::string> result) {
    timer_.cancel();
    stream_.reset();
    Done done = std::exchange(done_, nullptr);
    if (done) done(std::move(result));
  }

  std::string request_;
  Done done_;
  base::Bytes input_;
  std::unique_ptr<net::TcpStream> stream_;
  net::Timer timer_;
  NodeDial dial_;
};

ControlCall::ControlCall(net::Shard& shard, const Caller& caller, std::string node,
                         std::string request, Done done)
    : impl_(std::make_unique<Impl>(shard, caller, std::move(node), std::move(request),
                                   std::move(done))) {}
ControlCall::~ControlCall() = default;

}  // namespace warren::server
