#include "server/handshake_run.h"

namespace warren::server {
namespace {

constexpr std::chrono::seconds patience(5);

}  // namespace

HandshakeRun::HandshakeRun(net::Shard& shard, std::unique_ptr<net::TcpStream> stream,
                           net::Handshake handshake, Decide decide, Done done)
    : stream_(std::move(stream)),
      handshake_(std::move(handshake)),
      decide_(std::move(decide)),
      done_(std::move(done)),
      timer_(shard, [this] {
        finish(base::fail(base::ErrorCode::timeout, "the handshake took too long"));
      }) {
  timer_.set(shard.now() + patience);
  stream_->start(*this);
  stream_->send(handshake_.take_output());
}

void HandshakeRun::on_bytes(base::ByteView bytes) {
  using Phase = net::Handshake::Phase;
  handshake_.feed(bytes);
  if (handshake_.phase() == Phase::deciding) {
    auto [admission, text] = decide_(handshake_.role(), handshake_.peer_name());
    handshake_.decide(admission, std::move(text));
  }
  stream_->send(handshake_.take_output());
  if (handshake_.phase() == Phase::failed) return finish(std::unexpected(handshake_.error()));
  if (handshake_.phase() == Phase::done)
    finish(Acquaintance{std::move(stream_), handshake_.role(), handshake_.peer_name(),
                        handshake_.take_rest()});
}

void HandshakeRun::on_closed(const std::string& reason) {
  finish(base::fail(base::ErrorCode::unavailable, reason));
}

void HandshakeRun::finish(base::Result<Acquaintance> result) {
  timer_.cancel();
  stream_.reset();
  Done done = std::exchange(done_, nullptr);
  if (done) done(std::move(result));
}

}  // namespace warren::server
