#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace warren::base {

/// The length of the UTF-8 sequence at the front of `text`, which is not empty, or 0 when there is
/// none.
std::size_t utf8_sequence_length(ByteView text);
/// Whether all of it is UTF-8.
bool is_utf8(ByteView text);

}  // namespace warren::base
