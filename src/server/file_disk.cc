#include "server/file_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "net/mailbox.h"

namespace warren::server {
namespace {

namespace fs = std::filesystem;
using storage::DiskToken;
using storage::FileId;

constexpr std::string_view log_suffix = ".log";
constexpr std::string_view segment_suffix = ".seg";
constexpr std::string_view reserve_name = "reserve";
constexpr std::size_t name_digits = 16;
constexpr std::size_t max_open_files = 8;

std::unexpected<base::Error> system_error(std::string_view what, const fs::path& path) {
  return base::fail(base::ErrorCode::io,
                    fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

std::optional<FileId> id_of(const std::string& name) {
  static_assert(log_suffix.size() == segment_suffix.size());
  bool is_log = name.ends_with(log_suffix);
  if (name.size() != name_digits + log_suffix.size()) return {};
  if (!is_log && !name.ends_with(segment_suffix)) return {};
  std::uint64_t value = 0;
  for (char c : name.substr(0, name_digits)) {
    auto digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) return {};
    value = value << 4 | digit;
  }
  if (value == 0 || value >= storage::segment_files) return {};
  return FileId{is_log ? value : value + storage::segment_files};
}

base::Result<std::vector<FileId>> list_files(const fs::path& directory) {
  std::vector<FileId> ids;
  std::error_code error;
  for (auto at = fs::directory_iterator(directory, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    if (auto id = id_of(at->path().filename().string())) ids.push_back(*id);
  }
  if (error)
    return base::fail(base::ErrorCode::io,
                      fmt::format("cannot list {}: {}", directory.string(), error.message()));
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

/// What answers are for; on the shard's thread.
struct FileDisk::Target {
  storage::DiskEvents* events;
  bool is_short = false;
};

/// The open files and the first error; used by one thread at a time.
class FileDisk::Files {
 public:
  Files(fs::path directory, int directory_descriptor)
      : directory_(std::move(directory)), directory_descriptor_(directory_descriptor) {}
  ~Files() {
    for (auto& [id, file] : open_) ::close(file.descriptor);
    ::close(directory_descriptor_);
  }

  fs::path path_of(FileId file) const {
    std::uint64_t number = file.value & ~storage::segment_files;
    std::string_view suffix = storage::is_segment(file) ? segment_suffix : log_suffix;
    return directory_ / fmt::format("{:016x}{}", number, suffix);
  }
  const fs::path& directory() const { return directory_; }

  /// Runs the work, unless work on the log failed before.
  base::Result<> run(bool is_log, const std::function<base::Result<>(Files&)>& work) {
    if (failed_) return std::unexpected(*failed_);
    auto result = work(*this);
    if (!result && is_log) failed_ = result.error();
    return result;
  }

  const std::optional<base::Error>& failed() const { return failed_; }
  int copy_directory() const { return ::fcntl(directory_descriptor_, F_DUPFD_CLOEXEC, 0); }

  base::Result<> write(FileId file, std::uint64_t offset, base::ByteView data) {
    TRY_ASSIGN(OpenFile* target, open(file));
    if (!storage::is_segment(file) && offset > 0 && data.size() <= most_written_ahead)
      write_ahead(*target, offset + data.size());
    while (!data.empty()) {
      ssize_t size =
          ::pwrite(target->descriptor, data.data(), data.size(), static_cast<off_t>(offset));
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return system_error("write", path_of(file));
      data.remove_prefix(static_cast<std::size_t>(size));
      offset += static_cast<std::uint64_t>(size);
      target->length = std::max(target->length, offset);
    }
    return {};
  }

  /// False when there is no room for it.
  bool keep_reserve() {
    fs::path path = directory_ / reserve_name;
    int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor < 0) return errno != ENOSPC;
    bool is_kept = set_room_aside(descriptor);
    ::close(descriptor);
    if (!is_kept) ::unlink(path.c_str());
    return is_kept;
  }
  /// True once after the reserve was given to the log.
  bool take_reserve_used() { return std::exchange(has_used_reserve_, false); }

  base::Result<> sync(FileId file) {
    TRY_ASSIGN(OpenFile* target, open(file));
    if (::fdatasync(target->descriptor) != 0) return system_error("sync", path_of(file));
    return sync_names();
  }

  void close(FileId file) {
    auto at = open_.find(file);
    if (at == open_.end()) return;
    ::close(at->second.descriptor);
    open_.erase(at);
  }

  base::Result<> rename(FileId file, FileId to) {
    close(file);
    if (::rename(path_of(file).c_str(), path_of(to).c_str()) != 0 && errno != ENOENT)
      return system_error("rename", path_of(file));
    limit_open_files();
    int descriptor = make_log_file(path_of(to));
    if (descriptor < 0) return system_error("open", path_of(to));
    has_new_names_ = true;
    TRY(keep_open(to, descriptor));
    return {};
  }

  base::Result<> remove(FileId file) {
    close(file);
    if (::unlink(path_of(file).c_str()) != 0 && errno != ENOENT)
      return system_error("remove", path_of(file));
    return {};
  }

  base::Result<base::Bytes> read(FileId file) {
    TRY_ASSIGN(OpenFile* source, open(file));
    if (::fsync(source->descriptor) != 0) return system_error("sync", path_of(file));
    has_new_names_ = true;
    TRY(sync_names());
    // Nothing is added to it any more: the room behind its end is given back.
    if (::ftruncate(source->descriptor, static_cast<off_t>(source->length)) != 0)
      return system_error("shorten", path_of(file));
    base::Bytes bytes;
    TRY(read_some(file, source->descriptor, 0, source->length, bytes));
    return bytes;
  }

  base::Result<> read_at(FileId file, std::uint64_t offset, std::uint64_t bytes,
                         base::Bytes& into) {
    int descriptor = ::open(path_of(file).c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return system_error("open", path_of(file));
    auto result = read_some(file, descriptor, offset, bytes, into);
    ::close(descriptor);
    return result;
  }

  base::Result<> read_some(FileId file, int descriptor, std::uint64_t offset, std::uint64_t most,
                           base::Bytes& into) {
    int error = 0;
    // Pages that are not filled with zeros first are touched once.
    into.resize_and_overwrite(most, [&](char* bytes, std::size_t) {
      std::size_t done = 0;
      while (done < most) {
        ssize_t size =
            ::pread(descriptor, bytes + done, most - done, static_cast<off_t>(offset + done));
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) error = errno;
        if (size <= 0) break;
        done += static_cast<std::size_t>(size);
      }
      return done;
    });
    errno = error;
    if (error != 0) return system_error("read", path_of(file));
    return {};
  }

  base::Result<> sync_names() {
    if (!has_new_names_) return {};
    if (::fsync(directory_descriptor_) != 0) return system_error("sync", directory_);
    has_new_names_ = false;
    return {};
  }
  void note_removal() { has_new_names_ = true; }

 private:
  struct OpenFile {
    int descriptor;
    std::uint64_t length;
  };
  static constexpr std::uint64_t ahead_step = 256 * 1024;
  /// Beside a larger write what its sync does more is little, and so would be what it saves.
  static constexpr std::uint64_t most_written_ahead = ahead_step / 4;

  /// A sync of bytes at a place where none were before has the place and the file's length to sync
  /// besides, which takes as long again. So a new file of the log is filled with zeros ahead of its
  /// records. Where that fails, the write that follows tells why.
  static void write_ahead(OpenFile& file, std::uint64_t end) {
    if (end <= file.length) return;
    static constexpr std::array<char, ahead_step / 16> zeros{};
    std::array<iovec, ahead_step / zeros.size()> pieces;
    int count = 0;
    for (std::uint64_t rest = ahead_step - end % ahead_step; rest > 0; ++count) {
      pieces[count] = {const_cast<char*>(zeros.data()), std::min<std::size_t>(rest, zeros.size())};
      rest -= pieces[count].iov_len;
    }
    const ssize_t size =
        ::pwritev(file.descriptor, pieces.data(), count, static_cast<off_t>(end));
    if (size > 0) file.length = end + static_cast<std::uint64_t>(size);
  }

  /// Where a file system can't do it, its files grow as they are written.
  static bool set_room_aside(int descriptor) {
    return ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, FileDisk::reserve_bytes) == 0 ||
           (errno != ENOSPC && errno != EDQUOT);
  }

  void limit_open_files() {
    if (open_.size() < max_open_files) return;
    ::close(open_.begin()->second.descriptor);
    open_.erase(open_.begin());
  }

  /// Makes a file of the log with all its room, over another's blocks where there is no other room.
  int make_log_file(const fs::path& path) {
    int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor >= 0 && set_room_aside(descriptor)) return descriptor;
    if (descriptor < 0 && errno != ENOSPC) return descriptor;
    // A file without its room is better than none.
    if (::rename((directory_ / reserve_name).c_str(), path.c_str()) != 0) return descriptor;
    if (descriptor >= 0) ::close(descriptor);
    has_used_reserve_ = true;
    return ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  }

  base::Result<OpenFile*> keep_open(FileId file, int descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
      auto error = system_error("examine", path_of(file));
      ::close(descriptor);
      return error;
    }
    OpenFile opened{descriptor, static_cast<std::uint64_t>(status.st_size)};
    return &open_.emplace(file, opened).first->second;
  }

