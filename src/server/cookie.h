#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace warren::server {

/// Reads the secret that the nodes of a cluster and their commands share. A missing file is made,
/// with mode 0400 and 20 random letters. A file that others may read is refused.
base::Result<std::string> read_or_make_cookie(const std::filesystem::path& file);
/// As above, for a caller that has nothing to share with a node that never ran: a missing file is
/// an error.
base::Result<std::string> read_cookie(const std::filesystem::path& file);

/// The cookie in a file's text: trailing blanks and line ends go, other characters that can't be
/// in one are refused.
base::Result<std::string> parse_cookie(std::string_view text);

}  // namespace warren::server
