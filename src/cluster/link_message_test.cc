#include "cluster/link_message.h"

#include <doctest/doctest.h>

#include "base/random.h"

using namespace warren;
using namespace warren::cluster;

namespace {

broker::Message some_message() {
  return broker::Message::make({"amq.direct", "key", "properties", "body", true, 3});
}

std::vector<LinkMessage> samples() {
  broker::Subscription subscription;
  subscription.consumer_tag = "tag";
  subscription.prefetch = 7;
  subscription.arguments = {{"x-priority", base::FieldValue(std::int32_t{5})}};
  QueueEntry enqueued{Epoch{2}, MessageIndex{9},
                      Enqueued{ChannelId{4}, PublishSeq{5}, some_message()}};
  QueueEntry settled{Epoch{2}, MessageIndex{10}, Settled{{MessageIndex{9}}}};
  std::vector<LinkMessage> all;
  all.emplace_back(Hello{"uuid", {7}});
  all.emplace_back(HelloRefused{"no member"});
  all.emplace_back(Members{1, 7, {{"rabbit@a", "uuid"}, {"rabbit@b", "other"}}});
  all.emplace_back(Ping{});
  all.emplace_back(Propose{3, {"one command", "another"}});
  all.emplace_back(FollowRequest{{1}, {2}, true, {4}, {{{1}, {1}}, {{2}, {4}}}});
  all.emplace_back(SnapshotChunk{{1}, {2}, {{{3}, some_message()}}});
  all.emplace_back(SnapshotEnd{
      {1}, {2}, {3}, {{{1}, {1}}}, {{{8}, {9}}}, {{{8}, {7}}}, {{{5}, {1000, 60, true}}}});
  QueueEntry refused{Epoch{2}, MessageIndex{11}, Refused{ChannelId{4}, PublishSeq{5}}};
  QueueEntry dated{Epoch{2}, MessageIndex{12}, Dated{1000, {}, false}};
  all.emplace_back(Append{{1}, {2}, {8}, {7}, {enqueued, settled, refused, dated}});
  PublishTo publishes{{{{5}, some_message()}, {{6}, some_message()}}};
  all.emplace_back(ToQueue{{1}, {2}, {3}, {4}, true, publishes});
  all.emplace_back(ToQueue{{1}, {2}, {3}, {4}, false, SubscribeTo{{5}, subscription}});
  all.emplace_back(ToChannel{{1}, {2}, {3}, RejectedBy{{{5}, {6}}}});
  DeliveredBy delivered{{"tag"}, {{0, {4}, true, some_message()}}};
  all.emplace_back(ToChannel{{1}, {2}, {3}, delivered});
  all.emplace_back(
      ToChannel{{1}, {2}, {3}, RepliedBy{{4}, base::ErrorCode::timeout, "late", 1, 2}});
  all.emplace_back(Remembered{"/", "x", true, {some_message(), some_message()}});
  all.emplace_back(Bulletin{"alarm", "memory"});
  return all;
}

base::Bytes encoded(LinkMessage message) {
  base::Bytes bytes;
  encode_link_message(bytes, message);
  return bytes;
}

}  // namespace

TEST_CASE("every message survives the way, whole or byte by byte") {
  base::Bytes stream;
  for (const LinkMessage& message : samples()) stream += encoded(message);
  LinkParser parser;
  std::vector<base::Bytes> arrived;
  for (char octet : stream) {
    parser.feed({&octet, 1});
    auto message = parser.take();
    REQUIRE(message.has_value());
    if (*message) arrived.push_back(encoded(std::move(**message)));
  }
  REQUIRE(arrived.size() == samples().size());
  for (std::size_t i = 0; i < arrived.size(); ++i) CHECK(arrived[i] == encoded(samples()[i]));
}

TEST_CASE("a message that is cut short does not decode") {
  for (const LinkMessage& message : samples()) {
    base::Bytes bytes = encoded(message).substr(4);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
      CHECK_FALSE(decode_link_message(base::ByteView(bytes).substr(0, cut)).has_value());
  }
}

TEST_CASE("damaged messages are refused or decode to something, and nothing breaks") {
  base::Random random(11);
  for (int round = 0; round < 3000; ++round) {
    auto all = samples();
    base::Bytes bytes = encoded(all[random.below(all.size())]).substr(4);
    for (std::uint64_t damage = 1 + random.below(4); damage > 0; --damage)
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    if (auto message = decode_link_message(bytes)) CHECK_FALSE(encoded(*message).empty());
  }
}

TEST_CASE("a length beyond all bounds cuts the link instead of waiting for it") {
  LinkParser parser;
  parser.feed("\xFF\xFF\xFF\xFF");
  CHECK_FALSE(parser.take().has_value());
}
