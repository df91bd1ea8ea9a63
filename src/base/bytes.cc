#include "base/bytes.h"

#include "base/assert.h"

namespace warren::base {

void ByteWriter::short_string(ByteView bytes) {
  ASSERT(bytes.size() <= 255);
  u8(static_cast<std::uint8_t>(bytes.size()));
  raw(bytes);
}

void ByteWriter::long_string(ByteView bytes) {
  ASSERT(bytes.size() <= UINT32_MAX);
  u32(static_cast<std::uint32_t>(bytes.size()));
  raw(bytes);
}

void ByteWriter::patch_u32(std::size_t offset, std::uint32_t value) {
  ASSERT(offset + 4 <= out_.size());
  store_network(out_.data() + offset, value);
}

Result<> ByteReader::check(std::string_view what) const {
  if (failed_) return base::fail(ErrorCode::corrupt, std::string(what) + ": cut short");
  return {};
}

}  // namespace warren::base
