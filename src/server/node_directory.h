#pragma once

#include <filesystem>
#include <vector>

#include "cluster/node.h"
#include "server/environment.h"

/// What can be done with a node's data directory while its application does not run. The calls
/// wait for the disk.
namespace warren::server {

std::filesystem::path log_directory(const Environment& environment);

base::Result<cluster::NodeFacts> read_node_facts(const Environment& environment);
base::Result<> forget_everything(const Environment& environment);
/// Forgets everything and makes it the directory of a member whose facts these are.
base::Result<> become_member(const Environment& environment, const cluster::NodeFacts& facts);
base::Result<> change_kind(const Environment& environment, catalog::NodeKind kind);
/// See cluster::Node::prepare_forced_boot. not_found when the node never ran.
base::Result<> force_boot(const Environment& environment,
                          std::vector<catalog::NodeName> forget = {});

/// The same for the command line, which has to make sure first that no process uses the directory
/// (already_exists).
base::Result<> force_boot_of_dead_node(const Environment& environment,
                                       std::vector<catalog::NodeName> forget = {});

}  // namespace warren::server
