#include "broker/router.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "broker/route_direct.h"
#include "broker/route_headers.h"
#include "broker/route_topic.h"
#include "catalog/policy_definition.h"

namespace warren::broker {
namespace {

using catalog::QueueId;
using catalog::ResourceName;

/// Answers kept for one exchange, and queue numbers in them, before they start anew.
constexpr std::size_t max_answers = 4096;
constexpr std::size_t max_answer_queues = 65536;

struct NameHash {
  std::size_t operator()(const ResourceName& name) const {
    std::hash<std::string> hash;
    return hash(name.vhost) * 31 + hash(name.name);
  }
};

struct FanoutTable {};

/// One exchange, compiled for one routing version.
struct Table {
  /// Where a binding leads: a queue, or a table.
  struct Target {
    QueueId queue;
    Table* table = nullptr;
  };

  bool is_default = false;
  std::variant<DirectTable, FanoutTable, TopicTable, HeadersTable> bindings;
  std::vector<Target> targets;  ///< by BindingNumber
  Table* alternate = nullptr;
  std::optional<bool> leads_to_headers;  ///< empty: not asked yet
  std::uint64_t visited = 0;

  TextMap<std::vector<QueueId>> answers;
  std::size_t answer_queues = 0;
};

struct Publish {
  const ResourceName& exchange;
  std::span<const std::string_view> routing_keys;
  const base::FieldTable* headers;
};

}  // namespace

struct Router::State {
  explicit State(const catalog::Catalog& from) : catalog(from) {}

  const catalog::Catalog& catalog;
  std::uint64_t version = 0;
  /// Tables point to each other, and live until the version changes.
  std::unordered_map<ResourceName, std::unique_ptr<Table>, NameHash> tables;
  std::uint64_t visit = 0;
  std::vector<Table*> worklist;
  std::vector<BindingNumber> matched;

  Table* find_table(const ResourceName& name);
  Table& make_table(const ResourceName& name, std::vector<ResourceName>& to_compile);
  void compile(const ResourceName& name, std::vector<ResourceName>& to_compile);
  void add_binding(Table& table, const catalog::Binding& binding, BindingNumber number);
  std::optional<std::string> find_alternate(const catalog::Exchange& exchange) const;
  bool find_headers(Table& start);

