#include "broker/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <memory>

#include "base/assert.h"

namespace warren::broker {
namespace {

const EVP_MD* find_digest(std::string_view algorithm) {
  if (algorithm == default_hashing_algorithm) return EVP_sha256();
  if (algorithm == "rabbit_password_hashing_sha512") return EVP_sha512();
  if (algorithm == "rabbit_password_hashing_md5") return EVP_md5();
  return nullptr;
}

const unsigned char* octets(std::string_view text) {
  return static_cast<const unsigned char*>(static_cast<const void*>(text.data()));
}

base::Result<std::string> digest_of(const EVP_MD* type, std::string_view salt,
                                    std::string_view password) {
  struct Release {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Release> context(EVP_MD_CTX_new());
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  bool done = context && EVP_DigestInit_ex(context.get(), type, nullptr) == 1 &&
              EVP_DigestUpdate(context.get(), salt.data(), salt.size()) == 1 &&
              EVP_DigestUpdate(context.get(), password.data(), password.size()) == 1 &&
              EVP_DigestFinal_ex(context.get(), digest, &size) == 1;
  if (!done)
    return base::fail(base::ErrorCode::internal, "the cryptographic library refuses the digest");
  return std::string(static_cast<const char*>(static_cast<void*>(digest)), size);
}

}  // namespace

bool is_hashing_algorithm(std::string_view name) {
  return find_digest(name) != nullptr;
}

base::Result<std::string> make_password_hash(std::string_view password, std::string_view salt,
                                             std::string_view algorithm) {
  ASSERT(salt.size() == password_salt_bytes);
  const EVP_MD* type = find_digest(algorithm);
  if (!type)
    return base::fail(base::ErrorCode::invalid_argument,
                      "unknown password hashing algorithm '" + std::string(algorithm) + "'");
  TRY_ASSIGN(std::string digest, digest_of(type, salt, password));
  return std::string(salt) + digest;
}

bool verify_password(std::string_view hash, std::string_view algorithm, std::string_view password) {
  if (password.empty() || hash.size() <= password_salt_bytes) return false;
  const EVP_MD* type = find_digest(algorithm);
  if (!type) return false;
  auto digest = digest_of(type, hash.substr(0, password_salt_bytes), password);
  std::string_view expected = hash.substr(password_salt_bytes);
  return digest && digest->size() == expected.size() &&
         CRYPTO_memcmp(digest->data(), expected.data(), expected.size()) == 0;
}

std::string encode_base64(std::string_view bytes) {
  ASSERT(bytes.size() < INT32_MAX / 2);
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  auto* to = static_cast<unsigned char*>(static_cast<void*>(text.data()));
  // It writes a final zero, for which std::string has room.
  EVP_EncodeBlock(to, octets(bytes), static_cast<int>(bytes.size()));
  return text;
}

base::Result<std::string> decode_base64(std::string_view text) {
  auto refused = [] {
    return base::fail(base::ErrorCode::invalid_argument, "text that is not base64");
  };
  if (text.size() % 4 != 0 || text.size() > INT32_MAX / 2) return refused();
  std::string bytes(text.size() / 4 * 3, '\0');
  auto* to = static_cast<unsigned char*>(static_cast<void*>(bytes.data()));
  if (!text.empty() && EVP_DecodeBlock(to, octets(text), static_cast<int>(text.size())) < 0)
    return refused();
  if (text.ends_with('=')) bytes.pop_back();
  if (text.ends_with("==")) bytes.pop_back();
  // The library skips blanks and takes odd paddings; what does not come out again is refused.
  if (encode_base64(bytes) != text) return refused();
  return bytes;
}

}  // namespace warren::broker