  /// The file stays open until another call.
  base::Result<OpenFile*> open(FileId file) {
    if (auto at = open_.find(file); at != open_.end()) return &at->second;
    limit_open_files();
    fs::path path = path_of(file);
    int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) {
      descriptor = storage::is_segment(file)
                       ? ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640)
                       : make_log_file(path);
      has_new_names_ = true;
    }
    if (descriptor < 0) return system_error("open", path);
    return keep_open(file, descriptor);
  }

  fs::path directory_;
  int directory_descriptor_;
  std::map<FileId, OpenFile> open_;
  bool has_new_names_ = false;
  bool has_used_reserve_ = false;
  std::optional<base::Error> failed_;
};

base::Result<std::unique_ptr<FileDisk>> FileDisk::open(net::Shard& shard, const fs::path& directory,
                                                       storage::DiskEvents& events) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error)
    return base::fail(base::ErrorCode::io,
                      fmt::format("cannot make {}: {}", directory.string(), error.message()));
  int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return system_error("open", directory);
  auto files = std::make_shared<Files>(directory, descriptor);
  return std::unique_ptr<FileDisk>(new FileDisk(shard, std::move(files), events));
}

FileDisk::FileDisk(net::Shard& shard, std::shared_ptr<Files> files, storage::DiskEvents& events)
    : mailbox_(shard.mailbox()),
      target_(std::make_shared<Target>(Target{&events})),
      log_{std::move(files), std::make_unique<net::Worker>()} {}

