#pragma once

#include <functional>
#include <memory>
#include <vector>

namespace warren::net {

/// A thread that carries out jobs one after the other, in order: for what must wait, such as
/// fdatasync. A job answers through the mailbox of the shard that submitted it.
class Worker {
 public:
  using Job = std::function<void()>;

  Worker();
  /// Carries out what was submitted before, then ends the thread.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// To be called on one thread. What is submitted between two flushes starts together.
  void submit(Job job);
  void flush();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace warren::net
