#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/field_value.h"

/// For tests: AMQP 0-9-1 frames as readable text, written apart from the codec.
namespace warren::session {

/// The frame for "1 queue.declare queue=q durable arguments={x-max-length:I:5}". Beside methods
/// there are "1 header size=2 delivery_mode=2", "1 body text", "0 heartbeat" and
/// "1 frame 9 text" for any type. A flag stands for a bit that is set; text with spaces goes in
/// double quotes, and \5 is the octet 5. Fails the test for a line that it doesn't understand.
base::Bytes frame_of(std::string_view line);

/// The frames at the front of `bytes`, one line each; what is no frame is shown in hex.
std::vector<std::string> lines_of(base::ByteView bytes);

/// A list of frame bytes for basic.publish with content: "exchange key body name=value...".
base::Bytes publish_frames(std::string_view line, std::size_t body_frame_size = 65536);

}  // namespace warren::session
