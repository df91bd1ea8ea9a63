#include "storage/memory_disk.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace warren::storage {
namespace {

using base::Bytes;
using base::Random;
using base::Result;

void write_into(Bytes& bytes, const MemoryFiles::Write& write) {
  std::uint64_t end = write.offset + write.data.size();
  if (bytes.size() < end) bytes.resize(end, '\0');
  bytes.replace(write.offset, write.data.size(), write.data);
}

}  // namespace

MemoryDisk::MemoryDisk() : MemoryDisk(std::make_shared<MemoryFiles>()) {}
MemoryDisk::MemoryDisk(std::shared_ptr<MemoryFiles> files) : files_(std::move(files)) {}

void MemoryDisk::write(FileId file, std::uint64_t offset, Bytes data, bool sync_after,
                       DiskToken token) {
  queue_of(file).push_back({Kind::write, file, offset, std::move(data), sync_after, token});
}

void MemoryDisk::sync(FileId file, DiskToken token) {
  queue_of(file).push_back({Kind::sync, file, 0, {}, true, token});
}

void MemoryDisk::rename(FileId file, FileId to, DiskToken token) {
  Request request{Kind::rename, file, 0, {}, false, token};
  request.renamed_to = to;
  queue_of(file).push_back(std::move(request));
}

void MemoryDisk::remove(FileId file, DiskToken token) {
  queue_of(file).push_back({Kind::remove, file, 0, {}, false, token});
}

void MemoryDisk::read_at(FileId file, std::uint64_t offset, std::uint64_t bytes, DiskToken token) {
  queue_of(file).push_back({Kind::read, file, offset, {}, false, token, bytes});
}

Result<> MemoryDisk::load(FileId file, std::uint64_t offset, std::uint64_t bytes, Bytes& into) {
  auto found = files_->files.find(file);
  if (found == files_->files.end())
    return base::fail(base::ErrorCode::not_found, "no such file in memory");
  if (found->second.unsynced.empty()) {
    const Bytes& durable = found->second.durable;
    into = offset < durable.size() ? durable.substr(offset, bytes) : Bytes();
    return {};
  }
  Bytes content = found->second.durable;
  for (const MemoryFiles::Write& write : found->second.unsynced) apply(file, write, content);
  into = offset < content.size() ? content.substr(offset, bytes) : Bytes();
  return {};
}

Result<std::vector<FileId>> MemoryDisk::list() {
  std::vector<FileId> ids;
  for (const auto& [id, file] : files_->files) ids.push_back(id);
  return ids;
}

Result<Bytes> MemoryDisk::read(FileId file) {
  auto found = files_->files.find(file);
  if (found == files_->files.end())
    return base::fail(base::ErrorCode::not_found, "no such log file in memory");
  make_durable(file);
  return found->second.durable;
}

bool MemoryDisk::run_one() {
  if (pending() == 0) return false;
  bool is_segments_turn = ++turns_ % 3 == 0 && !segment_queue_.empty();
  std::deque<Request>& queue =
      is_segments_turn || log_queue_.empty() ? segment_queue_ : log_queue_;
  Request request = std::move(queue.front());
  queue.pop_front();
  Result<> result = carry_out(request);
  if (events_ == nullptr) return true;
  if (request.kind != Kind::read) {
    events_->on_disk_done(request.token, std::move(result));
    return true;
  }
  Bytes bytes;
  if (result) result = load(request.file, request.offset, request.read_bytes, bytes);
  if (result)
    events_->on_disk_read(request.token, std::move(bytes));
  else
    events_->on_disk_read(request.token, std::unexpected(result.error()));
  return true;
}

void MemoryDisk::run_all() {
  while (run_one()) {
  }
}

Result<> MemoryDisk::carry_out(Request& request) {
  if (requests_until_failure_) {
    if (*requests_until_failure_ == 0) return std::unexpected(failure_);
    --*requests_until_failure_;
  }
  switch (request.kind) {
    case Kind::write: {
      if (is_full_ && is_segment(request.file))
        return base::fail(base::ErrorCode::io, "no space left");
      ++counts_.writes;
      if (is_segment(request.file)) ++files_->segment_writes;
      auto& unsynced = files_->files[request.file].unsynced;
      unsynced.push_back({request.offset, std::move(request.data)});
      break;
    }
    case Kind::sync:
      break;
    case Kind::read:
      ++files_->segment_reads;
      break;
    case Kind::rename:
      rename_now(request.file, request.renamed_to);
      break;
    case Kind::remove: {
      ++counts_.removes;
      auto node = files_->files.extract(request.file);
      if (!node.empty()) files_->removed.insert(std::move(node));
      break;
    }
  }
  if (request.sync_after) {
    ++counts_.syncs;
    make_durable(request.file);
  }
  return {};
}

