#include "broker/router.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/assert.h"
#include "broker/route_table.h"
#include "catalog/delaying.h"

namespace warren::broker {
namespace {

using catalog::QueueId;
using catalog::ResourceName;

/// Answers kept for one exchange, and queue numbers in them, before they start anew.
constexpr std::size_t max_answers = 4096;
constexpr std::size_t max_answer_queues = 65536;
/// Where few of the remembered answers were of use, so many lookups go by without remembering.
constexpr std::size_t answers_pause = 16 * max_answers;

struct NameHash {
  std::size_t operator()(const ResourceName& name) const {
    std::hash<std::string> hash;
    return hash(name.vhost) * 31 + hash(name.name);
  }
};

struct Publish {
  const ResourceName& exchange;
  std::span<const std::string_view> routing_keys;
  const RoutedContent& content;
};

/// Publishers may ask that a message is not remembered.
bool is_to_be_kept(const RoutedContent& content) {
  const base::FieldValue* value =
      content.headers ? content.headers->find("x-recent-history-no-store") : nullptr;
  const bool* says_no = value ? value->as<bool>() : nullptr;
  return !says_no || !*says_no;
}

/// Zero for what is no number.
std::int64_t parse_whole(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end ? value : 0;
}

void make_unique(std::vector<QueueId>& queues) {
  if (queues.size() < 2) return;
  std::ranges::sort(queues);
  queues.erase(std::unique(queues.begin(), queues.end()), queues.end());
}

}  // namespace

std::uint64_t find_delay_ms(const base::FieldTable* headers) {
  constexpr double most = UINT32_MAX;
  const base::FieldValue* value = headers ? headers->find("x-delay") : nullptr;
  if (!value) return 0;
  double delay_ms = 0;
  if (value->is_integer())
    delay_ms = static_cast<double>(value->to_integer());
  else if (const auto* number = value->as<double>())
    delay_ms = *number;
  else if (const auto* real = value->as<float>())
    delay_ms = *real;
  else if (const auto* text = value->as<std::string>())
    delay_ms = static_cast<double>(parse_whole(*text));
  // What is no number at all is not above zero either.
  return delay_ms >= 1 && delay_ms < most + 1 ? static_cast<std::uint64_t>(delay_ms) : 0;
}

/// Tables are compiled when a publish first needs them, and follow the catalog from then on. One
/// stays for as long as its exchange exists or others lead to it.
struct Router::State final : catalog::RouteListener {
  State(const catalog::Catalog& from, base::Random chance) : catalog(from), random(chance) {
    catalog.route_listeners().add(*this);
  }
  ~State() override { catalog.route_listeners().remove(*this); }

  const catalog::Catalog& catalog;
  base::Random random;
  std::unordered_map<ResourceName, std::unique_ptr<RouteTable>, NameHash> tables;
  std::vector<ResourceName> to_compile;
  /// The table that was asked for last; most publishes ask for it again.
  RouteTable* last_table = nullptr;
  /// Tables that may have lost the last that led to them.
  std::vector<ResourceName> left;
  /// Grows when the ways between exchanges change.
  std::uint64_t shape = 1;
  /// Grows when something changes that other exchanges' answers may depend on.
  std::uint64_t answers_version = 1;
  std::uint64_t visit = 0;
  std::vector<RouteTable*> worklist;
  std::vector<TargetNumber> matched;
  std::vector<ResourceName> histories;
  bool is_held_back = false;

  void on_bound(const catalog::Binding& binding) override;
  void on_unbound(const catalog::Binding& binding) override;
  void on_queue(const ResourceName& name) override;
  void on_exchange(const ResourceName& name) override;
  void on_exchange_policy(const ResourceName& name) override;
  void on_all_routes() override;

  RouteTable* find_compiled(const ResourceName& name);
  RouteTable* find_table(const ResourceName& name);
  RouteTable& make_table(const ResourceName& name);
  void compile_all();
  void compile(const ResourceName& name);
  bool add_binding(RouteTable& table, const catalog::Binding& binding);
  void set_alternate(RouteTable& table, const catalog::Exchange& exchange);
  const std::string* find_alternate(const catalog::Exchange& exchange) const;
  void leave(RouteTable& target, std::uint32_t references);
  void leave_targets(RouteTable& table);
  void drop_orphans();
  void change_shape();
  void forget_answers(RouteTable& table, const std::string& key);
  void judge(RouteTable& start);

