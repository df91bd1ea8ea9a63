#include "server/cookie.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/random.h"

namespace warren::server {
namespace {

constexpr std::size_t max_cookie = 255;

std::string make_cookie() {
  std::string cookie;
  while (cookie.size() < 20) {
    for (char octet : base::secure_random_bytes(64)) {
      unsigned value = static_cast<unsigned char>(octet);
      // Values beyond a multiple of 26 would favour some letters.
      if (value < 26 * 9 && cookie.size() < 20)
        cookie.push_back(static_cast<char>('A' + value % 26));
    }
  }
  return cookie;
}

base::Result<std::string> create(const std::filesystem::path& file) {
  auto failed = [&file] {
    return base::fail(base::ErrorCode::io, fmt::format("Failed to create cookie file '{}': {}",
                                                       file.string(), std::strerror(errno)));
  };
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  // A file that is complete before it has its name: two nodes may start at the same time.
  std::string temporary = fmt::format("{}.{}", file.string(), getpid());
  int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
  if (descriptor < 0) return failed();
  std::string cookie = make_cookie();
  bool is_written =
      ::write(descriptor, cookie.data(), cookie.size()) == static_cast<ssize_t>(cookie.size()) &&
      ::fsync(descriptor) == 0;
  ::close(descriptor);
  bool is_linked = is_written && (::link(temporary.c_str(), file.c_str()) == 0 || errno == EEXIST);
  if (!is_linked) {
    auto error = failed();
    ::unlink(temporary.c_str());
    return error;
  }
  ::unlink(temporary.c_str());
  return read_cookie(file);
}

}  // namespace

base::Result<std::string> parse_cookie(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  for (char c : text)
    if (c < ' ' || c > '~')
      return base::fail(base::ErrorCode::invalid_argument, "Bad characters in cookie");
  if (text.empty()) return base::fail(base::ErrorCode::invalid_argument, "Too short cookie string");
  if (text.size() > max_cookie)
    return base::fail(base::ErrorCode::invalid_argument, "Too long cookie string");
  return std::string(text);
}

base::Result<std::string> read_cookie(const std::filesystem::path& file) {
  auto failed = [&file](std::string_view reason) {
    return base::fail(base::ErrorCode::io,
                      fmt::format("Error when reading {}: {}", file.string(), reason));
  };
  int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == ENOENT)
      return base::fail(base::ErrorCode::not_found,
                        fmt::format("there is no cookie file {}", file.string()));
    return failed(std::strerror(errno));
  }
  struct stat status {};
  char text[512];
  bool has_status = ::fstat(descriptor, &status) == 0;
  ssize_t size = has_status && S_ISREG(status.st_mode) ? ::read(descriptor, text, sizeof text) : -1;
  ::close(descriptor);
  if (has_status && !S_ISREG(status.st_mode))
    return base::fail(base::ErrorCode::invalid_argument,
                      fmt::format("Cookie file {} is no regular file", file.string()));
  if (size < 0) return failed(std::strerror(errno));
  if ((status.st_mode & 077) != 0)
    return base::fail(
        base::ErrorCode::access_refused,
        fmt::format("Cookie file {} must be accessible by owner only", file.string()));
  return parse_cookie({text, static_cast<std::size_t>(size)});
}

base::Result<std::string> read_or_make_cookie(const std::filesystem::path& file) {
  auto cookie = read_cookie(file);
  if (cookie || cookie.error().code != base::ErrorCode::not_found) return cookie;
  return create(file);
}

}  // namespace warren::server
