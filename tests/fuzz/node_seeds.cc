// Writes first inputs for the targets that read what nodes write: warren_fuzz_seeds FOLDER gives
// FOLDER/TARGET/NUMBER. The others come from make_seeds.py.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "catalog/random_commands.h"
#include "cluster/archive.h"
#include "cluster/link_message.h"
#include "cluster/replica.h"
#include "raft/message_codec.h"
#include "storage/log.h"
#include "storage/memory_disk.h"

namespace {

using namespace warren;
using base::Bytes;

class Folder {
 public:
  Folder(const std::string& parent, const char* target) : path_(parent + "/" + target) {
    std::filesystem::create_directories(path_);
  }

  void add(const Bytes& input) {
    std::ofstream(path_ + "/node" + std::to_string(count_++), std::ios::binary) << input;
  }

 private:
  std::string path_;
  std::size_t count_ = 0;
};

/// One of each alternative, empty as it is made.
template <typename Variant, typename Visit>
void visit_each(Visit visit) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (visit(Variant(std::in_place_index<I>)), ...);
  }(std::make_index_sequence<std::variant_size_v<Variant>>());
}

broker::Message some_message() {
  return broker::Message::make({.exchange = "x", .routing_key = "k", .properties = {"\0\0", 2},
                                .body = "hello", .persistent = true});
}

cluster::QueueEntry some_entry(std::uint64_t index) {
  cluster::QueueEntry entry{cluster::Epoch{1}, cluster::MessageIndex{index}, {}};
  if (index % 4 == 3)
    entry.what = cluster::Settled{{cluster::MessageIndex{index - 2}}};
  else if (index % 4 == 0)
    entry.what = cluster::Refused{{}, broker::PublishSeq{index - 2}};
  else
    entry.what = cluster::Enqueued{{}, broker::PublishSeq{index}, some_message()};
  return entry;
}

void write_links(Folder folder) {
  const auto add = [&](cluster::LinkMessage message) {
    Bytes out;
    cluster::encode_link_message(out, message);
    folder.add(out.substr(4));
    folder.add(out);
  };
  visit_each<cluster::LinkMessage>(add);
  add(cluster::Hello{"uuid", catalog::Incarnation{1}});
  add(cluster::SnapshotChunk{{}, {}, {{cluster::MessageIndex{1}, some_message()}}});
  add(cluster::Append{{}, {}, {}, {}, {some_entry(1), some_entry(3), some_entry(4)}});
  using ToQueueEvent = decltype(cluster::ToQueue::request);
  visit_each<ToQueueEvent>([&](ToQueueEvent event) {
    cluster::ToQueue message{};
    message.request = std::move(event);
    add(std::move(message));
  });
  using ToChannelEvent = decltype(cluster::ToChannel::event);
  visit_each<ToChannelEvent>([&](ToChannelEvent event) {
    cluster::ToChannel message{};
    message.event = std::move(event);
    add(std::move(message));
  });
}

void write_raft(Folder folder) {
  visit_each<raft::Message::Body>([&](raft::Message::Body body) {
    folder.add(raft::encode(raft::Message{raft::Generation{1}, raft::Term{2}, std::move(body)}));
  });
  const raft::Entry entry{raft::Term{1}, raft::LogIndex{1}, raft::EntryKind::command, "data"};
  folder.add(raft::encode(entry));
  folder.add(raft::encode(raft::Message{{}, raft::Term{2}, raft::AppendRequest{.entries = {entry}}}));
  folder.add(raft::encode(raft::HardState{}));
  folder.add(raft::encode(raft::Snapshot{raft::LogIndex{1}, raft::Term{1}, {}, "data"}));
}

void write_catalog(Folder folder) {
  catalog::Catalog catalog;
  std::vector<catalog::Change> changes;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    catalog::CommandSource source(seed);
    Bytes log;
    base::ByteWriter writer(log);
    for (int i = 0; i < 25; ++i) {
      const catalog::Command command = source.next(catalog);
      const Bytes encoded = catalog::encode_command(command);
      (void)catalog.apply(command, changes);
      folder.add(encoded);
      writer.u16(static_cast<std::uint16_t>(encoded.size()));
      writer.raw(encoded);
    }
    folder.add(log);
  }
  folder.add(catalog.snapshot());
}

void write_queues(Folder folder) {
  for (std::uint64_t i = 1; i <= 4; ++i) {
    cluster::QueueEntry entry = some_entry(i);
    Bytes out;
    cluster::write_archive(out, entry);
    folder.add(out);
  }
  storage::MemoryDisk disk;
  storage::Log log(disk, {}, storage::Recovered{});
  disk.set_events(&log);
  storage::SegmentStore segments(disk, {});
  if (!segments.find_files()) return;
  cluster::Replica replica(cluster::QueueId{1}, true, log, segments);
  for (std::uint64_t i = 1; i <= 12; ++i) {
    replica.append(some_entry(i));
    replica.apply_committed(cluster::MessageIndex{i / 2});
    if (i == 10) replica.cut(cluster::MessageIndex{8});
  }
  log.flush(replica.write());
  disk.run_all();
  log.flush(true);
  disk.run_all();
  Bytes records;
  base::ByteWriter writer(records);
  (void)storage::recover(disk, [&](storage::LogPosition, storage::StreamId, std::uint8_t kind,
                                   base::ByteView payload) {
    writer.u8(kind);
    writer.u16(static_cast<std::uint16_t>(payload.size()));
    writer.raw(payload);
  });
  folder.add(records);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: warren_fuzz_seeds FOLDER\n");
    return 2;
  }
  const std::string parent = argv[1];
  write_links({parent, "link"});
  write_raft({parent, "raft"});
  write_catalog({parent, "catalog"});
  write_queues({parent, "queue"});
}
