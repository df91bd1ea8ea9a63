#include "cluster/link_message.h"

#include "cluster/archive.h"

namespace warren::cluster {

void encode_link_message(base::Bytes& out, LinkMessage& message) {
  std::size_t start = out.size();
  base::ByteWriter writer(out);
  writer.u32(0);
  write_archive(out, message);
  writer.patch_u32(start, static_cast<std::uint32_t>(out.size() - start - 4));
}

base::Result<LinkMessage> decode_link_message(base::ByteView bytes) {
  return read_archive<LinkMessage>(bytes, "link message");
}

base::Result<std::optional<LinkMessage>> LinkParser::take() {
  base::ByteReader reader(base::ByteView(buffer_).substr(taken_));
  std::uint32_t size = reader.u32();
  if (!reader.failed() && size > max_link_message_bytes)
    return base::fail(base::ErrorCode::frame_error, "link message too large");
  base::ByteView body = reader.raw(size);
  if (reader.failed()) {
    buffer_.erase(0, taken_);
    taken_ = 0;
    return std::nullopt;
  }
  auto message = decode_link_message(body);
  taken_ += 4 + size;
  if (!message) return std::unexpected(message.error());
  return std::optional(std::move(*message));
}

}  // namespace warren::cluster
