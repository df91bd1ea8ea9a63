#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace warren::broker {

inline constexpr std::string_view default_hashing_algorithm = "rabbit_password_hashing_sha256";
inline constexpr std::size_t password_salt_bytes = 4;

/// True for rabbit_password_hashing_sha256, _sha512 and _md5.
bool is_hashing_algorithm(std::string_view name);

/// Salt and digest(salt + password), raw bytes, as catalog::User keeps them. `salt` has
/// password_salt_bytes from a secure source. invalid_argument for an unknown algorithm.
base::Result<std::string> make_password_hash(
    std::string_view password, std::string_view salt,
    std::string_view algorithm = default_hashing_algorithm);

/// Whether the password fits the hash. Blank passwords, empty or malformed hashes and unknown
/// algorithms never fit. The time taken does not tell where digests differ.
bool verify_password(std::string_view hash, std::string_view algorithm, std::string_view password);

/// The standard alphabet with padding: how definitions files and the HTTP API show a hash.
std::string encode_base64(std::string_view bytes);
/// invalid_argument for anything that encode_base64 does not write.
base::Result<std::string> decode_base64(std::string_view text);

}  // namespace warren::broker
