#include "raft/configuration.h"

#include <algorithm>
#include <iterator>

namespace warren::raft {

using base::ErrorCode;

namespace {

bool contains(const std::vector<MemberId>& members, const MemberId& member) {
  return std::binary_search(members.begin(), members.end(), member);
}

base::Result<> check_list(const std::vector<MemberId>& members) {
  if (members.size() > UINT16_MAX)
    return base::fail(ErrorCode::invalid_argument, "a configuration has too many members");
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].empty() || members[i].size() > 255)
      return base::fail(ErrorCode::invalid_argument, "a member's name has 1 to 255 bytes");
    if (i > 0 && members[i - 1] >= members[i])
      return base::fail(ErrorCode::invalid_argument, "members are not sorted, or repeat");
  }
  return {};
}

std::vector<MemberId> read_list(base::ByteReader& reader) {
  std::vector<MemberId> members;
  for (unsigned left = reader.u16(); left > 0 && !reader.failed(); --left)
    members.emplace_back(reader.short_string());
  return members;
}

}  // namespace

bool Configuration::is_voter(const MemberId& member) const {
  return contains(voters, member);
}
bool Configuration::is_learner(const MemberId& member) const {
  return contains(learners, member);
}
bool Configuration::is_member(const MemberId& member) const {
  return is_voter(member) || is_learner(member);
}

base::Result<> check(const Configuration& configuration) {
  TRY(check_list(configuration.voters));
  TRY(check_list(configuration.learners));
  if (configuration.voters.empty())
    return base::fail(ErrorCode::invalid_argument, "a configuration needs a voter");
  for (const MemberId& member : configuration.learners)
    if (configuration.is_voter(member))
      return base::fail(ErrorCode::invalid_argument, member + " cannot be voter and learner");
  return {};
}

std::size_t count_voter_changes(const Configuration& from, const Configuration& to) {
  std::vector<MemberId> changes;
  std::set_symmetric_difference(from.voters.begin(), from.voters.end(), to.voters.begin(),
                                to.voters.end(), std::back_inserter(changes));
  return changes.size();
}

base::Bytes encode(const Configuration& configuration) {
  base::Bytes bytes;
  base::ByteWriter writer(bytes);
  for (const auto* members : {&configuration.voters, &configuration.learners}) {
    writer.u16(static_cast<std::uint16_t>(members->size()));
    for (const MemberId& member : *members) writer.short_string(member);
  }
  return bytes;
}

base::Result<Configuration> decode_configuration(base::ByteView bytes) {
  base::ByteReader reader(bytes);
  Configuration configuration;
  configuration.voters = read_list(reader);
  configuration.learners = read_list(reader);
  TRY(reader.check("configuration"));
  if (!reader.empty()) return base::fail(ErrorCode::corrupt, "configuration: bytes after its end");
  if (auto sound = check(configuration); !sound)
    return base::fail(ErrorCode::corrupt, "configuration: " + sound.error().text);
  return configuration;
}

}  // namespace warren::raft
