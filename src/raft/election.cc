#include <algorithm>

#include "raft/core.h"

namespace warren::raft {

void Core::arm_election() {
  auto timeout = static_cast<std::uint64_t>(options_.election_timeout.count());
  election_deadline_ =
      now_ + options_.election_timeout + base::Duration(random_.below(timeout + 1));
}

bool Core::hears_leader() const {
  if (is_mutated(Mutation::forget_leader)) return false;
  if (role_ == Role::leader) return true;
  return leader_ && *leader_ != dead_leader_ &&
         now_ - leader_contact_ < options_.election_timeout;
}

bool Core::hears_leader_in_spite_of(const MemberId& proven_dead) const {
  return hears_leader() && (role_ == Role::leader || *leader_ != proven_dead);
}

bool Core::is_up_to_date(LogIndex last_index, Term last_term) const {
  if (is_mutated(Mutation::vote_without_log_check)) return true;
  return std::pair(last_term, last_index) >= std::pair(log_.last_term(), log_.last_index());
}

/// The candidate's configuration decides whose votes count. Whether a voter knows that it is one
/// does not matter: the entry that made it a voter may not have reached it yet, and its vote may
/// be needed to bring it there.
std::size_t Core::count_votes() const {
  const Configuration& configuration = this->configuration();
  return static_cast<std::size_t>(
      std::count_if(votes_.begin(), votes_.end(), [&](const MemberId& member) {
        return configuration.is_voter(member) ||
               (is_mutated(Mutation::learner_counts) && configuration.is_learner(member));
      }));
}

/// A voter that an uncommitted entry removes stands all the same: the entry may be on no other
/// disk, and then nobody else is electable until this member has brought it there.
bool Core::may_stand() const {
  return configuration().is_voter(options_.self) ||
         (!is_configuration_committed() && history_.previous().is_voter(options_.self));
}

void Core::peer_dead(const MemberId& member) {
  if (role_ != Role::follower || !leader_) return;
  if (*leader_ != member && !is_mutated(Mutation::any_death_counts)) return;
  dead_leader_ = *leader_;
  if (!may_stand()) return;
  auto is_before = [&](const MemberId& voter) {
    return voter < options_.self && voter != dead_leader_;
  };
  auto before = std::ranges::count_if(configuration().voters, is_before);
  if (before == 0) return start_pre_vote();
  election_deadline_ = std::min(election_deadline_, now_ + before * options_.succession_step);
}

void Core::start_pre_vote() {
  arm_election();
  if (!may_stand()) return;
  role_ = Role::pre_candidate;
  leader_.reset();
  matched_ = {};
  votes_ = {options_.self};
  if (count_votes() >= configuration().majority()) {
    start_vote(false);
    return;
  }
  for (const MemberId& member : configuration().voters)
    if (member != options_.self)
      send(member, PreVoteRequest{log_.last_index(), log_.last_term(), dead_leader_});
}

void Core::start_vote(bool transfer) {
  if (!may_stand()) return;
  const MemberId dead_leader = dead_leader_;
  become_follower(hard_.term.next(), std::nullopt);
  role_ = Role::candidate;
  hard_.voted_for = options_.self;
  for (const MemberId& member : configuration().voters)
    if (member != options_.self)
      send(member, VoteRequest{log_.last_index(), log_.last_term(), transfer, dead_leader});
  // The own vote counts like any other: once it is durable.
  send(options_.self, VoteResponse{true});
}

void Core::become_leader(EntryKind first_kind, base::Bytes first_data) {
  role_ = Role::leader;
  leader_ = options_.self;
  progress_.clear();
  transfer_to_.reset();
  heartbeat_deadline_ = now_ + options_.heartbeat_interval;
  // A voter whose removal is not committed may not have heard of it.
  for (const auto* members : {&history_.previous().voters, &history_.previous().learners})
    if (!is_configuration_committed())
      for (const MemberId& member : *members) progress_[member] = {};
  progress_.erase(options_.self);
  for (auto& [member, progress] : progress_) {
    progress.next = log_.last_index().next();
    progress.last_contact = now_;
  }
  append_entry(first_kind, std::move(first_data));
  track_members();
}

void Core::handle(const MemberId& from, const PreVoteRequest& request, Term term) {
  bool granted =
      term >= hard_.term && !hears_leader_in_spite_of(request.dead_leader) &&
      is_up_to_date(request.last_index, request.last_term);
  send(from, PreVoteResponse{term, granted});
}

void Core::handle(const MemberId& from, const PreVoteResponse& response, Term) {
  if (role_ != Role::pre_candidate || response.asked_in != hard_.term || !response.granted) return;
  votes_.insert(from);
  if (count_votes() >= configuration().majority()) start_vote(false);
}

void Core::handle(const MemberId& from, const VoteRequest& request, Term) {
  bool is_free = (hard_.voted_for.empty() && !leader_) || hard_.voted_for == from ||
                 is_mutated(Mutation::vote_twice);
  bool granted = is_free && is_up_to_date(request.last_index, request.last_term);
  if (granted && role_ != Role::leader) {
    become_follower(hard_.term, leader_);
    hard_.voted_for = from;
  }
  send(from, VoteResponse{granted});
}

void Core::handle(const MemberId& from, const VoteResponse& response, Term) {
  if (role_ != Role::candidate || !response.granted) return;
  votes_.insert(from);
  if (count_votes() >= configuration().majority()) become_leader(EntryKind::noop, {});
}

void Core::handle(const MemberId&, const TimeoutNow&, Term) {
  if (role_ != Role::leader) start_vote(true);
}

}  // namespace warren::raft
