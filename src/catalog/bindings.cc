#include "catalog/bindings.h"

#include <algorithm>
#include <functional>

#include "base/assert.h"

namespace warren::catalog {
namespace {

/// Arguments are compared by their bytes: a value that is not equal to itself (NaN) is the same
/// argument all the same.
base::Bytes bytes_of(const base::FieldTable& arguments) {
  base::Bytes bytes;
  base::ByteWriter writer(bytes);
  base::write_field_table(writer, arguments);
  return bytes;
}

}  // namespace

std::size_t Bindings::Hash::operator()(const Binding& binding) const {
  std::hash<std::string> hash;
  auto mix = [](std::size_t seed, std::size_t value) {
    return (seed ^ value) * 0x9E3779B97F4A7C15ull + (seed >> 29);
  };
  std::size_t seed = static_cast<std::size_t>(binding.destination_kind);
  for (const std::string* text : {&binding.source.vhost, &binding.source.name,
                                  &binding.destination, &binding.routing_key})
    seed = mix(seed, hash(*text));
  return binding.arguments.empty() ? seed : mix(seed, hash(bytes_of(binding.arguments)));
}

bool Bindings::Same::same(const Binding& a, const Binding& b) {
  if (a.routing_key != b.routing_key || a.destination != b.destination) return false;
  if (a.destination_kind != b.destination_kind || a.source != b.source) return false;
  if (a.arguments.empty() && b.arguments.empty()) return true;
  return bytes_of(a.arguments) == bytes_of(b.arguments);
}

void Bindings::List::append(Node& node, Hooks Node::*hooks) {
  (node.*hooks).before = last;
  (last ? (last->*hooks).after : first) = &node;
  last = &node;
  ++size;
}

void Bindings::List::remove(Node& node, Hooks Node::*hooks) {
  Hooks& own = node.*hooks;
  (own.before ? (own.before->*hooks).after : first) = own.after;
  (own.after ? (own.after->*hooks).before : last) = own.before;
  --size;
}

Bindings::Bindings(const Bindings& other) { *this = other; }

Bindings& Bindings::operator=(const Bindings& other) {
  if (this == &other) return *this;
  nodes_.clear();
  by_source_.clear();
  by_destination_.clear();
  for (const auto& [source, list] : other.by_source_)
    for (const Binding& binding : Range(list.first, list.size)) add(binding);
  return *this;
}

bool Bindings::add(Binding binding) {
  auto [place, is_new] = nodes_.emplace(Node{std::move(binding)});
  if (!is_new) return false;
  // Nothing that the set's order depends on is changed through this.
  Node& node = const_cast<Node&>(*place);
  by_source_[node.binding.source].append(node, &Node::by_source);
  by_destination_[destination_of(node.binding)].append(node, &Node::by_destination);
  return true;
}

bool Bindings::contains(const Binding& binding) const {
  return nodes_.find(binding) != nodes_.end();
}

bool Bindings::remove(const Binding& binding) {
  auto place = nodes_.find(binding);
  if (place == nodes_.end()) return false;
  erase(place);
  return true;
}

void Bindings::erase(Set::iterator place) {
  Node& node = const_cast<Node&>(*place);
  auto from = by_source_.find(node.binding.source);
  auto to = by_destination_.find(destination_of(node.binding));
  ASSERT(from != by_source_.end() && to != by_destination_.end());
  from->second.remove(node, &Node::by_source);
  to->second.remove(node, &Node::by_destination);
  if (from->second.size == 0) by_source_.erase(from);
  if (to->second.size == 0) by_destination_.erase(to);
  nodes_.erase(place);
}

void Bindings::remove_from(const ResourceName& source) {
  auto from = by_source_.find(source);
  if (from == by_source_.end()) return;
  for (Node* node = from->second.first; node;) {
    Node* doomed = node;
    node = node->by_source.after;
    auto to = by_destination_.find(destination_of(doomed->binding));
    ASSERT(to != by_destination_.end());
    to->second.remove(*doomed, &Node::by_destination);
    if (to->second.size == 0) by_destination_.erase(to);
    nodes_.erase(nodes_.find(doomed->binding));
  }
  by_source_.erase(from);
}

std::vector<Binding> Bindings::take_to(DestinationKind kind, const ResourceName& destination) {
  std::vector<Binding> taken = to(kind, destination);
  for (const Binding& binding : taken) remove(binding);
  return taken;
}

Bindings::Range Bindings::from(const ResourceName& source) const {
  auto from = by_source_.find(source);
  return from == by_source_.end() ? Range() : Range(from->second.first, from->second.size);
}

std::vector<Binding> Bindings::to(DestinationKind kind, const ResourceName& destination) const {
  std::vector<Binding> found;
  auto to = by_destination_.find({kind, destination});
  if (to == by_destination_.end()) return found;
  found.reserve(to->second.size);
  for (const Node* node = to->second.first; node; node = node->by_destination.after)
    found.push_back(node->binding);
  std::ranges::stable_sort(found, {}, &Binding::source);
  return found;
}

std::vector<ResourceName> Bindings::sources() const {
  std::vector<ResourceName> sources;
  for (const auto& [source, list] : by_source_) sources.push_back(source);
  return sources;
}

}  // namespace warren::catalog
