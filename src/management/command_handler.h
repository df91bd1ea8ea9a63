#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "management/operations.h"

namespace warren::management {

/// Executes the commands of the command line on the server: one JSON request, one JSON reply.
///
/// Request: {"command":"list_queues","vhost":"/","arguments":["name"],"options":{"offline":true}}
/// Reply: {"status":"ok","exit":0, ...} or {"status":"error","exit":69,"kind":..,"text":..}; the
/// forms are in reply.h. Texts are UTF-8, lines end with \n.
class CommandHandler {
 public:
  using Reply = std::function<void(std::string)>;

  /// `operations` must outlive the handler and every reply.
  explicit CommandHandler(Operations& operations) : operations_(operations) {}

  /// `reply` is called exactly once, perhaps before this returns. Requests that are no such JSON
  /// get an error reply.
  void execute(std::string_view request, Reply reply);

 private:
  Operations& operations_;
};

}  // namespace warren::management
