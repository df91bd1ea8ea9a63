#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "broker/channel.h"
#include "management/operations.h"

/// What management does to messages and queues, each over a gateway channel of its own that is
/// closed afterwards. `done` is called exactly once, within `queue_call_deadline`; unavailable
/// when the application does not run.
namespace warren::management {

inline constexpr base::Duration queue_call_deadline = std::chrono::seconds(20);

using QueueCallDone = std::function<void(base::Result<broker::Reply>)>;

void purge_queue(Operations& operations, catalog::QueueId queue, QueueCallDone done);
void delete_queue(Operations& operations, catalog::QueueId queue, bool if_unused, bool if_empty,
                  QueueCallDone done);

struct GotMessage {
  broker::Delivery delivery;
  std::uint64_t remaining = 0;  ///< ready messages behind it
};

/// Takes up to `count` messages off the front. They leave the queue for good with
/// `acknowledged`; `requeued` puts them all back, `rejected` drops or dead-letters them.
void get_messages(Operations& operations, catalog::QueueId queue, std::size_t count,
                  broker::Outcome outcome,
                  std::function<void(base::Result<std::vector<GotMessage>>)> done);

/// Publishes to those queues and waits until it is safe there.
void publish_message(Operations& operations, const broker::Message& message,
                     std::span<const catalog::QueueId> queues, Operations::Done done);

}  // namespace warren::management
