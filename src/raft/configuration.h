#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace warren::raft {

/// A node's name, at most 255 bytes.
using MemberId = std::string;

/// Who takes part. Voters elect and count towards commit; learners only receive the log.
/// Both lists are sorted, without repeats, and share no name.
struct Configuration {
  std::vector<MemberId> voters{};
  std::vector<MemberId> learners{};

  bool operator==(const Configuration&) const = default;

  bool is_voter(const MemberId& member) const;
  bool is_learner(const MemberId& member) const;
  bool is_member(const MemberId& member) const;
  bool empty() const { return voters.empty() && learners.empty(); }
  /// How many voters decide.
  std::size_t majority() const { return voters.size() / 2 + 1; }
};

/// An error of code `invalid_argument` when lists are not sorted or overlap, a name is empty or
/// too long, there is no voter, or there are more than 65535 of a kind.
base::Result<> check(const Configuration& configuration);

/// How many voters one has and the other has not.
std::size_t count_voter_changes(const Configuration& from, const Configuration& to);

base::Bytes encode(const Configuration& configuration);
/// Total: any bytes give a value that passes check(), or an error.
base::Result<Configuration> decode_configuration(base::ByteView bytes);

}  // namespace warren::raft
