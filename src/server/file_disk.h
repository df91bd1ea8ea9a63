#pragma once

#include <filesystem>
#include <memory>

#include "net/shard.h"
#include "net/worker.h"
#include "storage/disk.h"

namespace warren::server {

/// The files of one directory, named by sixteen hexadecimal digits and ".log" or ".seg". One thread
/// writes and syncs the log, one the segments, one reads; the last two begin when they are needed.
/// Answers come through the shard's mailbox.
///
/// A file of the log has its room from the beginning, so the disk can only be full when one begins.
/// Then the file "reserve" becomes that file: what is under way can be finished, and consumers can
/// go on. Segments are refused from then on, until there is a reserve again. A new file of the log
/// is filled with zeros ahead of small batches, up to the next multiple of 256 KiB: a sync over
/// bytes that were there takes half the time.
class FileDisk final : public storage::Disk {
 public:
  /// Makes the directory when it is missing. `events` must outlive the disk; it hears of requests
  /// in the shard's turns.
  static base::Result<std::unique_ptr<FileDisk>> open(net::Shard& shard,
                                                      const std::filesystem::path& directory,
                                                      storage::DiskEvents& events);
  /// Waits for what was requested; `events` hears nothing any more.
  ~FileDisk() override;

  void write(storage::FileId file, std::uint64_t offset, base::Bytes data, bool sync_after,
             storage::DiskToken token) override;
  void sync(storage::FileId file, storage::DiskToken token) override;
  void rename(storage::FileId file, storage::FileId to, storage::DiskToken token) override;
  void remove(storage::FileId file, storage::DiskToken token) override;
  void read_at(storage::FileId file, std::uint64_t offset, std::uint64_t bytes,
               storage::DiskToken token) override;
  base::Result<std::vector<storage::FileId>> list() override;
  base::Result<base::Bytes> read(storage::FileId file) override;
  std::uint64_t size(storage::FileId file) const override;
  base::Result<> load(storage::FileId file, std::uint64_t offset, std::uint64_t bytes,
                      base::Bytes& into) override;

  /// Makes the reserve, unless it is there, when the requests before it have ended.
  void keep_reserve();
  /// The log needed its reserve, or there is no room for one.
  bool is_short() const;
  /// The room of a file of the log, and so of the reserve. A start reads whole files, two at a
  /// time, beside the messages that they hold.
  static constexpr std::uint64_t reserve_bytes = 32u << 20;

  /// Starts what was requested since the last call; to be called at the end of each turn.
  void flush();
  /// Waits for what was requested and tells the first failure. Nothing can be requested after.
  base::Result<> finish();

  /// Removes all files of such a directory, durably. For a node that forgets everything.
  static base::Result<> wipe(const std::filesystem::path& directory);

 private:
  struct Target;
  class Files;
  /// A thread with the files that it has open.
  struct Lane {
    std::shared_ptr<Files> files;
    std::unique_ptr<net::Worker> worker;
  };
  FileDisk(net::Shard& shard, std::shared_ptr<Files> files, storage::DiskEvents& events);
  Lane& lane_of(storage::FileId file);
  Lane& begin(Lane& lane);
  void request(storage::FileId file, storage::DiskToken token,
               std::function<base::Result<>(Files&)> work);

  std::shared_ptr<net::Mailbox> mailbox_;
  std::shared_ptr<Target> target_;
  Lane log_;
  Lane segments_;
  Lane reads_;
};

}  // namespace warren::server