FileDisk::~FileDisk() {
  target_->events = nullptr;
}

base::Result<> FileDisk::finish() {
  target_->events = nullptr;
  for (Lane* lane : {&reads_, &segments_, &log_}) lane->worker.reset();
  if (log_.files->failed()) return std::unexpected(*log_.files->failed());
  return {};
}

void FileDisk::flush() {
  for (Lane* lane : {&log_, &segments_, &reads_})
    if (lane->worker) lane->worker->flush();
}

FileDisk::Lane& FileDisk::begin(Lane& lane) {
  if (!lane.worker) {
    lane.files = std::make_shared<Files>(log_.files->directory(), log_.files->copy_directory());
    lane.worker = std::make_unique<net::Worker>();
  }
  return lane;
}

FileDisk::Lane& FileDisk::lane_of(FileId file) {
  return storage::is_segment(file) ? begin(segments_) : log_;
}

void FileDisk::request(FileId file, DiskToken token, std::function<base::Result<>(Files&)> work) {
  Lane& lane = lane_of(file);
  lane.worker->submit([files = lane.files, target = target_, mailbox = mailbox_, token,
                       is_log = !storage::is_segment(file), work = std::move(work)] {
    auto result = files->run(is_log, work);
    bool is_short = is_log && files->take_reserve_used();
    mailbox->post([target, token, is_short, result = std::move(result)]() mutable {
      target->is_short |= is_short;
      if (target->events) target->events->on_disk_done(token, std::move(result));
    });
  });
}

void FileDisk::keep_reserve() {
  log_.worker->submit([files = log_.files, target = target_, mailbox = mailbox_] {
    mailbox->post([target, is_kept = files->keep_reserve()] { target->is_short = !is_kept; });
  });
}

bool FileDisk::is_short() const {
  return target_->is_short;
}

void FileDisk::read_at(FileId file, std::uint64_t offset, std::uint64_t bytes, DiskToken token) {
  Lane& lane = begin(reads_);
  lane.worker->submit(
      [files = lane.files, target = target_, mailbox = mailbox_, file, offset, bytes, token] {
        // A letter is copied by its mailbox, and the bytes should not be.
        auto result = std::make_shared<base::Result<base::Bytes>>(base::Bytes());
        if (auto read = files->read_at(file, offset, bytes, **result); !read)
          *result = std::unexpected(read.error());
        mailbox->post([target, token, result] {
          if (target->events) target->events->on_disk_read(token, std::move(*result));
        });
      });
}

std::uint64_t FileDisk::size(FileId file) const {
  std::error_code error;
  std::uintmax_t bytes = fs::file_size(log_.files->path_of(file), error);
  return error ? 0 : bytes;
}

base::Result<> FileDisk::load(FileId file, std::uint64_t offset, std::uint64_t bytes,
                              base::Bytes& into) {
  return log_.files->read_at(file, offset, bytes, into);
}

void FileDisk::write(FileId file, std::uint64_t offset, base::Bytes data, bool sync_after,
                     DiskToken token) {
  const bool is_refused = is_short() && storage::is_segment(file);
  request(file, token,
          [file, offset, data = std::move(data), sync_after, is_refused](Files& files) {
    if (is_refused) {
      errno = ENOSPC;
      return base::Result<>(system_error("write", files.path_of(file)));
    }
    auto written = files.write(file, offset, data);
    return written && sync_after ? files.sync(file) : written;
  });
}

void FileDisk::sync(FileId file, DiskToken token) {
  request(file, token, [file](Files& files) { return files.sync(file); });
}

void FileDisk::rename(FileId file, FileId to, DiskToken token) {
  request(file, token, [file, to](Files& files) { return files.rename(file, to); });
}

void FileDisk::remove(FileId file, DiskToken token) {
  request(file, token, [file](Files& files) { return files.remove(file); });
}

base::Result<std::vector<FileId>> FileDisk::list() {
  return list_files(log_.files->directory());
}

base::Result<base::Bytes> FileDisk::read(FileId file) {
  return log_.files->read(file);
}

base::Result<> FileDisk::wipe(const fs::path& directory) {
  std::error_code error;
  if (!fs::exists(directory, error)) return {};
  TRY_ASSIGN(auto ids, list_files(directory));
  int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return system_error("open", directory);
  Files files(directory, descriptor);
  // The newest first: what is left after a crash in between is a log that was cut short.
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) TRY(files.remove(*id));
  files.note_removal();
  return files.sync_names();
}

}  // namespace warren::server
