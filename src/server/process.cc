#include "server/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

namespace warren::server {
namespace {

namespace fs = std::filesystem;

constexpr int first_own_file = STDERR_FILENO + 1;

std::unexpected<base::Error> system_error(std::string_view what, const fs::path& path) {
  return base::fail(base::ErrorCode::io,
                    fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

void point_streams_to_null() {
  int null = ::open("/dev/null", O_RDWR);
  if (null < 0) return;
  for (int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, stream);
  if (null > STDERR_FILENO) ::close(null);
}

constexpr int lock_interval_ms = 20;
constexpr int lock_tries = 100;

}  // namespace

base::Result<std::unique_ptr<DataDirLock>> DataDirLock::take(const fs::path& data_dir) {
  std::error_code error;
  fs::create_directories(data_dir, error);
  if (error)
    return base::fail(base::ErrorCode::io,
                      fmt::format("cannot make {}: {}", data_dir.string(), error.message()));
  fs::path path = data_dir / "lock";
  int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return system_error("open", path);
  bool is_locked = false;
  for (int tries = lock_tries; !is_locked && tries > 0; --tries) {
    is_locked = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    if (is_locked || errno != EWOULDBLOCK) break;
    ::poll(nullptr, 0, lock_interval_ms);
    errno = EWOULDBLOCK;
  }
  if (!is_locked) {
    auto failed = errno == EWOULDBLOCK
                      ? base::fail(base::ErrorCode::already_exists,
                                   fmt::format("another process uses {}", data_dir.string()))
                      : system_error("lock", path);
    ::close(descriptor);
    return failed;
  }
  return std::unique_ptr<DataDirLock>(new DataDirLock(descriptor));
}

DataDirLock::~DataDirLock() {
  ::close(descriptor_);
}

base::Result<std::unique_ptr<PidFile>> PidFile::write(const fs::path& path) {
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  std::ofstream file(path, std::ios::trunc);
  file << getpid() << '\n';
  file.close();
  if (!file) return system_error("write the pid file", path);
  return std::unique_ptr<PidFile>(new PidFile(path));
}

PidFile::~PidFile() {
  std::ifstream file(path_);
  pid_t pid = 0;
  if (file >> pid && pid == getpid()) ::unlink(path_.c_str());
}

std::unique_ptr<Detachment> Detachment::detach() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::exit(1);
  pid_t child = ::fork();
  if (child < 0) std::exit(1);
  if (child > 0) {
    ::close(ends[1]);
    char answer = 0;
    ssize_t size;
    do {
      size = ::read(ends[0], &answer, 1);
    } while (size < 0 && errno == EINTR);
    ::_exit(size == 1 ? 0 : 1);
  }
  ::setsid();
  // Files that we were given by mistake must not be kept open for as long as the node lives.
  if (ends[1] != first_own_file) {
    ::dup2(ends[1], first_own_file);
    ends[1] = first_own_file;
  }
  ::close_range(first_own_file + 1, ~0u, 0);
  ::fcntl(first_own_file, F_SETFD, FD_CLOEXEC);
  return std::unique_ptr<Detachment>(new Detachment(ends[1]));
}

Detachment::~Detachment() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Detachment::report_started() {
  point_streams_to_null();
  [[maybe_unused]] ssize_t written = ::write(descriptor_, "+", 1);
  ::close(std::exchange(descriptor_, -1));
}

base::Result<> start_own_process(const std::string& argument) {
  // By its own path, so that the new process has the program's name.
  char path[4096] = "/proc/self/exe";
  char real_path[4096] = {};
  if (::readlink(path, real_path, sizeof real_path - 1) > 0 && ::access(real_path, X_OK) == 0)
    std::memcpy(path, real_path, sizeof path);
  pid_t child = ::fork();
  if (child < 0)
    return base::fail(base::ErrorCode::io, fmt::format("cannot fork: {}", std::strerror(errno)));
  if (child > 0) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return {};
  }
  // Twice, so that the process is nobody's child and leaves no zombie.
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  point_streams_to_null();
  ::close_range(3, ~0u, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execl(path, "warren", argument.c_str(), static_cast<char*>(nullptr));
  ::_exit(1);
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace warren::server
