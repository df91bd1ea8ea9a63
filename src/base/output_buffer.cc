#include "base/output_buffer.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace warren::base {

void OutputBuffer::append_block(SharedBytes block, ByteView part) {
  block_bytes_ += part.size();
  insertions_.push_back({text_.size(), std::move(block), part});
}

void OutputBuffer::append(OutputBuffer& other) {
  if (empty()) return std::swap(*this, other);
  const std::size_t before = text_.size();
  text_.append(other.text_);
  for (Insertion& insertion : other.insertions_)
    insertions_.push_back({before + insertion.after, std::move(insertion.block), insertion.part});
  block_bytes_ += other.block_bytes_;
  other.clear();
}

void OutputBuffer::clear() {
  text_.clear();
  insertions_.clear();
  block_bytes_ = 0;
}

void OutputBuffer::lend(Bytes memory) {
  ASSERT(empty());
  text_ = std::move(memory);
  text_.clear();
}

Bytes OutputBuffer::take_memory() {
  ASSERT(empty());
  return std::exchange(text_, {});
}

std::size_t OutputBuffer::look(std::size_t from, std::span<ByteView> pieces) const {
  std::size_t count = 0;
  auto add = [&](ByteView piece) {
    const std::size_t skipped = std::min(from, piece.size());
    from -= skipped;
    piece.remove_prefix(skipped);
    if (!piece.empty()) pieces[count++] = piece;
  };
  const ByteView text = text_;
  std::size_t at = 0;
  for (const Insertion& insertion : insertions_) {
    if (count + 2 > pieces.size()) return count;
    add(text.substr(at, insertion.after - at));
    add(insertion.part);
    at = insertion.after;
  }
  if (count < pieces.size()) add(text.substr(at));
  return count;
}

Bytes OutputBuffer::take_flat() {
  Bytes flat;
  flat.reserve(size());
  std::size_t at = 0;
  for (const Insertion& insertion : insertions_) {
    flat.append(text_, at, insertion.after - at);
    flat.append(insertion.part);
    at = insertion.after;
  }
  flat.append(text_, at);
  clear();
  return flat;
}

}  // namespace warren::base
