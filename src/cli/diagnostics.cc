#include "cli/diagnostics.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "broker/password.h"

namespace warren::cli {
namespace {

constexpr const char* guide = "https://rabbitmq.com/documentation.html";

std::string host_of(const std::string& node) { return node.substr(node.find('@') + 1); }
std::string name_of(const std::string& node) { return node.substr(0, node.find('@')); }

std::string others_line(const ConnectFailure& failure) {
  const std::string host = host_of(failure.node);
  constexpr std::string_view indent = "                  ";
  if (failure.others.empty()) return fmt::format("{}no other nodes on {}\n", indent, host);
  return fmt::format("{}other nodes on {}: [{}]\n", indent, host,
                     fmt::join(failure.others, ","));
}

std::string findings(const ConnectFailure& failure, std::uint16_t epmd_port) {
  const std::string host = host_of(failure.node), name = name_of(failure.node);
  const std::string uses_port = fmt::format(
      "  * connected to epmd (port {}) on {}\n"
      "  * epmd reports node '{}' uses port {} for inter-node and CLI tool traffic \n",
      epmd_port, host, name, failure.port);
  switch (failure.kind) {
    case ConnectFailure::Kind::no_such_host:
      return fmt::format(
          "  * unable to connect to epmd (port {}) on {}: nxdomain (non-existing domain)\n\n",
          epmd_port, host);
    case ConnectFailure::Kind::no_epmd:
      return fmt::format(
          "  * unable to connect to epmd (port {}) on {}: address (cannot connect to host/port)\n"
          "  * suggestion: start the node, which starts epmd too\n\n",
          epmd_port, host);
    case ConnectFailure::Kind::not_registered:
      return fmt::format(
                 "  * connected to epmd (port {}) on {}\n"
                 "  * epmd reports: node '{}' not running at all\n",
                 epmd_port, host, name) +
             others_line(failure) + "  * suggestion: start the node\n";
    case ConnectFailure::Kind::port_closed:
      return uses_port + fmt::format(
                             "  * can't establish TCP connection to the target node: {}\n"
                             "  * suggestion: check if a firewall stands between, and if the "
                             "node's process still runs\n",
                             failure.detail);
    case ConnectFailure::Kind::refused_by_node:
      return uses_port + fmt::format(
                             "  * TCP connection succeeded but Erlang distribution failed \n"
                             "  * the node's answer: {}\n"
                             "  * suggestion: check if the Erlang cookie is identical for all "
                             "server nodes and CLI tools\n"
                             "  * suggestion: check if all server nodes and CLI tools use "
                             "consistent hostnames when addressing each other\n\n",
                             failure.detail);
  }
  return "";
}

}  // namespace

std::string describe_failure(const ConnectFailure& failure, const CallerDetails& caller) {
  return fmt::format(
      "Error: unable to perform an operation on node '{0}'. Please see diagnostics information "
      "and suggestions below.\n\n"
      "Most common reasons for this are:\n\n"
      " * Target node is not running\n"
      " * Target node is unreachable: its host name, the network or a firewall\n"
      " * The node does not accept this tool's Erlang cookie\n\n"
      "In addition to the diagnostics info below:\n\n"
      " * See the guides on {1} to learn more\n"
      " * Consult server logs on node {0}\n"
      " * Use --longnames if the target node has a long name\n\n"
      "DIAGNOSTICS\n===========\n\nattempted to contact: [{0}]\n\n{0}:\n{2}\n"
      "Current node details:\n * node name: '{3}'\n"
      " * effective user's home directory: {4}\n * Erlang cookie hash: {5}\n\n",
      failure.node, guide, findings(failure, caller.epmd_port), caller.name, caller.home,
      caller.cookie_hash);
}

std::string cookie_hash(const std::string& cookie) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(cookie.data(), cookie.size(), digest, &size, EVP_md5(), nullptr) != 1) return "";
  std::string bytes;
  for (unsigned int i = 0; i < size; ++i) bytes += static_cast<char>(digest[i]);
  return broker::encode_base64(bytes);
}

}  // namespace warren::cli
