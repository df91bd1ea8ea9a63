#include "broker/password.h"

#include <doctest/doctest.h>

using namespace warren;
using namespace warren::broker;

TEST_CASE("base64 follows RFC 4648") {
  struct Row {
    const char* bytes;
    const char* text;
  };
  for (auto [bytes, text] : std::initializer_list<Row>{{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}}) {
    CHECK(encode_base64(bytes) == text);
    CHECK(decode_base64(text).value() == bytes);
  }
}

TEST_CASE("text that is not base64 is refused") {
  for (const char* text : {"Z", "Zg", "Zg=", "=", "====", "Zg==Zg==", "Zm9v\n", "Zm 9",
                           "Zh==", "Z===", "Zm9=v", "Zm9_"})
    CHECK_FALSE(decode_base64(text).has_value());
}

TEST_CASE("the published example of a password hash fits") {
  // From RabbitMQ's documentation of its algorithm: password test12, salt 908D C60A.
  auto hash = make_password_hash("test12", "\x90\x8D\xC6\x0A");
  REQUIRE(hash.has_value());
  CHECK(encode_base64(*hash) == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR");
  CHECK(verify_password(*hash, default_hashing_algorithm, "test12"));
}

TEST_CASE("each algorithm verifies its own hashes and no others") {
  const char* names[] = {"rabbit_password_hashing_sha256", "rabbit_password_hashing_sha512",
                         "rabbit_password_hashing_md5"};
  std::size_t sizes[] = {36, 68, 20};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(is_hashing_algorithm(names[i]));
    auto hash = make_password_hash("pass", "abcd", names[i]);
    REQUIRE(hash.has_value());
    CHECK(hash->size() == sizes[i]);
    for (const char* name : names)
      CHECK(verify_password(*hash, name, "pass") == (name == names[i]));
    CHECK_FALSE(verify_password(*hash, names[i], "Pass"));
    CHECK_FALSE(verify_password(hash->substr(0, hash->size() - 1), names[i], "pass"));
  }
  CHECK_FALSE(is_hashing_algorithm("rabbit_password_hashing_crc"));
  CHECK_FALSE(make_password_hash("pass", "abcd", "plain").has_value());
}

TEST_CASE("blank passwords and empty hashes fit nothing") {
  auto hash = make_password_hash("", "abcd");
  REQUIRE(hash.has_value());
  CHECK_FALSE(verify_password(*hash, default_hashing_algorithm, ""));
  CHECK_FALSE(verify_password("", default_hashing_algorithm, "x"));
  CHECK_FALSE(verify_password("abcd", default_hashing_algorithm, "x"));
}
