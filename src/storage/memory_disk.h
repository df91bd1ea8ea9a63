#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "storage/disk.h"

namespace warren::storage {

/// The bytes of a MemoryDisk. They outlive it: a node that crashed starts over the same ones.
class MemoryFiles {
 public:
  struct Write {
    std::uint64_t offset;
    base::Bytes data;
  };
  struct File {
    base::Bytes durable;
    std::vector<Write> unsynced;  ///< in the order in which they were made
    bool is_name_durable = false;
  };

  std::map<FileId, File> files;
  std::map<FileId, File> removed;  ///< a crash may bring them back
  std::map<FileId, FileId> renamed;  ///< the former name, while a crash may bring it back
  /// Log files that have records are multiples of so many bytes long; at least 1.
  std::uint64_t growth_step = 300;
  std::uint64_t segment_writes = 0;
  std::uint64_t segment_reads = 0;
};

/// A disk in memory for tests and the simulator. Requests wait until run_one() or run_all() carries
/// them out and tells the events. Everything it does is determined by its calls.
class MemoryDisk : public Disk {
 public:
  struct Counts {
    std::uint64_t writes = 0;
    std::uint64_t syncs = 0;  ///< writes with sync_after and syncs
    std::uint64_t removes = 0;
  };

  MemoryDisk();
  explicit MemoryDisk(std::shared_ptr<MemoryFiles> files);

  /// Who is told of ended requests; null: nobody. Set again when a node restarts.
  void set_events(DiskEvents* events) { events_ = events; }
  const std::shared_ptr<MemoryFiles>& files() const { return files_; }

  void write(FileId file, std::uint64_t offset, base::Bytes data, bool sync_after,
             DiskToken token) override;
  void sync(FileId file, DiskToken token) override;
  void rename(FileId file, FileId to, DiskToken token) override;
  void remove(FileId file, DiskToken token) override;
  void read_at(FileId file, std::uint64_t offset, std::uint64_t bytes,
               DiskToken token) override;
  base::Result<std::vector<FileId>> list() override;
  base::Result<base::Bytes> read(FileId file) override;
  base::Result<> load(FileId file, std::uint64_t offset, std::uint64_t bytes,
                      base::Bytes& into) override;

  /// Carries out the oldest request of one kind, of the log's mostly, and tells the events. False
  /// when there is none.
  bool run_one();
  /// Until no request is left, those included that the events make.
  void run_all();
  std::size_t pending() const {
    return log_queue_.size() + segment_queue_.size();
  }
  const Counts& counts() const { return counts_; }

  /// The power fails: some waiting requests may still be carried out, nobody is told. Then each
  /// unsynced write is kept, lost or cut at some byte, each on its own, and a removed or new file
  /// may or may not be there. Clears an injected failure.
  void crash(base::Random& random);
  /// The process dies and the machine goes on: as crash(), but no carried out write is lost.
  void kill(base::Random& random);

  /// From the request after `requests` more on, every one fails with `error`.
  void fail_after(std::size_t requests, base::Error error);
  /// From now on there is room for segments, or none.
  void set_full(bool is_full) { is_full_ = is_full; }
  /// Damage to what is stored. The place must exist.
  void flip_bit(FileId file, std::uint64_t offset, unsigned bit);
  void truncate(FileId file, std::uint64_t bytes);
  std::uint64_t size(FileId file) const override;

 private:
  enum class Kind { write, sync, rename, remove, read };
  struct Request {
    Kind kind;
    FileId file;
    std::uint64_t offset;
    base::Bytes data;
    bool sync_after;
    DiskToken token;
    std::uint64_t read_bytes = 0;
    FileId renamed_to = {};
  };

  std::deque<Request>& queue_of(FileId file) {
    return is_segment(file) ? segment_queue_ : log_queue_;
  }
  base::Result<> carry_out(Request& request);
  void carry_out_some(base::Random& random);
  std::uint64_t length_after(FileId file, const MemoryFiles::Write& write) const;
  void apply(FileId file, const MemoryFiles::Write& write, base::Bytes& bytes) const;
  void make_durable(FileId file);
  void rename_now(FileId file, FileId to);

  std::shared_ptr<MemoryFiles> files_;
  DiskEvents* events_ = nullptr;
  std::deque<Request> log_queue_;
  std::deque<Request> segment_queue_;  ///< reads of segments as well
  std::uint64_t turns_ = 0;
  Counts counts_;
  std::optional<std::size_t> requests_until_failure_;
  bool is_full_ = false;
  base::Error failure_{};
};

}  // namespace warren::storage
