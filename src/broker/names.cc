#include "broker/names.h"

#include "base/assert.h"

namespace warren::broker {
namespace {

std::string make_name(std::string_view prefix, std::string_view random) {
  static constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  ASSERT(random.size() == name_random_bytes);
  std::string name(prefix);
  unsigned pending = 0, bits = 0;
  for (char octet : random) {
    pending = (pending << 8 | static_cast<unsigned char>(octet)) & 0xFFFF;
    for (bits += 8; bits >= 6; bits -= 6) name.push_back(alphabet[pending >> (bits - 6) & 63]);
  }
  name.push_back(alphabet[pending << (6 - bits) & 63]);
  return name;
}

}  // namespace

std::string make_queue_name(std::string_view random) {
  return make_name("amq.gen-", random);
}
std::string make_consumer_tag(std::string_view random) {
  return make_name("amq.ctag-", random);
}

std::string strip_line_breaks(std::string_view name) {
  std::string stripped(name);
  std::erase_if(stripped, [](char c) { return c == '\r' || c == '\n'; });
  return stripped;
}

bool has_reserved_prefix(std::string_view name) {
  return name.starts_with("amq.");
}

}  // namespace warren::broker
