#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/field_value.h"
#include "broker/route_targets.h"

namespace warren::broker {

/// Whether two values are the same apart from their types: 1 as an octet, 1 as a timestamp and
/// 1.0 are; within arrays and tables the types count too.
bool is_same_value(const base::FieldValue& a, const base::FieldValue& b);

/// The bindings of a headers exchange. A binding names headers and their values; a void value
/// asks only that the header is there. x-match tells whether all or any must fit, and whether
/// names that start with "x-" count (all-with-x, any-with-x). Nothing to fit: all does, any
/// does not.
class HeadersTable {
 public:
  void add(const base::FieldTable& arguments, TargetNumber target);
  /// Removes one binding, which must be there.
  void remove(const base::FieldTable& arguments, TargetNumber target);
  /// Appends the targets of the bindings that fit; `headers` may be null.
  void match(const base::FieldTable* headers, std::vector<TargetNumber>& out) const;

 private:
  struct Rule {
    TargetNumber target;
    bool any = false;
    base::Bytes arguments;  ///< all of them, by which the binding is found again
    std::vector<std::pair<std::string, base::FieldValue>> wanted;

    bool fits(const base::FieldTable& headers) const;
  };

  std::vector<Rule> rules_;
};

}  // namespace warren::broker
