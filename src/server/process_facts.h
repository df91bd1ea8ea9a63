#pragma once

#include <cstdint>
#include <filesystem>

/// What the operating system says of this process and its surroundings. Zero where it can't be
/// found out.
namespace warren::server {

std::uint64_t resident_bytes();
std::uint64_t total_memory_bytes();  ///< of the machine, or what the control group allows
std::uint64_t free_disk_bytes(const std::filesystem::path& directory);
std::uint64_t open_files();
std::uint64_t open_files_limit();
std::int64_t wall_clock_ms();

}  // namespace warren::server
