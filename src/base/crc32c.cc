#include "base/crc32c.h"

#include <array>
#include <cstring>

namespace warren::base {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78u : 0);
    table[i] = crc;
  }
  return table;
}
constexpr auto table = make_table();

std::uint32_t by_table(std::string_view bytes, std::uint32_t crc) {
  for (char octet : bytes)
    crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(octet)) & 0xFF];
  return crc;
}

#if defined(__x86_64__)
/// The instruction gives its result three cycles late, but one can be begun in each: so three lanes
/// of that many bytes go side by side.
constexpr std::size_t lane_bytes = 256;

/// What each value of each octet of a register becomes by a lane's length of zeros.
constexpr auto make_shifts() {
  std::array<std::uint32_t, 32> bits{};
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    std::uint32_t crc = 1u << bit;
    for (std::size_t i = 0; i < lane_bytes; ++i) crc = (crc >> 8) ^ table[crc & 0xFF];
    bits[bit] = crc;
  }
  std::array<std::array<std::uint32_t, 256>, 4> shifts{};
  for (std::uint32_t octet = 0; octet < 4; ++octet)
    for (std::uint32_t value = 0; value < 256; ++value)
      for (std::uint32_t bit = 0; bit < 8; ++bit)
        if ((value >> bit & 1) != 0) shifts[octet][value] ^= bits[8 * octet + bit];
  return shifts;
}
constexpr auto shifts = make_shifts();

std::uint64_t behind_lane(std::uint64_t crc) {
  return shifts[0][crc & 0xFF] ^ shifts[1][crc >> 8 & 0xFF] ^ shifts[2][crc >> 16 & 0xFF] ^
         shifts[3][crc >> 24 & 0xFF];
}

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes,
                                                               std::uint32_t crc) {
  std::uint64_t wide = crc;
  while (bytes.size() >= 3 * lane_bytes) {
    std::uint64_t lanes[3] = {wide, 0, 0};
    for (std::size_t at = 0; at < lane_bytes; at += 8) {
      for (std::size_t lane = 0; lane < 3; ++lane) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data() + lane * lane_bytes + at, 8);
        lanes[lane] = __builtin_ia32_crc32di(lanes[lane], word);
      }
    }
    wide = behind_lane(behind_lane(lanes[0]) ^ lanes[1]) ^ lanes[2];
    bytes.remove_prefix(3 * lane_bytes);
  }
  while (bytes.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    wide = __builtin_ia32_crc32di(wide, word);
    bytes.remove_prefix(8);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (char octet : bytes) crc = __builtin_ia32_crc32qi(crc, static_cast<unsigned char>(octet));
  return crc;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) {
  std::uint32_t crc = ~seed;
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return ~by_instruction(bytes, crc);
#endif
  return ~by_table(bytes, crc);
}

}  // namespace warren::base
