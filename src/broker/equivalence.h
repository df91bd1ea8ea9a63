#pragma once

#include "base/result.h"
#include "broker/queue_arguments.h"
#include "catalog/records.h"

/// Whether a second declaration of a thing asks for the thing that exists.
namespace warren::broker {

/// resource_locked when the queue belongs to another connection.
base::Result<> check_exclusive_access(const catalog::Queue& queue,
                                      catalog::ConnectionId connection);

/// Compares ownership, durable, auto_delete and the known arguments, in this order.
/// resource_locked, or precondition_failed "inequivalent arg 'durable' for queue 'q' in vhost
/// '/': received 'false' but current is 'true'".
base::Result<> check_equivalent(const catalog::Queue& current, const QueueDeclaration& wanted,
                                catalog::ConnectionId connection);

/// Compares type, durable, auto_delete, internal and alternate-exchange, in this order;
/// precondition_failed with texts of the same form.
base::Result<> check_equivalent(const catalog::Exchange& current, const catalog::Exchange& wanted);

}  // namespace warren::broker
