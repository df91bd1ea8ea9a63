#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/node_dial.h"

namespace warren::server {

/// One question from this process to another node's control endpoint, under way for as long as
/// this lives, for at most 20 seconds.
class ControlCall {
 public:
  /// The reply's text. Errors: unavailable when the node can't be reached, access_refused when
  /// the cookies differ.
  using Done = std::function<void(base::Result<std::string>)>;

  /// `done` is called once, never from inside this call; it may destroy the call.
  ControlCall(net::Shard& shard, const Caller& caller, std::string node, std::string request,
              Done done);
  ~ControlCall();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace warren::server
