#include <algorithm>

#include "catalog/archive.h"
#include "catalog/catalog.h"
#include "catalog/compiled_policy.h"

// A snapshot is a version octet, the last queue id given, and then each kind of record as a list
// in the order of their names; bindings in the order of their sources and then of their making.
namespace warren::catalog {
namespace {

constexpr std::uint8_t format_version = 1;

std::unexpected<base::Error> corrupt(std::string what) {
  return base::fail(base::ErrorCode::corrupt, "catalog snapshot: " + std::move(what));
}

template <typename Map>
void put_values(Encoder& encoder, const Map& map) {
  encoder.put(static_cast<std::uint32_t>(map.size()));
  for (const auto& [key, value] : map) encoder.put(value);
}

/// Takes a list of records into a map; a repeated key is malformed.
template <typename Map, typename KeyOf>
void take_values(Decoder& decoder, Map& map, KeyOf key_of) {
  std::uint32_t count = 0;
  decoder.take(count);
  for (; count > 0 && !decoder.failed(); --count) {
    typename Map::mapped_type record;
    decoder.take(record);
    auto key = key_of(record);
    if (!map.try_emplace(std::move(key), std::move(record)).second) decoder.fail();
  }
}

/// The bindings of each source are a list that is not empty. What repeats is one binding.
void take_bindings(Decoder& decoder, Bindings& bindings) {
  std::uint32_t sources = 0;
  decoder.take(sources);
  for (; sources > 0 && !decoder.failed(); --sources) {
    std::uint32_t count = 0;
    decoder.take(count);
    if (count == 0) decoder.fail();
    for (; count > 0 && !decoder.failed(); --count) {
      Binding binding;
      decoder.take(binding);
      if (!decoder.failed()) bindings.add(std::move(binding));
    }
  }
}

auto name_of = [](const auto& record) { return record.name; };

bool is_subsequence(const std::vector<NodeName>& part, const std::vector<NodeName>& whole) {
  auto place = whole.begin();
  for (const NodeName& name : part) {
    place = std::find(place, whole.end(), name);
    if (place == whole.end()) return false;
    ++place;
  }
  return true;
}

bool is_well_placed(const Queue& queue) {
  return std::ranges::find(queue.in_sync, queue.leader) != queue.in_sync.end() &&
         is_subsequence(queue.in_sync, queue.replicas);
}

}  // namespace

base::Bytes Catalog::snapshot() const {
  base::Bytes bytes;
  Encoder encoder(bytes);
  encoder.put(format_version);
  encoder.put(last_queue_id_);
  put_values(encoder, vhosts_);
  put_values(encoder, users_);
  put_values(encoder, permissions_);
  put_values(encoder, topic_permissions_);
  put_values(encoder, exchanges_);
  put_values(encoder, queues_);
  put_values(encoder, policies_.records);
  put_values(encoder, operator_policies_.records);
  put_values(encoder, nodes_);
  encoder.put(static_cast<std::uint32_t>(global_parameters_.size()));
  for (const auto& [name, value] : global_parameters_) {
    encoder.put(name);
    encoder.put(value);
  }
  encoder.put(static_cast<std::uint32_t>(bindings_.source_count()));
  for (const ResourceName& source : bindings_.sources()) {
    Bindings::Range from = bindings_.from(source);
    encoder.put(static_cast<std::uint32_t>(from.size()));
    for (const Binding& binding : from) encoder.put(binding);
  }
  return bytes;
}

base::Result<> Catalog::restore(base::ByteView snapshot) {
  Decoder decoder(snapshot);
  std::uint8_t version = 0;
  decoder.take(version);
  if (!decoder.failed() && version != format_version) return corrupt("unknown format version");
  Catalog fresh;
  decoder.take(fresh.last_queue_id_);
  take_values(decoder, fresh.vhosts_, name_of);
  take_values(decoder, fresh.users_, name_of);
  take_values(decoder, fresh.permissions_,
              [](const Permission& p) { return ResourceName{p.vhost, p.user}; });
  take_values(decoder, fresh.topic_permissions_, name_of);
  take_values(decoder, fresh.exchanges_, name_of);
  take_values(decoder, fresh.queues_, [](const Queue& queue) { return queue.id; });
  take_values(decoder, fresh.policies_.records, name_of);
  take_values(decoder, fresh.operator_policies_.records, name_of);
  take_values(decoder, fresh.nodes_, name_of);
  std::uint32_t parameters = 0;
  decoder.take(parameters);
  for (; parameters > 0 && !decoder.failed(); --parameters) {
    std::string name;
    decoder.take(name);
    decoder.take(fresh.global_parameters_[std::move(name)]);
  }
  take_bindings(decoder, fresh.bindings_);
  if (decoder.failed() || !decoder.empty()) return corrupt("malformed");
  TRY(fresh.derive());
  // Caches of routes made before must not pass for current ones.
  fresh.routing_version_ = routing_version_ + 1;
  fresh.permission_version_ = permission_version_ + 1;
  *this = std::move(fresh);
  return {};
}

base::Result<> Catalog::derive() {
  for (Policies* policies : {&policies_, &operator_policies_}) {
    for (const auto& [name, policy] : policies->records) {
      auto compiled = compile_policy(policy, policies->kind);
      if (!compiled) return corrupt(compiled.error().text);
      policies->compiled.emplace(name, std::make_shared<CompiledPolicy>(std::move(*compiled)));
    }
  }
  for (const auto& [id, queue] : queues_) {
    if (!is_well_placed(queue)) return corrupt("queue " + queue.name.name + " has no sane place");
    if (id > last_queue_id_ || !queue_names_.emplace(queue.name, id).second)
      return corrupt("queue " + queue.name.name + " repeated");
    ++queue_counts_[queue.name.vhost];
    if (queue.exclusive_owner)
      exclusive_queues_[queue.exclusive_owner->connection].insert(id);
  }
  for (const ResourceName& source : bindings_.sources()) {
    for (const Binding& binding : bindings_.from(source)) {
      ResourceName destination{source.vhost, binding.destination};
      bool is_known = binding.destination_kind == DestinationKind::queue
                          ? queue_names_.contains(destination)
                          : exchanges_.contains(destination);
      if (!exchanges_.contains(source) || !is_known) return corrupt("binding without its ends");
    }
  }
  return {};
}

}  // namespace warren::catalog
