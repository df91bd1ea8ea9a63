#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "perf/client.h"
#include "perf/options.h"

namespace warren::perf {

/// Declares queues and exchange of a load over a channel that is open.
base::Result<> declare_ends(Client& client, const Options& options);
/// The same and the bindings between them.
base::Result<> declare_topology(Client& client, const Options& options);
/// Deletes all of it.
base::Result<> delete_topology(Client& client, const Options& options);

/// The queues that fall to one of `sharers`: each queue has somebody, everybody has a queue.
std::vector<unsigned> queues_of(unsigned sharer, unsigned sharers, unsigned queues);
/// What a producer writes on its messages.
std::vector<std::string> routing_keys_of(const Options& options, unsigned producer);
/// How many queues get a message, where that can be known.
std::uint64_t copies_of_message(const Options& options);

}  // namespace warren::perf
