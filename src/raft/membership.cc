#include <algorithm>

#include "base/assert.h"
#include "raft/core.h"

namespace warren::raft {

using base::ErrorCode;

namespace {

/// A removed member that stays silent for so many election timeouts need not learn of it.
constexpr int removed_patience = 10;

}  // namespace

base::Result<> Core::check_leading() const {
  if (role_ != Role::leader)
    return base::fail(ErrorCode::unavailable,
                      leader_ ? "the leader is " + *leader_ : "no leader is known at present");
  if (transfer_to_)
    return base::fail(ErrorCode::unavailable, "leadership is moving to " + *transfer_to_);
  if (log_.last_index().value - commit_.value >= options_.max_uncommitted_entries)
    return base::fail(ErrorCode::unavailable, "too many entries wait for a quorum");
  return {};
}

base::Result<LogIndex> Core::propose(base::Bytes command) {
  TRY(check_leading());
  append_entry(EntryKind::command, std::move(command));
  return log_.last_index();
}

base::Result<> Core::propose_configuration(Configuration configuration) {
  TRY(check_leading());
  TRY(check(configuration));
  if (!is_configuration_committed() && !is_mutated(Mutation::change_while_uncommitted))
    return base::fail(ErrorCode::not_allowed, "another membership change is under way");
  // An older leader's change could otherwise commit beside this one, with a quorum that does not
  // meet this one's.
  if (log_.term_at(commit_) != hard_.term && !is_mutated(Mutation::change_before_current_term))
    return base::fail(ErrorCode::not_allowed, "the leader is new and not settled yet");
  if (count_voter_changes(this->configuration(), configuration) > 1)
    return base::fail(ErrorCode::invalid_argument, "only one voter may come or go at a time");
  append_entry(EntryKind::configuration, encode(configuration));
  track_members();
  return {};
}

void Core::track_members() {
  const Configuration& configuration = this->configuration();
  for (const auto* members : {&configuration.voters, &configuration.learners}) {
    for (const MemberId& member : *members) {
      if (member == options_.self) continue;
      auto [found, is_new] = progress_.try_emplace(member);
      Progress& progress = found->second;
      if (!is_new && !progress.removed_at) continue;
      progress = {};
      // The entry just appended may be the only one that it lacks.
      progress.next = log_.last_index();
      progress.last_contact = now_;
    }
  }
  for (auto& [member, progress] : progress_)
    if (!configuration.is_member(member) && !progress.removed_at)
      progress.removed_at = history_.latest_index();
}

void Core::forget_removed() {
  std::erase_if(progress_, [&](const auto& item) {
    const Progress& progress = item.second;
    if (!progress.removed_at || commit_ < progress.removed_at) return false;
    bool knows =
        progress.match >= progress.removed_at && progress.sent_commit >= progress.removed_at;
    return knows || now_ - progress.last_contact >= removed_patience * options_.election_timeout;
  });
}

/// A leader that is no voter any more leads until that is committed by those who are.
void Core::leave_if_removed() {
  if (configuration().is_voter(options_.self) || !is_configuration_committed()) return;
  broadcast();
  auto best =
      std::max_element(progress_.begin(), progress_.end(), [&](const auto& a, const auto& b) {
        auto rank = [&](const auto& item) {
          return std::pair(configuration().is_voter(item.first), item.second.match);
        };
        return rank(a) < rank(b);
      });
  if (best != progress_.end()) send(best->first, TimeoutNow{});
  become_follower(hard_.term, std::nullopt);
}

std::vector<PeerStatus> Core::peers() const {
  std::vector<PeerStatus> peers;
  if (role_ != Role::leader) return peers;
  for (const auto& [member, progress] : progress_)
    peers.push_back(
        {member, progress.match, now_ - progress.last_contact < options_.election_timeout});
  return peers;
}

void Core::peer_reachable(const MemberId& member) {
  peer_unreachable(member);
  has_news_ = role_ == Role::leader;
}

void Core::peer_unreachable(const MemberId& member) {
  auto found = progress_.find(member);
  if (found == progress_.end()) return;
  Progress& progress = found->second;
  progress.start_probe(progress.match ? progress.match.next() : log_.last_index().next());
}

void Core::force_configuration(Configuration configuration) {
  ASSERT(check(configuration).has_value() && configuration.is_voter(options_.self));
  become_follower(hard_.term.next(), std::nullopt);
  hard_.voted_for = options_.self;
  become_leader(EntryKind::configuration, encode(configuration));
}

void Core::adopt_new_generation() {
  hard_.generation = hard_.generation.next();
  held_.clear();
  force_configuration({{options_.self}, {}});
}

void Core::join_generation(Generation generation, Term term) {
  hard_ = {generation, term, {}};
  if (is_mutated(Mutation::keep_log_on_generation)) {
    become_follower(term, std::nullopt);
    return;
  }
  log_.reset_to({}, {});
  history_.clear();
  snapshot_.reset();
  commit_ = applied_ = {};
  persistence_.truncate_from(LogIndex{1});
  staged_from_ = LogIndex{1};
  staged_snapshot_.reset();
  staged_reset_ = true;
  held_.clear();
  messages_.clear();
  become_follower(term, std::nullopt);
}

}  // namespace warren::raft
