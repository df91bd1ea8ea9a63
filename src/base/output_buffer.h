#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/shared_bytes.h"

namespace warren::base {

/// Bytes on their way out: text that is appended octet by octet, and between it parts of shared
/// blocks that are too large to be copied.
class OutputBuffer {
 public:
  /// Everything but the blocks, in order. What is appended to it comes after all blocks so far;
  /// it must not be changed in any other way.
  Bytes& text() { return text_; }
  /// Appends `part` of `block` by reference.
  void append_block(SharedBytes block, ByteView part);
  /// Appends all of `other`, and leaves it empty.
  void append(OutputBuffer& other);

  std::size_t size() const { return text_.size() + block_bytes_; }
  bool empty() const { return size() == 0; }
  /// Keeps the memory of the text.
  void clear();
  /// Gives memory to write to, or takes it back, while the buffer is empty.
  void lend(Bytes memory);
  Bytes take_memory();

  /// Fills `pieces` with the bytes from `from` on, as far as they fit; returns how many it used.
  std::size_t look(std::size_t from, std::span<ByteView> pieces) const;
  /// All bytes in one string; the buffer is empty afterwards.
  Bytes take_flat();

 private:
  struct Insertion {
    std::size_t after;  ///< octets of the text that go before it
    SharedBytes block;
    ByteView part;
  };

  Bytes text_;
  std::vector<Insertion> insertions_;
  std::size_t block_bytes_ = 0;
};

}  // namespace warren::base
