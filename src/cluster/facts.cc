#include "cluster/facts.h"

#include "cluster/archive.h"

namespace warren::cluster {

void write_facts(storage::Log& log, FactsRecord& facts) {
  base::Bytes payload;
  write_archive(payload, facts);
  storage::LogPosition position = log.append(facts_stream, 1, payload);
  log.release(facts_stream, position);
}

base::Result<FactsRecord> read_facts_record(base::ByteView payload) {
  return read_archive<FactsRecord>(payload, "node facts");
}

}  // namespace warren::cluster
