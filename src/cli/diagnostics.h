#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace warren::cli {

/// Why a node could not be asked.
struct ConnectFailure {
  enum class Kind {
    no_such_host,      ///< the host's name does not resolve
    no_epmd,           ///< no name service answers there
    not_registered,    ///< the name service does not know the node
    port_closed,       ///< the node's port does not answer
    refused_by_node,   ///< the handshake failed: most often the cookies differ
  };
  Kind kind;
  std::string node;                 ///< in full
  std::uint16_t port = 0;           ///< the node's, where the name service knew it
  std::vector<std::string> others;  ///< names that it knows besides
  std::string detail;
};

/// Who asks, as far as it helps to find the fault.
struct CallerDetails {
  std::string name;  ///< "rabbitmqcli-82-rabbit@vm"
  std::string home;
  std::string cookie_hash;
  std::uint16_t epmd_port = 4369;
};

/// The error with everything that is known about it; it ends with an empty line.
std::string describe_failure(const ConnectFailure& failure, const CallerDetails& caller);

/// What stands for a cookie where people compare them: base64 of its MD5.
std::string cookie_hash(const std::string& cookie);

}  // namespace warren::cli