  void walk(RouteTable& start, const Publish& publish, std::vector<QueueId>& out);
  const std::vector<QueueId>* remember(RouteTable& table, const Publish& publish);
  void forget_last() {
    histories.clear();
    is_held_back = false;
  }
  std::size_t hold_back(const RouteTable& table, std::vector<QueueId>& out) const;
  void add_named_queues(const Publish& publish, std::vector<QueueId>& out) const;
};

RouteTable* Router::State::find_compiled(const ResourceName& name) {
  auto found = tables.find(name);
  return found == tables.end() ? nullptr : found->second.get();
}

void Router::State::on_bound(const catalog::Binding& binding) {
  RouteTable* table = find_compiled(binding.source);
  if (!table || !add_binding(*table, binding)) return;
  compile_all();
  forget_answers(*table, binding.routing_key);
}

void Router::State::on_unbound(const catalog::Binding& binding) {
  RouteTable* table = find_compiled(binding.source);
  if (!table) return;
  RouteTable* target = table->remove(binding);
  forget_answers(*table, binding.routing_key);
  if (!target) return;
  leave(*target, 1);
  drop_orphans();
}

void Router::State::on_queue(const ResourceName& name) {
  if (RouteTable* table = find_compiled({name.vhost, ""})) forget_answers(*table, name.name);
}

void Router::State::on_exchange(const ResourceName& name) {
  RouteTable* table = find_compiled(name);
  if (!table) return;
  leave_targets(*table);
  table->answers.clear();
  if (catalog.find_exchange(name)) to_compile.push_back(name);
  compile_all();
  left.push_back(name);
  drop_orphans();
}

void Router::State::on_exchange_policy(const ResourceName& name) {
  RouteTable* table = find_compiled(name);
  const catalog::Exchange* exchange = catalog.find_exchange(name);
  if (!table || !exchange) return;
  set_alternate(*table, *exchange);
  compile_all();
  drop_orphans();
}

void Router::State::on_all_routes() {
  tables.clear();
  last_table = nullptr;
  ++shape;
  ++answers_version;
}

/// The table of that exchange, compiled with all that it leads to, or null.
RouteTable* Router::State::find_table(const ResourceName& name) {
  if (last_table && last_table->name == name) return last_table;
  RouteTable* table = find_compiled(name);
  if (!table) {
    // Names from clients must not fill the map.
    if (!name.name.empty() && !catalog.find_exchange(name)) return nullptr;
    table = &make_table(name);
    compile_all();
  }
  return last_table = table;
}

RouteTable& Router::State::make_table(const ResourceName& name) {
  auto [place, is_new] = tables.try_emplace(name);
  if (is_new) {
    place->second = std::make_unique<RouteTable>();
    place->second->name = name;
    to_compile.push_back(name);
  }
  return *place->second;
}

void Router::State::compile_all() {
  while (!to_compile.empty()) {
    ResourceName next = std::move(to_compile.back());
    to_compile.pop_back();
    compile(next);
  }
}

void Router::State::compile(const ResourceName& name) {
  RouteTable& table = *tables.find(name)->second;
  const catalog::Exchange* exchange = catalog.find_exchange(name);
  if (name.name.empty()) return table.reset(RouteTable::Kind::default_queue);
  if (!exchange) return table.reset(RouteTable::Kind::nowhere);
  table.reset(*exchange);
  for (const catalog::Binding& binding : catalog.bindings_from(name)) add_binding(table, binding);
  set_alternate(table, *exchange);
}

/// False when its destination is not there: then it goes too.
bool Router::State::add_binding(RouteTable& table, const catalog::Binding& binding) {
  ResourceName destination{binding.source.vhost, binding.destination};
  if (binding.destination_kind == catalog::DestinationKind::exchange) {
    RouteTable& target = make_table(destination);
    ++target.references;
    table.add(binding, {}, &target);
    change_shape();
    return true;
  }
  const catalog::Queue* queue = catalog.find_queue(destination);
  if (queue) table.add(binding, queue->id, nullptr);
  return queue != nullptr;
}

void Router::State::set_alternate(RouteTable& table, const catalog::Exchange& exchange) {
  if (RouteTable* before = std::exchange(table.alternate, nullptr)) leave(*before, 1);
  if (const std::string* name = find_alternate(exchange)) {
    table.alternate = &make_table({exchange.name.vhost, *name});
    ++table.alternate->references;
  }
  change_shape();
}

/// The exchange's own argument goes before its policy. The default exchange is no alternate.
const std::string* Router::State::find_alternate(const catalog::Exchange& exchange) const {
  const std::string* name = nullptr;
  if (const base::FieldValue* value = exchange.arguments.find("alternate-exchange")) {
    name = value->as<std::string>();
  } else if (!exchange.policy.empty()) {
    const catalog::PolicyDefinition* definition =
        catalog.find_policy_definition({exchange.name.vhost, exchange.policy});
    if (definition && definition->alternate_exchange) name = &*definition->alternate_exchange;
  }
  return name && !name->empty() ? name : nullptr;
}

void Router::State::leave(RouteTable& target, std::uint32_t references) {
  ASSERT(target.references >= references);
  target.references -= references;
  if (target.references == 0) left.push_back(target.name);
  change_shape();
}

void Router::State::leave_targets(RouteTable& table) {
  for (const RouteTable::Target& target : table.targets())
    if (target.table) leave(*target.table, target.bindings);
  if (RouteTable* before = std::exchange(table.alternate, nullptr)) leave(*before, 1);
  table.reset(RouteTable::Kind::nowhere);
  change_shape();
}

/// Names that are no exchange's any more must not fill the map.
void Router::State::drop_orphans() {
  for (const ResourceName& name : std::exchange(left, {})) {
    RouteTable* table = find_compiled(name);
    if (!table || table->references > 0 || name.name.empty() || catalog.find_exchange(name))
      continue;
    if (last_table == table) last_table = nullptr;
    tables.erase(name);
  }
}

void Router::State::change_shape() {
  ++shape;
  ++answers_version;
}

/// What a binding with that key, or a queue of that name, may have changed.
void Router::State::forget_answers(RouteTable& table, const std::string& key) {
  if (table.references > 0) ++answers_version;
  bool is_of_one_key =
      table.kind() == RouteTable::Kind::direct || table.kind() == RouteTable::Kind::default_queue ||
      (table.kind() == RouteTable::Kind::topic && !TopicTable::has_wildcards(key));
  if (is_of_one_key)
    table.answers.forget(key);
  else
    table.answers.clear();
}

/// Finds out what the table, and those that it leads to, go by.
void Router::State::judge(RouteTable& start) {
  if (start.judged_shape == shape) return;
  start.judged_shape = shape;
  start.needs_content = false;
  start.is_repeatable = true;
  ++visit;
  worklist.assign(1, &start);
  start.visited = visit;
  auto add = [&](RouteTable* table) {
    if (!table || table->visited == visit) return;
    table->visited = visit;
    worklist.push_back(table);
  };
  while (!worklist.empty()) {
    RouteTable& table = *worklist.back();
    worklist.pop_back();
    start.needs_content |= table.looks_at_content();
    start.is_repeatable &= table.is_constant();
    for (const RouteTable::Target& target : table.targets()) add(target.table);
    add(table.alternate);
  }
}

void Router::State::walk(RouteTable& start, const Publish& publish, std::vector<QueueId>& out) {
  forget_last();
  const std::size_t before = out.size();
  std::size_t held_back = 0;
  ++visit;
  worklist.assign(1, &start);
  start.visited = visit;
  auto add = [&](RouteTable* table) {
    if (table->visited == visit) return;
    table->visited = visit;
    worklist.push_back(table);
  };
  while (!worklist.empty()) {
    RouteTable& table = *worklist.back();
    worklist.pop_back();
    if (table.kind() == RouteTable::Kind::default_queue) {
      add_named_queues(publish, out);
      continue;
    }
    if (table.delays() && find_delay_ms(publish.content.headers) > 0) {
      held_back += hold_back(table, out);
      continue;
    }
    if (table.keeps_messages() && is_to_be_kept(publish.content)) histories.push_back(table.name);
    const std::uint64_t chance = table.is_constant() ? 0 : random.next();
    table.match({publish.routing_keys, publish.content, chance}, matched);
    if (matched.empty() && table.alternate) add(table.alternate);
    for (TargetNumber number : matched) {
      const RouteTable::Target& target = table.target(number);
      if (target.table)
        add(target.table);
      else
        out.push_back(target.queue);
    }
  }
  is_held_back = held_back > 0 && out.size() - before == held_back;
  make_unique(out);
}

std::size_t Router::State::hold_back(const RouteTable& table, std::vector<QueueId>& out) const {
  const catalog::Queue* queue = catalog.find_queue(catalog::delay_queue_of(table.name));
  if (!queue) return 0;
  out.push_back(queue->id);
  return 1;
}

void Router::State::add_named_queues(const Publish& publish, std::vector<QueueId>& out) const {
  for (std::string_view key : publish.routing_keys) {
    const auto* queue = catalog.find_queue({publish.exchange.vhost, std::string(key)});
    // Nobody but its exchange puts anything into a queue of delayed messages.
    if (queue && !catalog::is_delay_queue(key)) out.push_back(queue->id);
  }
}

/// The remembered answer, or null when it is not worth remembering.
const std::vector<QueueId>* Router::State::remember(RouteTable& table, const Publish& publish) {
  RouteTable::Answers& answers = table.answers;
  if (answers.pause > 0) {
    --answers.pause;
    return nullptr;
  }
  if (answers.valid_for != answers_version) answers.clear();
  answers.valid_for = answers_version;
  std::string_view key = publish.routing_keys[0];
  if (auto found = answers.by_key.find(key); found != answers.by_key.end()) {
    ++answers.hits;
    return &found->second;
  }
  if (answers.by_key.size() >= max_answers || answers.queues >= max_answer_queues) {
    bool is_worth_it = answers.hits >= answers.by_key.size();
    answers.clear();
    if (!is_worth_it) {
      answers.pause = answers_pause;
      return nullptr;
    }
  }
  std::vector<QueueId> answer;
  walk(table, publish, answer);
  answers.queues += answer.size();
  answer.shrink_to_fit();
  return &answers.by_key.emplace(std::string(key), std::move(answer)).first->second;
}

Router::Router(const catalog::Catalog& catalog, base::Random random)
    : state_(std::make_unique<State>(catalog, random)) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::route(const ResourceName& exchange, std::string_view routing_key,
                   const RoutedContent& content, std::vector<QueueId>& out) {
  RouteTable* table = state_->find_table(exchange);
  if (!table) return state_->forget_last();
  Publish publish{exchange, std::span(&routing_key, 1), content};
  state_->judge(*table);
  const bool is_for_key_alone = !table->needs_content && table->is_repeatable;
  const std::vector<QueueId>* answer =
      is_for_key_alone ? state_->remember(*table, publish) : nullptr;
  if (!answer) return state_->walk(*table, publish, out);
  state_->forget_last();
  bool was_empty = out.empty();
  out.insert(out.end(), answer->begin(), answer->end());
  if (!was_empty) make_unique(out);
}

void Router::route(const ResourceName& exchange, std::span<const std::string_view> routing_keys,
                   const RoutedContent& content, std::vector<QueueId>& out) {
  if (RouteTable* table = state_->find_table(exchange))
    return state_->walk(*table, Publish{exchange, routing_keys, content}, out);
  state_->forget_last();
}

const std::vector<ResourceName>& Router::histories() const {
  return state_->histories;
}

bool Router::is_held_back() const {
  return state_->is_held_back;
}

Router::Needs Router::needs(const ResourceName& exchange) {
  RouteTable* table = state_->find_table(exchange);
  if (!table) return {};
  state_->judge(*table);
  return {table->needs_content, table->is_repeatable && !table->needs_content};
}

}  // namespace warren::broker