void MemoryDisk::rename_now(FileId file, FileId to) {
  auto node = files_->files.extract(file);
  if (node.empty()) return;
  node.key() = to;
  auto former = files_->renamed.extract(file);
  files_->renamed[to] = former.empty() ? file : former.mapped();
  files_->files.insert(std::move(node));
}

/// A beginning makes a file no longer than itself: what is longer had one once.
std::uint64_t MemoryDisk::length_after(FileId file, const MemoryFiles::Write& write) const {
  std::uint64_t end = write.offset + write.data.size();
  if (is_segment(file) || write.offset == 0) return end;
  return (end + files_->growth_step - 1) / files_->growth_step * files_->growth_step;
}

void MemoryDisk::apply(FileId file, const MemoryFiles::Write& write, Bytes& bytes) const {
  bytes.resize(std::max<std::size_t>(bytes.size(), length_after(file, write)), '\0');
  write_into(bytes, write);
}

void MemoryDisk::make_durable(FileId file) {
  auto found = files_->files.find(file);
  if (found == files_->files.end()) return;
  for (const MemoryFiles::Write& write : std::exchange(found->second.unsynced, {}))
    apply(file, write, found->second.durable);
  // A new name is made durable by syncing the directory, and that settles removals too.
  bool is_new = !std::exchange(found->second.is_name_durable, true);
  if (!is_new && !files_->renamed.contains(file)) return;
  files_->removed.clear();
  files_->renamed.clear();
}

void MemoryDisk::carry_out_some(Random& random) {
  for (std::deque<Request>* queue : {&log_queue_, &segment_queue_}) {
    std::size_t count = queue->empty() ? 0 : random.below(queue->size() + 1);
    for (std::size_t i = 0; i < count; ++i)
      if (!carry_out((*queue)[i])) break;
    queue->clear();
  }
  requests_until_failure_.reset();
}

void MemoryDisk::kill(Random& random) {
  carry_out_some(random);
}

void MemoryDisk::crash(Random& random) {
  carry_out_some(random);
  for (auto& [id, file] : std::exchange(files_->removed, {}))
    if (random.chance(50)) files_->files[id] = std::move(file);
  for (auto [name, former] : std::exchange(files_->renamed, {})) {
    if (random.chance(50)) continue;
    auto node = files_->files.extract(name);
    if (node.empty() || files_->files.contains(former)) continue;
    node.key() = former;
    files_->files.insert(std::move(node));
  }
  std::erase_if(files_->files,
                [&](auto& entry) { return !entry.second.is_name_durable && random.chance(50); });
  for (auto& [id, file] : files_->files) {
    for (MemoryFiles::Write& write : file.unsynced) {
      // The length is another matter than the bytes: it may stay without them.
      const std::uint64_t grown = length_after(id, write);
      if (grown > write.offset + write.data.size() && random.chance(50))
        file.durable.resize(std::max<std::size_t>(file.durable.size(), grown), '\0');
      std::uint64_t fate = random.below(3);
      if (fate == 0) continue;
      if (fate == 1) write.data.resize(random.below(write.data.size() + 1));
      write_into(file.durable, write);
    }
    file.unsynced.clear();
    file.is_name_durable = true;
  }
}

void MemoryDisk::fail_after(std::size_t requests, base::Error error) {
  requests_until_failure_ = requests;
  failure_ = std::move(error);
}

void MemoryDisk::flip_bit(FileId file, std::uint64_t offset, unsigned bit) {
  ASSERT(offset < size(file) && bit < 8);
  make_durable(file);
  char& octet = files_->files[file].durable[offset];
  octet = static_cast<char>(octet ^ (1 << bit));
}

void MemoryDisk::truncate(FileId file, std::uint64_t bytes) {
  ASSERT(bytes <= size(file));
  make_durable(file);
  files_->files[file].durable.resize(bytes);
}

std::uint64_t MemoryDisk::size(FileId file) const {
  auto found = files_->files.find(file);
  if (found == files_->files.end()) return 0;
  std::uint64_t bytes = found->second.durable.size();
  for (const auto& write : found->second.unsynced)
    bytes = std::max(bytes, length_after(file, write));
  return bytes;
}

}  // namespace warren::storage
