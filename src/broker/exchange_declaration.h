#pragma once

#include <string_view>

#include "base/field_value.h"
#include "base/result.h"
#include "catalog/records.h"

/// Checks of what clients do to exchanges. A session that declares asks, in this order:
/// check_exchange_type, check_not_default_exchange, the permission; then check_equivalent
/// (equivalence.h) when the exchange exists, and check_new_exchange when it does not.
namespace warren::broker {

/// invalid_argument "invalid exchange type 't'"; AMQP 0-9-1 sends it as COMMAND_INVALID.
base::Result<> check_exchange_type(std::string_view type);

/// access_refused "operation not permitted on the default exchange".
base::Result<> check_not_default_exchange(std::string_view exchange);

/// access_refused for a reserved name, precondition_failed for an alternate-exchange that is not
/// text.
base::Result<> check_new_exchange(const catalog::Exchange& wanted);

/// access_refused for the default and the pre-declared exchanges.
base::Result<> check_exchange_deletable(const catalog::ResourceName& exchange);

/// access_refused "cannot publish to internal exchange 'x' in vhost '/'".
base::Result<> check_publishable(const catalog::Exchange& exchange);

/// Checks a binding's arguments for an exchange of that type: precondition_failed for an x-match
/// that a headers exchange does not know.
base::Result<> check_binding_arguments(std::string_view exchange_type,
                                       const base::FieldTable& arguments);

}  // namespace warren::broker
