#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/field_value.h"
#include "base/result.h"
#include "perf/uri.h"

namespace warren::perf {

enum class Mode {
  load,   ///< producers and consumers at once
  fill,   ///< producers alone, and what they wrote stays
  drain,  ///< consumers alone, until nothing is left
  churn,  ///< things made and unmade
  idle,   ///< connections that do nothing
  sink,   ///< a server that reads and drops
  relay,  ///< a server that hands on what it reads
};

enum class ChurnKind { connection, channel, queue, binding, exchange };

/// What `{}` in a key stands for is a number from 0 on.
struct Options {
  Mode mode = Mode::load;
  std::vector<Uri> uris;           ///< connections take them in turn; the first prepares
  std::vector<Uri> producer_uris;  ///< those of producers, where they differ
  std::vector<Uri> consumer_uris;  ///< those of consumers, where they differ

  unsigned producers = 1;
  unsigned consumers = 1;
  unsigned queues = 1;
  std::string queue = "perf";  ///< with several queues the first part of their names
  bool durable = false;        ///< persistent messages make queues durable as well
  bool declare = true;         ///< without it queues and exchange are there already, and stay
  bool keep = false;           ///< queues and exchange are left behind
  bool remove = false;         ///< a drain deletes what it emptied
  base::FieldTable queue_arguments;

  std::string exchange_type;  ///< empty: the default exchange
  std::string exchange = "perf";
  unsigned bindings = 0;      ///< of the exchange, spread over the queues; 0: one a queue
  std::string binding_key;    ///< with {}
  std::string routing_key;    ///< with {}

  std::uint32_t size = 16;
  bool persistent = false;
  bool mandatory = false;
  std::uint32_t window = 0;  ///< unconfirmed messages of a producer; 0: no confirms
  double rate = 0;           ///< of a producer, messages a second; 0: no limit

  bool auto_ack = false;
  std::uint16_t prefetch = 0;
  std::uint32_t ack_batch = 1;
  double consumer_rate = 0;

  double seconds = 0;         ///< 0: until `count`
  double warm_up_seconds = 0;
  std::uint64_t count = 0;    ///< of all producers together, of all consumers in a drain
  double settle_seconds = 10; ///< patience with what is still under way at the end

  ChurnKind churn = ChurnKind::queue;
  std::uint32_t pipeline = 1;   ///< requests under way
  bool create_only = false;
  bool delete_only = false;
  std::uint32_t connections = 1000;
  unsigned channels = 1;        ///< of an idle connection

  std::uint16_t port = 0;  ///< of a sink or relay; 0: any
  std::vector<int> server_pids;
  std::string json;        ///< a file, "-" for the standard output, empty for none
  bool quiet = false;      ///< no progress
  std::string help;        ///< asked for: to be printed, nothing else to be done

  bool has_exchange() const { return !exchange_type.empty(); }
  /// The name of the queue with that number.
  std::string queue_name(unsigned number) const;
};

/// Takes the words behind `warren perf` apart. Errors are for people.
base::Result<Options> parse_options(std::vector<std::string> words);

/// `template_key` with each {} replaced.
std::string number_key(std::string_view template_key, std::uint64_t number);

}  // namespace warren::perf
