#include "raft/message_codec.h"

namespace warren::raft {

using base::ByteReader;
using base::Bytes;
using base::ByteView;
using base::ByteWriter;
using base::ErrorCode;

namespace {

constexpr std::uint8_t version = 1;
/// Term, kind and the length of the data.
constexpr std::size_t smallest_entry_bytes = 13;

template <typename Tag>
void write(ByteWriter& writer, base::Id<Tag> id) {
  writer.u64(id.value);
}
template <typename Tag>
void read(ByteReader& reader, base::Id<Tag>& id) {
  id.value = reader.u64();
}

void read(ByteReader& reader, bool& flag) {
  std::uint8_t octet = reader.u8();
  if (octet > 1) reader.fail();
  flag = octet == 1;
}

void read(ByteReader& reader, EntryKind& kind) {
  std::uint8_t octet = reader.u8();
  if (octet > static_cast<std::uint8_t>(EntryKind::configuration))
    reader.fail();
  else
    kind = static_cast<EntryKind>(octet);
}

void write(ByteWriter& writer, const PreVoteRequest& body) {
  write(writer, body.last_index);
  write(writer, body.last_term);
  writer.short_string(body.dead_leader);
}
void read(ByteReader& reader, PreVoteRequest& body) {
  read(reader, body.last_index);
  read(reader, body.last_term);
  body.dead_leader = reader.short_string();
}

void write(ByteWriter& writer, const PreVoteResponse& body) {
  write(writer, body.asked_in);
  writer.boolean(body.granted);
}
void read(ByteReader& reader, PreVoteResponse& body) {
  read(reader, body.asked_in);
  read(reader, body.granted);
}

void write(ByteWriter& writer, const VoteRequest& body) {
  write(writer, body.last_index);
  write(writer, body.last_term);
  writer.boolean(body.transfer);
  writer.short_string(body.dead_leader);
}
void read(ByteReader& reader, VoteRequest& body) {
  read(reader, body.last_index);
  read(reader, body.last_term);
  read(reader, body.transfer);
  body.dead_leader = reader.short_string();
}

void write(ByteWriter& writer, const VoteResponse& body) {
  writer.boolean(body.granted);
}
void read(ByteReader& reader, VoteResponse& body) {
  read(reader, body.granted);
}

void write(ByteWriter& writer, const AppendRequest& body) {
  write(writer, body.previous_index);
  write(writer, body.previous_term);
  write(writer, body.commit);
  writer.u32(static_cast<std::uint32_t>(body.entries.size()));
  for (const Entry& entry : body.entries) {
    write(writer, entry.term);
    writer.u8(static_cast<std::uint8_t>(entry.kind));
    writer.long_string(entry.data);
  }
}
void read(ByteReader& reader, AppendRequest& body) {
  read(reader, body.previous_index);
  read(reader, body.previous_term);
  read(reader, body.commit);
  std::size_t count = reader.u32();
  if (count > reader.rest().size() / smallest_entry_bytes) reader.fail();
  LogIndex index = body.previous_index;
  for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
    Entry entry;
    entry.index = index = index.next();
    read(reader, entry.term);
    read(reader, entry.kind);
    entry.data = reader.long_string();
    body.entries.push_back(std::move(entry));
  }
}

void write(ByteWriter& writer, const AppendResponse& body) {
  writer.boolean(body.accepted);
  write(writer, body.previous_index);
  write(writer, body.matched);
  write(writer, body.durable);
  write(writer, body.hint_index);
  write(writer, body.hint_term);
}
void read(ByteReader& reader, AppendResponse& body) {
  read(reader, body.accepted);
  read(reader, body.previous_index);
  read(reader, body.matched);
  read(reader, body.durable);
  read(reader, body.hint_index);
  read(reader, body.hint_term);
}

void write(ByteWriter& writer, const Snapshot& snapshot) {
  write(writer, snapshot.index);
  write(writer, snapshot.term);
  writer.long_string(encode(snapshot.configuration));
  writer.long_string(snapshot.data);
}
void read(ByteReader& reader, Snapshot& snapshot) {
  read(reader, snapshot.index);
  read(reader, snapshot.term);
  auto configuration = decode_configuration(reader.long_string());
  if (configuration)
    snapshot.configuration = std::move(*configuration);
  else
    reader.fail();
  snapshot.data = reader.long_string();
}

void write(ByteWriter& writer, const SnapshotRequest& body) {
  write(writer, body.snapshot);
}
void read(ByteReader& reader, SnapshotRequest& body) {
  read(reader, body.snapshot);
}

void write(ByteWriter&, const TimeoutNow&) {}
void read(ByteReader&, TimeoutNow&) {}

void write(ByteWriter& writer, const HardState& hard) {
  write(writer, hard.generation);
  write(writer, hard.term);
  writer.short_string(hard.voted_for);
}
void read(ByteReader& reader, HardState& hard) {
  read(reader, hard.generation);
  read(reader, hard.term);
  hard.voted_for = reader.short_string();
}

void write(ByteWriter& writer, const Entry& entry) {
  write(writer, entry.index);
  write(writer, entry.term);
  writer.u8(static_cast<std::uint8_t>(entry.kind));
  writer.long_string(entry.data);
}
void read(ByteReader& reader, Entry& entry) {
  read(reader, entry.index);
  read(reader, entry.term);
  read(reader, entry.kind);
  entry.data = reader.long_string();
}

template <typename Record>
Bytes encode_record(const Record& record) {
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.u8(version);
  write(writer, record);
  return bytes;
}

template <typename Record>
base::Result<Record> decode_record(ByteView bytes, const char* what) {
  ByteReader reader(bytes);
  if (reader.u8() != version) reader.fail();
  Record record;
  read(reader, record);
  if (reader.failed() || !reader.empty())
    return base::fail(ErrorCode::corrupt, std::string(what) + ": malformed");
  return record;
}

/// Reads the alternative whose place in Message::Body is `kind`, which begins at 0 here.
template <std::size_t alternative = 0>
void read_body(ByteReader& reader, std::size_t kind, Message::Body& body) {
  if constexpr (alternative < std::variant_size_v<Message::Body>) {
    if (kind == alternative)
      read(reader, body.emplace<alternative>());
    else
      read_body<alternative + 1>(reader, kind, body);
  } else {
    reader.fail();
  }
}

}  // namespace

