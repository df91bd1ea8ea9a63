#include "raft/message.h"

namespace warren::raft {

namespace {

constexpr std::uint64_t highest = std::uint64_t{1} << 62;

bool is_sound(LogIndex index) {
  return index.value < highest;
}

bool is_sound(const Message& message, const AppendRequest& request) {
  if (!is_sound(request.previous_index) || !is_sound(request.commit)) return false;
  if (request.previous_term > message.term) return false;
  LogIndex index = request.previous_index;
  Term term = request.previous_term;
  for (const Entry& entry : request.entries) {
    index = index.next();
    if (entry.index != index || entry.term < term || entry.term > message.term) return false;
    if (entry.kind > EntryKind::configuration) return false;
    if (entry.kind == EntryKind::configuration && !decode_configuration(entry.data)) return false;
    term = entry.term;
  }
  return is_sound(index);
}

bool is_sound(const Message& message, const SnapshotRequest& request) {
  const Snapshot& snapshot = request.snapshot;
  return is_sound(snapshot.index) && snapshot.index && snapshot.term <= message.term &&
         check(snapshot.configuration).has_value();
}

bool is_sound(const Message&, const AppendResponse& response) {
  return is_sound(response.previous_index) && is_sound(response.matched) &&
         is_sound(response.hint_index) && response.durable <= response.matched &&
         (response.accepted || response.previous_index);
}

template <typename Other>
bool is_sound(const Message&, const Other&) {
  return true;
}

}  // namespace

bool is_well_formed(const Message& message) {
  if (message.term.value >= highest || message.generation.value >= highest) return false;
  return std::visit([&](const auto& body) { return is_sound(message, body); }, message.body);
}

}  // namespace warren::raft
