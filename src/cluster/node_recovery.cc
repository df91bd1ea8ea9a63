#include "base/log.h"
#include "cluster/node_impl.h"

namespace warren::cluster {

base::Result<RecoveredNode> recover_node(storage::Disk& disk, QueueHost* host) {
  RecoveredNode recovered;
  std::optional<base::Error> unread;
  auto log = storage::recover(
      disk, [&](storage::LogPosition position, storage::StreamId stream, std::uint8_t kind,
                base::ByteView payload) {
        if (stream == facts_stream) {
          auto facts = read_facts_record(payload);
          unread = facts ? std::nullopt : std::optional(facts.error());
          if (facts) recovered.facts = std::move(*facts);
        } else if (stream == Metadata::stream) {
          Metadata::recover(recovered.raft, kind, payload);
        } else if (Replica::is_queue_stream(stream)) {
          // It says how things were when the node stopped, and the node went on.
          if (recovered.facts) recovered.facts->led.clear();
          if (host) host->recover(position, stream, kind, payload);
        }
      });
  if (!log) return std::unexpected(log.error());
  // Without them the node would begin anew, over everything that it holds.
  if (unread)
    return base::fail(base::ErrorCode::corrupt,
                      "the data directory is of another version of Warren: " + unread->text);
  for (const storage::Corruption& damage : log->corruption)
    base::log_error("the log is damaged: {}", damage.text);
  if (log->torn_tail)
    base::log_info("the last {} bytes of the log were not completely written before the last stop "
                   "and have been cut off; nobody was told that they are safe",
                   log->dropped_bytes);
  recovered.log = std::move(*log);
  return recovered;
}

base::Result<NodeFacts> Node::read_facts(storage::Disk& disk) {
  auto recovered = recover_node(disk, nullptr);
  if (!recovered) return std::unexpected(recovered.error());
  NodeFacts facts;
  if (!recovered->facts) return facts;
  facts.is_virgin = false;
  facts.uuid = recovered->facts->uuid;
  facts.kind = recovered->facts->kind;
  facts.members = recovered->facts->members;
  raft::Configuration configuration;
  if (recovered->raft.snapshot) configuration = recovered->raft.snapshot->configuration;
  for (const raft::Entry& entry : recovered->raft.entries)
    if (entry.kind == raft::EntryKind::configuration)
      if (auto decoded = raft::decode_configuration(entry.data))
        configuration = std::move(*decoded);
  facts.voters = configuration.voters;
  return facts;
}

base::Result<std::unique_ptr<storage::Log>> Node::prepare_joined(storage::Disk& disk,
                                                                 const NodeFacts& facts) {
  auto recovered = recover_node(disk, nullptr);
  if (!recovered) return std::unexpected(recovered.error());
  auto log = std::make_unique<storage::Log>(disk, storage::Log::Options{}, recovered->log);
  FactsRecord record{facts.uuid, facts.kind, facts.members, {}, false, {}, {}};
  write_facts(*log, record);
  log->flush(true);
  return log;
}

namespace {

base::Result<std::unique_ptr<storage::Log>> change_facts(
    storage::Disk& disk, const std::function<void(FactsRecord&)>& change) {
  auto recovered = recover_node(disk, nullptr);
  if (!recovered) return std::unexpected(recovered.error());
  if (!recovered->facts)
    return base::fail(base::ErrorCode::not_found, "the node has no data yet: start it first");
  auto log = std::make_unique<storage::Log>(disk, storage::Log::Options{}, recovered->log);
  change(*recovered->facts);
  write_facts(*log, *recovered->facts);
  log->flush(true);
  return log;
}

}  // namespace

base::Result<std::unique_ptr<storage::Log>> Node::prepare_kind(storage::Disk& disk,
                                                               catalog::NodeKind kind) {
  return change_facts(disk, [&](FactsRecord& facts) { facts.kind = kind; });
}

base::Result<std::unique_ptr<storage::Log>> Node::prepare_forced_boot(
    storage::Disk& disk, std::vector<catalog::NodeName> forget) {
  return change_facts(disk, [&](FactsRecord& facts) {
    facts.is_forced = true;
    facts.forget.insert(facts.forget.end(), forget.begin(), forget.end());
  });
}

}  // namespace warren::cluster
