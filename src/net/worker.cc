#include "net/worker.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace warren::net {

class Worker::Impl {
 public:
  Impl() : thread_([this] { run(); }) {}
  ~Impl() {
    flush();
    {
      std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  void submit(Job job) { gathered_.push_back(std::move(job)); }
  void flush() {
    if (gathered_.empty()) return;
    {
      std::lock_guard lock(mutex_);
      if (jobs_.empty()) {
        jobs_.swap(gathered_);
      } else {
        for (Job& job : gathered_) jobs_.push_back(std::move(job));
      }
    }
    gathered_.clear();
    wake_.notify_one();
  }

 private:
  void run() {
    std::vector<Job> jobs;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return !jobs_.empty() || is_ending_; });
      if (jobs_.empty()) return;
      jobs.swap(jobs_);
      lock.unlock();
      for (Job& job : jobs) job();
      jobs.clear();
      lock.lock();
    }
  }

  std::vector<Job> gathered_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> jobs_;
  bool is_ending_ = false;
  std::thread thread_;
};

Worker::Worker() : impl_(std::make_unique<Impl>()) {}
Worker::~Worker() = default;

void Worker::submit(Job job) {
  impl_->submit(std::move(job));
}
void Worker::flush() {
  impl_->flush();
}

}  // namespace warren::net
