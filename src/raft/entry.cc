#include "raft/entry.h"

#include <string>

namespace warren::raft {

using base::ErrorCode;

namespace {

base::Result<> corrupt(LogIndex index, const char* what) {
  return base::fail(ErrorCode::corrupt,
                    "raft log, entry " + std::to_string(index.value) + ": " + what);
}

}  // namespace

base::Result<> check(const PersistentState& state) {
  if (state.snapshot)
    if (auto sound = check(state.snapshot->configuration); !sound)
      return base::fail(ErrorCode::corrupt, "raft snapshot: " + sound.error().text);
  LogIndex base_index = state.snapshot ? state.snapshot->index : LogIndex{};
  if (!state.entries.empty()) {
    LogIndex first = state.entries.front().index;
    if (!first || first > base_index.next()) return corrupt(first, "entries before it are missing");
  }
  const Entry* previous = nullptr;
  for (const Entry& entry : state.entries) {
    if (previous != nullptr && entry.index != previous->index.next())
      return corrupt(entry.index, "does not follow the one before it");
    if (previous != nullptr && entry.term < previous->term)
      return corrupt(entry.index, "its term is lower than that of the one before it");
    if (entry.kind > EntryKind::configuration) return corrupt(entry.index, "of an unknown kind");
    if (entry.kind == EntryKind::configuration && !decode_configuration(entry.data))
      return corrupt(entry.index, "holds no configuration");
    previous = &entry;
  }
  return {};
}

PersistentState bootstrap(const MemberId& self) {
  PersistentState state;
  state.hard = {Generation{1}, Term{1}, self};
  state.entries.push_back(
      {Term{1}, LogIndex{1}, EntryKind::configuration, encode(Configuration{{self}, {}})});
  return state;
}

}  // namespace warren::raft
