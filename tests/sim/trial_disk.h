#pragma once

#include "storage/memory_disk.h"

namespace warren::sim {

/// The disk of a simulated machine. A lying one says that what it was asked to sync is durable
/// and leaves it to chance.
class TrialDisk final : public storage::Disk {
 public:
  TrialDisk(std::shared_ptr<storage::MemoryFiles> files, bool is_lying)
      : memory_(std::move(files)), is_lying_(is_lying) {}

  storage::MemoryDisk& memory() { return memory_; }

  void write(storage::FileId file, std::uint64_t offset, base::Bytes data, bool sync_after,
             storage::DiskToken token) override {
    memory_.write(file, offset, std::move(data), sync_after && !is_lying_, token);
  }
  void sync(storage::FileId file, storage::DiskToken token) override {
    if (is_lying_)
      memory_.write(file, 0, {}, false, token);
    else
      memory_.sync(file, token);
  }
  void rename(storage::FileId file, storage::FileId to, storage::DiskToken token) override {
    memory_.rename(file, to, token);
  }
  void remove(storage::FileId file, storage::DiskToken token) override {
    memory_.remove(file, token);
  }
  base::Result<std::vector<storage::FileId>> list() override { return memory_.list(); }
  base::Result<base::Bytes> read(storage::FileId file) override { return memory_.read(file); }
  void read_at(storage::FileId file, std::uint64_t offset, std::uint64_t bytes,
               storage::DiskToken token) override {
    memory_.read_at(file, offset, bytes, token);
  }
  std::uint64_t size(storage::FileId file) const override { return memory_.size(file); }
  base::Result<> load(storage::FileId file, std::uint64_t offset, std::uint64_t bytes,
                      base::Bytes& into) override {
    return memory_.load(file, offset, bytes, into);
  }

 private:
  storage::MemoryDisk memory_;
  bool is_lying_;
};

}  // namespace warren::sim
