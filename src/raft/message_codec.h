#pragma once

#include "base/bytes.h"
#include "raft/message.h"

namespace warren::raft {

// Messages and records as bytes, integers in network order. Decoders are total: bytes that are cut
// short, too long, inconsistent or of another version give an error of code `corrupt`, and no more
// memory is taken than in proportion to the input.
//
//   message   version u8 (1), kind u8, generation u64, term u64, then by kind (name: u8 + bytes)
//     1 pre-vote request    last_index u64, last_term u64, dead_leader name
//     2 pre-vote response   asked_in u64, granted u8
//     3 vote request        last_index u64, last_term u64, transfer u8, dead_leader name
//     4 vote response       granted u8
//     5 append request      previous_index u64, previous_term u64, commit u64, count u32, entries
//                           as (term u64, kind u8, data u32 + bytes), the indexes following on
//     6 append response     accepted u8, previous_index, matched, durable, hint_index, hint_term
//     7 snapshot request    index u64, term u64, configuration u32 + bytes, data u32 + bytes
//     8 timeout now
//   configuration           voters u16 + names, learners u16 + names
//   hard state              version u8, generation u64, term u64, voted_for name
//   snapshot                version u8, then as in kind 7
//   entry                   version u8, index u64, term u64, kind u8, data u32 + bytes

/// Data of entries and snapshots is shorter than 4 GiB.
base::Bytes encode(const Message& message);
/// What it gives is_well_formed().
base::Result<Message> decode_message(base::ByteView bytes);

/// The records that a driver writes to its disk.
base::Bytes encode(const HardState& hard);
base::Result<HardState> decode_hard_state(base::ByteView bytes);
base::Bytes encode(const Snapshot& snapshot);
base::Result<Snapshot> decode_snapshot(base::ByteView bytes);
base::Bytes encode(const Entry& entry);
base::Result<Entry> decode_entry(base::ByteView bytes);

}  // namespace warren::raft
