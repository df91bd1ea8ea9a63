#pragma once

#include <functional>
#include <memory>

namespace warren::net {

/// Carries work to a shard's thread. Any thread may post at any time; letters are run in the
/// order of posting, many per wake-up. After the shard is gone they are dropped.
class Mailbox {
 public:
  using Letter = std::function<void()>;

  virtual ~Mailbox() = default;
  virtual void post(Letter letter) = 0;
};

}  // namespace warren::net
