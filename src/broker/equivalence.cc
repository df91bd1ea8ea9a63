#include "broker/equivalence.h"

#include <fmt/format.h>

#include "broker/resource.h"
#include "catalog/equivalence.h"

namespace warren::broker {
namespace {

using catalog::check_equal_argument;
using catalog::check_equal_property;

base::Error locked(const catalog::ResourceName& queue) {
  return {base::ErrorCode::resource_locked,
          fmt::format("cannot obtain exclusive access to locked {}. It could be originally "
                      "declared on another connection or the exclusive property value does not "
                      "match that of the original declaration.",
                      resource_text(ResourceKind::queue, queue))};
}

/// A queue declared without a type and one declared as classic are the same.
bool is_classic(const base::FieldTable& arguments) {
  const base::FieldValue* type = arguments.find("x-queue-type");
  const std::string* name = type ? type->as<std::string>() : nullptr;
  return !type || (name && *name == "classic");
}

}  // namespace

base::Result<> check_exclusive_access(const catalog::Queue& queue,
                                      catalog::ConnectionId connection) {
  if (queue.exclusive_owner && queue.exclusive_owner->connection != connection)
    return std::unexpected(locked(queue.name));
  return {};
}

base::Result<> check_equivalent(const catalog::Queue& current, const QueueDeclaration& wanted,
                                catalog::ConnectionId connection) {
  TRY(check_exclusive_access(current, connection));
  if (current.is_exclusive() != wanted.exclusive) return std::unexpected(locked(current.name));
  std::string resource = resource_text(ResourceKind::queue, current.name);
  TRY(check_equal_property(resource, "durable", wanted.durable, current.durable));
  TRY(check_equal_property(resource, "auto_delete", wanted.auto_delete, current.auto_delete));
  for (std::string_view argument : known_queue_arguments()) {
    if (argument == "x-queue-type" && is_classic(current.arguments) && is_classic(wanted.arguments))
      continue;
    TRY(check_equal_argument(resource, argument, wanted.arguments, current.arguments));
  }
  return {};
}

base::Result<> check_equivalent(const catalog::Exchange& current, const catalog::Exchange& wanted) {
  return catalog::check_equivalent(wanted, current);
}

}  // namespace warren::broker