  void walk(Table& table, const Publish& publish, std::vector<QueueId>& out);
  void match(const Table& table, const Publish& publish);
  void add_named_queues(const Publish& publish, std::vector<QueueId>& out) const;
};

/// The table of that exchange, compiled with all that it leads to, or null.
Table* Router::State::find_table(const ResourceName& name) {
  if (version != catalog.routing_version()) {
    tables.clear();
    version = catalog.routing_version();
  }
  auto found = tables.find(name);
  if (found == tables.end()) {
    // Names from clients must not fill the map.
    if (!name.name.empty() && !catalog.find_exchange(name)) return nullptr;
    std::vector<ResourceName> to_compile;
    make_table(name, to_compile);
    while (!to_compile.empty()) {
      ResourceName next = std::move(to_compile.back());
      to_compile.pop_back();
      compile(next, to_compile);
    }
    found = tables.find(name);
  }
  Table& table = *found->second;
  if (!table.leads_to_headers) table.leads_to_headers = find_headers(table);
  return &table;
}

Table& Router::State::make_table(const ResourceName& name, std::vector<ResourceName>& to_compile) {
  auto [place, is_new] = tables.try_emplace(name);
  if (is_new) {
    place->second = std::make_unique<Table>();
    to_compile.push_back(name);
  }
  return *place->second;
}

void Router::State::compile(const ResourceName& name, std::vector<ResourceName>& to_compile) {
  Table& table = *tables.find(name)->second;
  if (name.name.empty()) {
    table.is_default = true;
    return;
  }
  const catalog::Exchange* exchange = catalog.find_exchange(name);
  if (!exchange) return;
  if (exchange->type == "fanout") table.bindings.emplace<FanoutTable>();
  if (exchange->type == "topic") table.bindings.emplace<TopicTable>();
  if (exchange->type == "headers") table.bindings.emplace<HeadersTable>();
  for (const catalog::Binding& binding : catalog.bindings_from(name)) {
    ResourceName destination{name.vhost, binding.destination};
    auto number = static_cast<BindingNumber>(table.targets.size());
    if (binding.destination_kind == catalog::DestinationKind::exchange) {
      if (!catalog.find_exchange(destination)) continue;
      table.targets.push_back({{}, &make_table(destination, to_compile)});
    } else {
      const catalog::Queue* queue = catalog.find_queue(destination);
      if (!queue) continue;
      table.targets.push_back({queue->id, nullptr});
    }
    add_binding(table, binding, number);
  }
  if (auto alternate = find_alternate(*exchange))
    table.alternate = &make_table({name.vhost, *alternate}, to_compile);
}

void Router::State::add_binding(Table& table, const catalog::Binding& binding,
                                BindingNumber number) {
  if (auto* direct = std::get_if<DirectTable>(&table.bindings))
    direct->add(binding.routing_key, number);
  if (auto* topic = std::get_if<TopicTable>(&table.bindings))
    topic->add(binding.routing_key, number);
  if (auto* headers = std::get_if<HeadersTable>(&table.bindings))
    headers->add(binding.arguments, number);
}

/// The exchange's own argument goes before its policy.
std::optional<std::string> Router::State::find_alternate(const catalog::Exchange& exchange) const {
  if (const base::FieldValue* value = exchange.arguments.find("alternate-exchange")) {
    const std::string* name = value->as<std::string>();
    return name ? std::optional(*name) : std::nullopt;
  }
  if (exchange.policy.empty()) return std::nullopt;
  const catalog::Policy* policy = catalog.find_policy({exchange.name.vhost, exchange.policy});
  if (!policy) return std::nullopt;
  auto definition = catalog::parse_policy_definition(policy->definition);
  return definition ? definition->alternate_exchange : std::nullopt;
}

/// Whether the table is, or leads to, a headers exchange.
bool Router::State::find_headers(Table& start) {
  ++visit;
  worklist.assign(1, &start);
  start.visited = visit;
  auto add = [&](Table* table) {
    if (!table || table->visited == visit) return;
    table->visited = visit;
    worklist.push_back(table);
  };
  while (!worklist.empty()) {
    Table& table = *worklist.back();
    worklist.pop_back();
    if (std::holds_alternative<HeadersTable>(table.bindings)) return true;
    for (const Table::Target& target : table.targets) add(target.table);
    add(table.alternate);
  }
  return false;
}

void Router::State::walk(Table& start, const Publish& publish, std::vector<QueueId>& out) {
  ++visit;
  worklist.assign(1, &start);
  start.visited = visit;
  auto add = [&](Table* table) {
    if (table->visited == visit) return;
    table->visited = visit;
    worklist.push_back(table);
  };
  while (!worklist.empty()) {
    Table& table = *worklist.back();
    worklist.pop_back();
    if (table.is_default) {
      add_named_queues(publish, out);
      continue;
    }
    matched.clear();
    match(table, publish);
    if (matched.empty() && table.alternate) add(table.alternate);
    for (BindingNumber number : matched) {
      const Table::Target& target = table.targets[number];
      if (target.table)
        add(target.table);
      else
        out.push_back(target.queue);
    }
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

/// Fills `matched` with the bindings that fit, perhaps with repeats.
void Router::State::match(const Table& table, const Publish& publish) {
  for (std::string_view key : publish.routing_keys) {
    if (auto* direct = std::get_if<DirectTable>(&table.bindings)) direct->match(key, matched);
    if (auto* topic = std::get_if<TopicTable>(&table.bindings)) topic->match(key, matched);
  }
  if (auto* headers = std::get_if<HeadersTable>(&table.bindings))
    headers->match(publish.headers, matched);
  if (std::holds_alternative<FanoutTable>(table.bindings))
    for (BindingNumber number = 0; number < table.targets.size(); ++number)
      matched.push_back(number);
}

void Router::State::add_named_queues(const Publish& publish, std::vector<QueueId>& out) const {
  for (std::string_view key : publish.routing_keys)
    if (const auto* queue = catalog.find_queue({publish.exchange.vhost, std::string(key)}))
      out.push_back(queue->id);
}

Router::Router(const catalog::Catalog& catalog) : state_(std::make_unique<State>(catalog)) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::route(const ResourceName& exchange, std::string_view routing_key,
                   const base::FieldTable* headers, std::vector<QueueId>& out) {
  Table* table = state_->find_table(exchange);
  if (!table) return;
  Publish publish{exchange, std::span(&routing_key, 1), headers};
  if (*table->leads_to_headers) return state_->walk(*table, publish, out);
  auto found = table->answers.find(routing_key);
  if (found == table->answers.end()) {
    std::vector<QueueId> answer;
    state_->walk(*table, publish, answer);
    if (table->answers.size() >= max_answers || table->answer_queues >= max_answer_queues) {
      table->answers.clear();
      table->answer_queues = 0;
    }
    table->answer_queues += answer.size();
    answer.shrink_to_fit();
    found = table->answers.emplace(std::string(routing_key), std::move(answer)).first;
  }
  bool was_empty = out.empty();
  out.insert(out.end(), found->second.begin(), found->second.end());
  if (was_empty) return;
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

void Router::route(const ResourceName& exchange, std::span<const std::string_view> routing_keys,
                   const base::FieldTable* headers, std::vector<QueueId>& out) {
  if (Table* table = state_->find_table(exchange))
    state_->walk(*table, Publish{exchange, routing_keys, headers}, out);
}

bool Router::needs_headers(const ResourceName& exchange) {
  Table* table = state_->find_table(exchange);
  return table && *table->leads_to_headers;
}

}  // namespace warren::broker