Bytes encode(const Message& message) {
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.u8(version);
  writer.u8(static_cast<std::uint8_t>(message.body.index() + 1));
  write(writer, message.generation);
  write(writer, message.term);
  std::visit([&](const auto& body) { write(writer, body); }, message.body);
  return bytes;
}

base::Result<Message> decode_message(ByteView bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != version) reader.fail();
  std::size_t kind = reader.u8();
  Message message;
  read(reader, message.generation);
  read(reader, message.term);
  // Kind 0 wraps round to a kind that there is not.
  read_body(reader, kind - 1, message.body);
  if (reader.failed() || !reader.empty() || !is_well_formed(message))
    return base::fail(ErrorCode::corrupt, "raft message: malformed");
  return message;
}

Bytes encode(const HardState& hard) {
  return encode_record(hard);
}
base::Result<HardState> decode_hard_state(ByteView bytes) {
  return decode_record<HardState>(bytes, "raft hard state");
}
Bytes encode(const Snapshot& snapshot) {
  return encode_record(snapshot);
}
base::Result<Snapshot> decode_snapshot(ByteView bytes) {
  return decode_record<Snapshot>(bytes, "raft snapshot");
}
Bytes encode(const Entry& entry) {
  return encode_record(entry);
}
base::Result<Entry> decode_entry(ByteView bytes) {
  return decode_record<Entry>(bytes, "raft entry");
}

}  // namespace warren::raft
