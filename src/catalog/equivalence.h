#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "base/field_value.h"
#include "base/result.h"
#include "catalog/records.h"

/// Comparing a declaration with what exists, and the words in which a client learns of it.
namespace warren::catalog {

/// "queue 'q' in vhost '/'".
std::string queue_text(const ResourceName& name);
/// "exchange 'x' in vhost '/'".
std::string exchange_text(const ResourceName& name);

/// precondition_failed when the values differ. `resource` is a text as above.
base::Result<> check_equal_property(std::string_view resource, std::string_view property,
                                    std::string_view received, std::string_view current);
base::Result<> check_equal_property(std::string_view resource, std::string_view property,
                                    std::same_as<bool> auto received, bool current) {
  auto text = [](bool flag) { return std::string_view(flag ? "true" : "false"); };
  return check_equal_property(resource, property, text(received), text(current));
}
/// The same for one argument of two tables. Integers are compared by value, whatever their type.
base::Result<> check_equal_argument(std::string_view resource, std::string_view argument,
                                    const base::FieldTable& received,
                                    const base::FieldTable& current);

/// Compares type, durable, auto_delete, internal and alternate-exchange, in this order.
base::Result<> check_equivalent(const Exchange& received, const Exchange& current);

}  // namespace warren::catalog
