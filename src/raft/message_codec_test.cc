#include "raft/message_codec.h"

#include <doctest/doctest.h>

#include "base/random.h"

using namespace warren::raft;
using warren::base::Bytes;
using warren::base::ErrorCode;
using warren::base::Random;

namespace {

const Configuration configuration{{"a@one", "b@two"}, {"c@three"}};

std::vector<Message> samples() {
  AppendRequest append{LogIndex{7}, Term{3}, LogIndex{6}};
  append.entries = {{Term{3}, LogIndex{8}, EntryKind::command, Bytes("\0data", 5)},
                    {Term{4}, LogIndex{9}, EntryKind::noop, ""},
                    {Term{4}, LogIndex{10}, EntryKind::configuration, encode(configuration)}};
  AppendResponse accepted{.accepted = true, .matched = LogIndex{9}, .durable = LogIndex{8}};
  AppendResponse rejected{
      .previous_index = LogIndex{9}, .hint_index = LogIndex{4}, .hint_term = Term{2}};
  std::vector<Message::Body> bodies = {
      PreVoteRequest{LogIndex{9}, Term{4}, "rabbit@dead"},
      PreVoteResponse{Term{5}, true},
      VoteRequest{LogIndex{9}, Term{4}, true, {}},
      VoteResponse{true},
      append,
      AppendRequest{},
      accepted,
      rejected,
      SnapshotRequest{{LogIndex{5}, Term{2}, configuration, Bytes(1000, 's')}},
      TimeoutNow{}};
  std::vector<Message> messages;
  for (const auto& body : bodies) messages.push_back({Generation{2}, Term{5}, body});
  return messages;
}

}  // namespace

TEST_CASE("every message survives its bytes, and no part of them passes for a message") {
  for (const Message& message : samples()) {
    CAPTURE(message.body.index());
    Bytes bytes = encode(message);
    auto decoded = decode_message(bytes);
    REQUIRE(decoded.has_value());
    CHECK(*decoded == message);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
      CHECK(decode_message(bytes.substr(0, cut)).error().code == ErrorCode::corrupt);
    CHECK_FALSE(decode_message(bytes + '\0').has_value());
  }
}

TEST_CASE("damaged messages are refused or decode to what encodes again") {
  Random random(1);
  for (const Message& message : samples()) {
    Bytes bytes = encode(message);
    for (int round = 0; round < 2000; ++round) {
      Bytes damaged = bytes;
      for (std::uint64_t left = 1 + random.below(4); left > 0; --left)
        damaged[random.below(damaged.size())] = static_cast<char>(random.next());
      auto decoded = decode_message(damaged);
      if (!decoded) continue;
      CHECK(is_well_formed(*decoded));
      CHECK(decode_message(encode(*decoded)) == decoded);
    }
  }
}

TEST_CASE("a count of entries that the bytes cannot hold is refused before memory is taken") {
  Bytes bytes = encode(Message{Generation{1}, Term{1}, AppendRequest{}});
  for (std::size_t i = 1; i <= 4; ++i) bytes[bytes.size() - i] = '\xff';
  CHECK_FALSE(decode_message(bytes).has_value());
}

TEST_CASE("records survive their bytes") {
  HardState hard{Generation{1}, Term{2}, "a@one"};
  Snapshot snapshot{LogIndex{5}, Term{2}, configuration, "state"};
  Entry entry{Term{3}, LogIndex{4}, EntryKind::command, "data"};
  CHECK(decode_hard_state(encode(hard)) == hard);
  CHECK(decode_snapshot(encode(snapshot)) == snapshot);
  CHECK(decode_entry(encode(entry)) == entry);
  auto is_refused_when_cut = [](const Bytes& bytes, auto decode) {
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
      CHECK_FALSE(decode(bytes.substr(0, cut)).has_value());
    CHECK_FALSE(decode(bytes + '\0').has_value());
  };
  is_refused_when_cut(encode(hard), decode_hard_state);
  is_refused_when_cut(encode(snapshot), decode_snapshot);
  is_refused_when_cut(encode(entry), decode_entry);
}

TEST_CASE("configurations that no cluster can have are refused") {
  CHECK(decode_configuration(encode(configuration)) == configuration);
  for (const Configuration& wrong :
       {Configuration{{}, {"a"}}, Configuration{{"b", "a"}, {}}, Configuration{{"a", "a"}, {}},
        Configuration{{"a"}, {"a"}}, Configuration{{""}, {}}}) {
    CHECK_FALSE(check(wrong).has_value());
    CHECK_FALSE(decode_configuration(encode(wrong)).has_value());
  }
  CHECK(count_voter_changes({{"a", "b"}, {}}, {{"b", "c"}, {"a"}}) == 2);
}
