#include "server/plugins_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "codec/erlang_term.h"

namespace warren::server {

base::Result<std::vector<std::string>> read_enabled_plugins(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<std::string> plugins;
  if (!stream) {
    if (errno == ENOENT || errno == ENOTDIR) return plugins;
    return base::fail(base::ErrorCode::io,
                      fmt::format("cannot read {}: {}", file.string(), std::strerror(errno)));
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored))
    return base::fail(base::ErrorCode::io,
                      fmt::format("cannot read {}: it is a directory", file.string()));
  std::ostringstream text;
  text << stream.rdbuf();
  auto malformed = [&file](std::string_view what) {
    return base::fail(base::ErrorCode::invalid_argument,
                      fmt::format("{}: {}", file.string(), what));
  };
  auto terms = codec::erlang::parse_terms(text.str());
  if (!terms) return malformed(terms.error().text);
  if (terms->empty()) return plugins;
  const auto* items = terms->front().items();
  if (terms->size() != 1 || !items) return malformed("expected one list of plugin names");
  for (const auto& item : *items) {
    const auto* name = item.as<codec::erlang::Atom>();
    if (!name) return malformed("expected one list of plugin names");
    plugins.push_back(name->name);
  }
  return plugins;
}

}  // namespace warren::server
