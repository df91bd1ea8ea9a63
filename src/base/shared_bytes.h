#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "base/bytes.h"

namespace warren::base {

/// One immutable block of bytes on the heap, shared by counting. Copies of the handle share the
/// block; the last one frees it, on whatever thread that happens.
class SharedBytes {
 public:
  SharedBytes() = default;
  /// A block holding a copy of `bytes`.
  explicit SharedBytes(ByteView bytes) : SharedBytes(bytes.size(), [&](char* to) {
    std::memcpy(to, bytes.data(), bytes.size());
  }) {}
  /// A block of `size` bytes that `fill(char*)` writes, once, before anyone else sees it.
  template <typename Fill>
  SharedBytes(std::size_t size, Fill&& fill) : block_(allocate(size)) {
    fill(data_of(block_));
  }

  SharedBytes(const SharedBytes& other) : block_(other.block_) {
    if (block_) block_->count.fetch_add(1, std::memory_order_relaxed);
  }
  SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedBytes() { release(); }

  ByteView view() const {
    return block_ ? ByteView(data_of(block_), block_->size) : ByteView();
  }
  std::size_t size() const { return block_ ? block_->size : 0; }
  explicit operator bool() const { return block_ != nullptr; }

 private:
  struct Block {
    std::atomic<std::uint32_t> count;
    std::size_t size;
  };

  static char* data_of(Block* block) { return static_cast<char*>(static_cast<void*>(block + 1)); }
  static Block* allocate(std::size_t size) {
    void* memory = ::operator new(sizeof(Block) + size);
    return new (memory) Block{1, size};
  }
  void release() {
    if (!block_) return;
    // Nobody can copy the only handle but its holder, so a count of one stays: that spares the
    // locked instruction for most blocks.
    if (block_->count.load(std::memory_order_acquire) == 1 ||
        block_->count.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      block_->~Block();
      ::operator delete(static_cast<void*>(block_));
    }
  }

  Block* block_ = nullptr;
};

}  // namespace warren::base
