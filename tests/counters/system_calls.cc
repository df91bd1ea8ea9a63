#include "counters/system_calls.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>

namespace {

std::atomic<std::uint64_t> reads, sends, waits, watches, disk_writes, disk_syncs;

}  // namespace

warren::counters::SystemCalls warren::counters::system_calls() {
  return {reads, sends, waits, watches, disk_writes, disk_syncs};
}

// These take the place of the C library's own for everything that is linked into the program.
extern "C" {

ssize_t readv(int file, const iovec* pieces, int count) {
  ++reads;
  return ::syscall(SYS_readv, file, pieces, count);
}
ssize_t recv(int file, void* to, std::size_t size, int flags) {
  ++reads;
  return ::syscall(SYS_recvfrom, file, to, size, flags, nullptr, nullptr);
}
ssize_t sendmsg(int file, const msghdr* message, int flags) {
  ++sends;
  return ::syscall(SYS_sendmsg, file, message, flags);
}
int epoll_wait(int epoll, epoll_event* events, int count, int timeout) {
  ++waits;
  return static_cast<int>(::syscall(SYS_epoll_wait, epoll, events, count, timeout));
}
int epoll_ctl(int epoll, int operation, int file, epoll_event* event) noexcept {
  ++watches;
  return static_cast<int>(::syscall(SYS_epoll_ctl, epoll, operation, file, event));
}
ssize_t pwrite(int file, const void* from, std::size_t size, off_t offset) {
  ++disk_writes;
  return ::syscall(SYS_pwrite64, file, from, size, offset);
}
ssize_t pwritev(int file, const iovec* parts, int count, off_t offset) {
  ++disk_writes;
  return ::syscall(SYS_pwritev, file, parts, count, offset, 0);
}
int fdatasync(int file) {
  ++disk_syncs;
  return static_cast<int>(::syscall(SYS_fdatasync, file));
}

}  // extern "C"
