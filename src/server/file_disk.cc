#include "server/file_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

constexpr std::string_view suffix = ".log";
constexpr std::size_t name_digits = 16;
constexpr std::size_t max_open_files = 8;

std::unexpected<base::Error> system_error(std::string_view what, const fs::path& path) {
  return base::fail(base::ErrorCode::io,
                    fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

std::optional<FileId> id_of(const std::string& name) {
  if (name.size() != name_digits + suffix.size() || !name.ends_with(suffix)) return {};
  std::uint64_t value = 0;
  for (char c : name.substr(0, name_digits)) {
    auto digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) return {};
    value = value << 4 | digit;
  }
  if (value == 0) return {};
  return FileId{value};
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

struct FileDisk::Target {
  storage::DiskEvents* events;
};

/// The open files and the first error; used by one thread at a time.
class FileDisk::Files {
 public:
  Files(fs::path directory, int directory_descriptor)
      : directory_(std::move(directory)), directory_descriptor_(directory_descriptor) {}
  ~Files() {
    for (auto& [id, descriptor] : open_) ::close(descriptor);
    ::close(directory_descriptor_);
  }

  fs::path path_of(FileId file) const {
    return directory_ / fmt::format("{:016x}{}", file.value, suffix);
  }
  const fs::path& directory() const { return directory_; }

  /// Runs the work unless something failed before.
  base::Result<> run(const std::function<base::Result<>(Files&)>& work) {
    if (failed_) return std::unexpected(*failed_);
    auto result = work(*this);
    if (!result) failed_ = result.error();
    return result;
  }

  const std::optional<base::Error>& failed() const { return failed_; }

  base::Result<> write(FileId file, std::uint64_t offset, base::ByteView data) {
    TRY_ASSIGN(int descriptor, open(file));
    while (!data.empty()) {
      ssize_t size = ::pwrite(descriptor, data.data(), data.size(), static_cast<off_t>(offset));
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return system_error("write", path_of(file));
      data.remove_prefix(static_cast<std::size_t>(size));
      offset += static_cast<std::uint64_t>(size);
    }
    return {};
  }

  base::Result<> sync(FileId file) {
    TRY_ASSIGN(int descriptor, open(file));
    if (::fdatasync(descriptor) != 0) return system_error("sync", path_of(file));
    return sync_names();
  }

  base::Result<> remove(FileId file) {
    if (auto at = open_.find(file); at != open_.end()) {
      ::close(at->second);
      open_.erase(at);
    }
    if (::unlink(path_of(file).c_str()) != 0 && errno != ENOENT)
      return system_error("remove", path_of(file));
    return {};
  }

  base::Result<base::Bytes> read(FileId file) {
    TRY_ASSIGN(int descriptor, open(file));
    if (::fsync(descriptor) != 0) return system_error("sync", path_of(file));
    has_new_names_ = true;
    TRY(sync_names());
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return system_error("examine", path_of(file));
    base::Bytes bytes(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t done = 0;
    while (done < bytes.size()) {
      ssize_t size =
          ::pread(descriptor, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return system_error("read", path_of(file));
      if (size == 0) break;
      done += static_cast<std::size_t>(size);
    }
    bytes.resize(done);
    return bytes;
  }

  base::Result<> sync_names() {
    if (!has_new_names_) return {};
    if (::fsync(directory_descriptor_) != 0) return system_error("sync", directory_);
    has_new_names_ = false;
    return {};
  }
  void note_removal() { has_new_names_ = true; }

 private:
  base::Result<int> open(FileId file) {
    if (auto at = open_.find(file); at != open_.end()) return at->second;
    if (open_.size() >= max_open_files) {
      ::close(open_.begin()->second);
      open_.erase(open_.begin());
    }
    fs::path path = path_of(file);
    int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) {
      descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
      has_new_names_ = true;
    }
    if (descriptor < 0) return system_error("open", path);
    open_.emplace(file, descriptor);
    return descriptor;
  }

  fs::path directory_;
  int directory_descriptor_;
  std::map<FileId, int> open_;
  bool has_new_names_ = false;
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
      files_(std::move(files)),
      worker_(std::make_unique<net::Worker>()) {}

FileDisk::~FileDisk() {
  target_->events = nullptr;
}

base::Result<> FileDisk::finish() {
  target_->events = nullptr;
  worker_.reset();
  if (files_->failed()) return std::unexpected(*files_->failed());
  return {};
}

void FileDisk::request(DiskToken token, std::function<base::Result<>(Files&)> work) {
  worker_->submit(
      [files = files_, target = target_, mailbox = mailbox_, token, work = std::move(work)] {
        mailbox->post([target, token, result = files->run(work)]() mutable {
          if (target->events) target->events->on_disk_done(token, std::move(result));
        });
      });
}

void FileDisk::write(FileId file, std::uint64_t offset, base::Bytes data, bool sync_after,
                     DiskToken token) {
  request(token, [file, offset, data = std::move(data), sync_after](Files& files) {
    auto written = files.write(file, offset, data);
    return written && sync_after ? files.sync(file) : written;
  });
}

void FileDisk::sync(FileId file, DiskToken token) {
  request(token, [file](Files& files) { return files.sync(file); });
}

void FileDisk::remove(FileId file, DiskToken token) {
  request(token, [file](Files& files) { return files.remove(file); });
}

base::Result<std::vector<FileId>> FileDisk::list() {
  return list_files(files_->directory());
}

base::Result<base::Bytes> FileDisk::read(FileId file) {
  return files_->read(file);
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
