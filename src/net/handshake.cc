#include "net/handshake.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/assert.h"

namespace warren::net {
namespace {

constexpr std::uint32_t magic = 0x57524E31;  // "WRN1"
constexpr std::size_t proof_size = 32;
constexpr std::size_t max_text = 1024;
constexpr std::size_t max_name = 255;
/// In the place of an Admission: the caller is not believed, so the refusal has no proof.
constexpr std::uint8_t unproven_refusal = 255;

constexpr std::string_view initiator_purpose = "warren initiator";
constexpr std::string_view responder_purpose = "warren responder";

bool are_equal(base::ByteView a, base::ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Handshake::Handshake(std::string own_name, std::string cookie, base::Bytes nonce)
    : own_name_(std::move(own_name)), cookie_(std::move(cookie)), nonce_(std::move(nonce)) {
  ASSERT(nonce_.size() == handshake_nonce_size);
  ASSERT(own_name_.size() <= max_name);
}

Handshake Handshake::initiator(PeerRole role, std::string own_name, std::string peer_name,
                               std::string cookie, base::Bytes nonce) {
  ASSERT(peer_name.size() <= max_name);
  Handshake handshake(std::move(own_name), std::move(cookie), std::move(nonce));
  handshake.role_ = role;
  handshake.peer_name_ = std::move(peer_name);
  handshake.step_ = Step::expect_challenge;
  base::Bytes hello;
  base::ByteWriter writer(hello);
  writer.u32(magic);
  writer.u8(static_cast<std::uint8_t>(role));
  writer.short_string(handshake.own_name_);
  writer.short_string(handshake.peer_name_);
  writer.raw(handshake.nonce_);
  handshake.transcript_ = hello;
  handshake.send_frame(hello);
  return handshake;
}

Handshake Handshake::responder(std::string own_name, std::string cookie, base::Bytes nonce) {
  Handshake handshake(std::move(own_name), std::move(cookie), std::move(nonce));
  handshake.step_ = Step::expect_hello;
  return handshake;
}

void Handshake::feed(base::ByteView bytes) {
  input_.append(bytes);
  while (phase_ == Phase::talking && input_.size() >= 2) {
    std::size_t size = base::ByteReader(input_).u16();
    if (size > max_handshake_size)
      return fail(base::ErrorCode::frame_error, "the peer does not speak our handshake");
    if (input_.size() < 2 + size) return;
    base::Bytes frame = input_.substr(2, size);
    input_.erase(0, 2 + size);
    on_frame(frame);
  }
  // A caller that is not admitted yet has nothing to say.
  if (phase_ == Phase::deciding && !input_.empty() && input_.size() > max_handshake_size)
    fail(base::ErrorCode::frame_error, "too many bytes before the handshake's end");
}

base::Bytes Handshake::take_output() {
  return std::exchange(output_, {});
}
base::Bytes Handshake::take_rest() {
  return std::exchange(input_, {});
}

void Handshake::on_frame(base::ByteView frame) {
  switch (step_) {
    case Step::expect_hello:
      return on_hello(frame);
    case Step::expect_challenge:
      return on_challenge(frame);
    case Step::expect_proof:
      return on_proof(frame);
    case Step::expect_verdict:
      return on_verdict(frame);
    case Step::none:
      return;
  }
}

void Handshake::on_hello(base::ByteView frame) {
  base::ByteReader reader(frame);
  bool is_ours = reader.u32() == magic;
  std::uint8_t role = reader.u8();
  std::string name(reader.short_string());
  std::string wanted(reader.short_string());
  base::ByteView nonce = reader.raw(handshake_nonce_size);
  bool is_known_role = role >= static_cast<std::uint8_t>(PeerRole::node) &&
                       role <= static_cast<std::uint8_t>(PeerRole::probe);
  if (reader.failed() || !reader.empty() || !is_ours || name.empty() || !is_known_role ||
      nonce == nonce_)
    return fail(base::ErrorCode::frame_error, "the peer does not speak our handshake");
  role_ = static_cast<PeerRole>(role);
  peer_name_ = std::move(name);
  if (wanted != own_name_) {
    send_refusal(fmt::format("this is {}, not {}", own_name_, wanted));
    return fail(base::ErrorCode::not_allowed, fmt::format("{} looks for {}", peer_name_, wanted));
  }
  base::Bytes challenge;
  base::ByteWriter writer(challenge);
  writer.u8(static_cast<std::uint8_t>(Admission::accepted));
  writer.short_string(own_name_);
  writer.raw(nonce_);
  transcript_ = base::Bytes(frame) + challenge;
  send_frame(challenge);
  step_ = Step::expect_proof;
}

void Handshake::on_challenge(base::ByteView frame) {
  base::ByteReader reader(frame);
  std::uint8_t status = reader.u8();
  if (status == unproven_refusal) {
    std::string text(reader.rest().substr(0, max_text));
    return fail(base::ErrorCode::access_refused, std::move(text));
  }
  base::ByteView name = reader.short_string();
  base::ByteView nonce = reader.raw(handshake_nonce_size);
  if (reader.failed() || !reader.empty() || status != 0 || nonce == nonce_)
    return fail(base::ErrorCode::frame_error, "the peer does not speak our handshake");
  if (name != peer_name_)
    return fail(base::ErrorCode::not_allowed, fmt::format("{} answered for {}", name, peer_name_));
  transcript_.append(frame);
  send_frame(sign(initiator_purpose));
  step_ = Step::expect_verdict;
}

void Handshake::on_proof(base::ByteView frame) {
  if (!are_equal(frame, sign(initiator_purpose))) {
    send_refusal("the cookies differ");
    return fail(base::ErrorCode::access_refused, fmt::format("{} has another cookie", peer_name_));
  }
  step_ = Step::none;
  phase_ = Phase::deciding;
}

void Handshake::decide(Admission admission, std::string text) {
  if (phase_ != Phase::deciding) return;
  if (text.size() > max_text) text.resize(max_text);
  base::Bytes verdict;
  base::ByteWriter writer(verdict);
  writer.u8(static_cast<std::uint8_t>(admission));
  writer.raw(text);
  send_frame(verdict + sign(responder_purpose, verdict));
  phase_ = Phase::done;
  if (admission != Admission::accepted)
    fail(admission == Admission::refused ? base::ErrorCode::not_allowed
                                         : base::ErrorCode::precondition_failed,
         std::move(text));
}

void Handshake::on_verdict(base::ByteView frame) {
  if (!frame.empty() && static_cast<std::uint8_t>(frame[0]) == unproven_refusal)
    return fail(base::ErrorCode::access_refused, std::string(frame.substr(1, max_text)));
  if (frame.size() < 1 + proof_size)
    return fail(base::ErrorCode::frame_error, "the peer does not speak our handshake");
  base::ByteView verdict = frame.substr(0, frame.size() - proof_size);
  if (!are_equal(frame.substr(verdict.size()), sign(responder_purpose, verdict)))
    return fail(base::ErrorCode::access_refused, fmt::format("{} has another cookie", peer_name_));
  std::string text(verdict.substr(1));
  switch (static_cast<std::uint8_t>(verdict[0])) {
    case static_cast<std::uint8_t>(Admission::accepted):
      step_ = Step::none;
      phase_ = Phase::done;
      return;
    case static_cast<std::uint8_t>(Admission::application_stopped):
      return fail(base::ErrorCode::precondition_failed, std::move(text));
    default:
      return fail(base::ErrorCode::not_allowed, std::move(text));
  }
}

void Handshake::send_frame(base::ByteView frame) {
  base::ByteWriter writer(output_);
  writer.u16(static_cast<std::uint16_t>(frame.size()));
  writer.raw(frame);
}

void Handshake::send_refusal(std::string_view text) {
  base::Bytes frame;
  base::ByteWriter writer(frame);
  writer.u8(unproven_refusal);
  writer.raw(text);
  send_frame(frame);
}

void Handshake::fail(base::ErrorCode code, std::string text) {
  phase_ = Phase::failed;
  step_ = Step::none;
  error_ = {code, std::move(text)};
  input_.clear();
}

base::Bytes Handshake::sign(std::string_view purpose, base::ByteView extra) const {
  base::Bytes signed_bytes(purpose);
  base::ByteWriter(signed_bytes).long_string(transcript_);
  signed_bytes.append(extra);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const auto* input =
      static_cast<const unsigned char*>(static_cast<const void*>(signed_bytes.data()));
  const void* done = HMAC(EVP_sha256(), cookie_.data(), static_cast<int>(cookie_.size()), input,
                          signed_bytes.size(), digest, &size);
  ASSERT(done && size == proof_size);
  return {static_cast<const char*>(static_cast<const void*>(digest)), size};
}

}  // namespace warren::net
