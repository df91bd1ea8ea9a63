#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "raft/configuration.h"

namespace warren::raft {

/// A period with at most one leader. It only grows, within one generation.
using Term = base::Id<struct TermTag>;
/// A place in the log; the first entry has index 1.
using LogIndex = base::Id<struct LogIndexTag>;
/// Counts how often a survivor declared itself the only voter and left the old quorum behind.
/// Zero is a member that has never been part of a cluster.
using Generation = base::Id<struct GenerationTag>;

enum class EntryKind : std::uint8_t { noop, command, configuration };

/// One place in the log. `data` is the command, or an encoded Configuration, or empty.
struct Entry {
  Term term{};
  LogIndex index{};
  EntryKind kind = EntryKind::noop;
  base::Bytes data{};

  bool operator==(const Entry&) const = default;
};

/// What must be durable before a message that speaks for it may leave.
struct HardState {
  Generation generation{};
  Term term{};
  MemberId voted_for{};  ///< empty when no vote was given in this term

  bool operator==(const HardState&) const = default;
};

/// The state machine after the entry at `index`, which takes the place of the log up to there.
struct Snapshot {
  LogIndex index{};
  Term term{};
  Configuration configuration{};  ///< the one in force at `index`
  base::Bytes data{};

  bool operator==(const Snapshot&) const = default;
};

/// What the disk holds, as a restart hands it in.
struct PersistentState {
  HardState hard{};
  std::optional<Snapshot> snapshot{};
  std::vector<Entry> entries{};
};

/// Whether a core may be made of `state`: indexes without gaps (also between the snapshot and the
/// entries; an overlap is allowed), terms that do not fall, configurations that decode. An error
/// of code `corrupt` otherwise.
base::Result<> check(const PersistentState& state);

/// The state of a new cluster whose only voter is `self`: generation 1, term 1, and a log with
/// the configuration as its first entry. Persist it, then make a core of it.
PersistentState bootstrap(const MemberId& self);

}  // namespace warren::raft
