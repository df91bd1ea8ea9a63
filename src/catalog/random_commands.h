#pragma once

#include <cstdint>

#include "base/random.h"
#include "catalog/catalog.h"

namespace warren::catalog {

/// Random commands for tests, about few things so that they meet; many of them are refused.
class CommandSource {
 public:
  explicit CommandSource(std::uint64_t seed) : random_(seed) {}

  /// A command of any kind. The catalog is asked for ids and epochs that are current.
  Command next(const Catalog& catalog);
  /// A command about nodes, policies or in-sync sets only.
  Command next_about_placement(const Catalog& catalog);

 private:
  std::string word(const char* prefix, std::uint64_t count);
  ResourceName resource(const char* prefix);
  NodeName node() { return word("n", 4); }
  const Queue* any_queue(const Catalog& catalog);
  Incarnation incarnation(const Catalog& catalog, const NodeName& name);
  std::string definition();
  Command next_about_names(const Catalog& catalog);
  Command next_about_in_sync(const Catalog& catalog);
  Limits limits();
  Command declare_queue();
  Binding binding();

  base::Random random_;
};

}  // namespace warren::catalog
