#pragma once

#include <functional>
#include <memory>

#include "base/time.h"
#include "net/shard.h"

namespace warren::net {

/// Calls back once when its time has come. Destroying or setting it anew forgets the old time;
/// no callback comes after that.
class Timer {
 public:
  Timer(Shard& shard, std::function<void()> callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// `base::never` stops it. Setting the time that is set already costs nothing.
  void set(base::Time when);
  void cancel() { set(base::never); }

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

/// Calls back with the signal's number on the shard's thread whenever one of `signals` arrives.
class Signals {
 public:
  Signals(Shard& shard, std::initializer_list<int> signals, std::function<void(int)> callback);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace warren::net
