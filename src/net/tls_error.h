#pragma once

#include <string>

namespace warren::net {

/// Empties OpenSSL's list of errors of this thread into one text.
std::string take_openssl_errors();

}  // namespace warren::net
