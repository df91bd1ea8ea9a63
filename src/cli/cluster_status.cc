#include "cli/cluster_status.h"

#include <fmt/format.h>

#include <vector>

#include "cli/formatter.h"
#include "codec/erlang_term.h"

namespace warren::cli {
namespace {

namespace erlang = codec::erlang;
using management::Json;
using management::JsonArray;
using management::JsonObject;
using management::member_text;
using management::member_unsigned;
using management::text_of;

const JsonArray& list(const JsonObject& facts, const char* name) {
  static const JsonArray none;
  const Json* found = facts.if_contains(name);
  return found && found->is_array() ? found->get_array() : none;
}

const JsonObject& map(const JsonObject& facts, const char* name) {
  static const JsonObject none;
  const Json* found = facts.if_contains(name);
  return found && found->is_object() ? found->get_object() : none;
}

std::string text(const Json& value) {
  return value.is_string() ? std::string(text_of(value.get_string())) : std::string();
}

std::vector<std::string> texts(const Json& value) {
  std::vector<std::string> all;
  if (value.is_array())
    for (const Json& item : value.get_array()) all.push_back(text(item));
  return all;
}

class Sections {
 public:
  void begin(std::string_view title) {
    if (!out_.empty()) out_ += '\n';
    out_ += bold(title) + "\n\n";
  }
  void line(std::string_view text) { out_ += std::string(text) + "\n"; }
  void lines_or_none(const std::vector<std::string>& lines) {
    if (lines.empty()) line("(none)");
    for (const std::string& one : lines) line(one);
  }
  std::string take() {
    if (out_.ends_with('\n')) out_.pop_back();
    return std::move(out_);
  }

 private:
  std::string out_;
};

void write_nodes(Sections& sections, const JsonObject& facts) {
  sections.begin("Disk Nodes");
  for (const Json& node : list(facts, "disk_nodes")) sections.line(text(node));
  if (!list(facts, "ram_nodes").empty()) {
    sections.begin("RAM Nodes");
    for (const Json& node : list(facts, "ram_nodes")) sections.line(text(node));
  }
  sections.begin("Running Nodes");
  for (const Json& node : list(facts, "running_nodes")) sections.line(text(node));
}

std::vector<std::string> partition_lines(const JsonObject& facts) {
  std::vector<std::string> lines;
  for (const auto& member : map(facts, "partitions"))
    lines.push_back(fmt::format("Node {} cannot communicate with {}",
                                std::string_view(member.key().data(), member.key().size()),
                                fmt::join(texts(member.value()), ", ")));
  return lines;
}

erlang::Term atoms(const JsonArray& names) {
  erlang::List atoms;
  for (const Json& name : names) atoms.items.push_back(erlang::atom(text(name)));
  return atoms;
}

/// {'rabbit1@vm',[memory]} for each running node.
erlang::Term alarms_term(const JsonObject& facts) {
  erlang::List all;
  for (const Json& node : list(facts, "running_nodes")) {
    erlang::List resources;
    for (const Json& alarm : list(facts, "alarms"))
      if (const JsonObject* object = alarm.if_object();
          object && member_text(*object, "node") == text(node))
        resources.items.push_back(erlang::atom(member_text(*object, "resource")));
    all.items.push_back(erlang::pair(text(node), std::move(resources)));
  }
  return all;
}

}  // namespace

std::vector<std::string> alarm_lines(const JsonObject& facts) {
  std::vector<std::string> lines;
  for (const Json& alarm : list(facts, "alarms"))
    if (const JsonObject* object = alarm.if_object()) {
      const bool is_memory = member_text(*object, "resource") == "memory";
      lines.push_back(fmt::format("{} alarm on node {}", is_memory ? "Memory" : "Free disk space",
                                  member_text(*object, "node")));
    }
  return lines;
}

std::string listener_line(const JsonObject& listener) {
  return fmt::format("Interface: {}, port: {}, protocol: {}, purpose: {}",
                     member_text(listener, "interface"), member_unsigned(listener, "port"),
                     member_text(listener, "protocol"), member_text(listener, "purpose"));
}

std::string cluster_status_text(const JsonObject& facts) {
  Sections sections;
  sections.begin("Basics");
  sections.line("Cluster name: " + member_text(facts, "cluster_name"));
  write_nodes(sections, facts);
  sections.begin("Versions");
  for (const auto& member : map(facts, "versions")) {
    const JsonObject* version = member.value().if_object();
    if (version)
      sections.line(fmt::format("{}: {} {} on Erlang {}",
                                std::string_view(member.key().data(), member.key().size()),
                                member_text(*version, "rabbitmq_name"),
                                member_text(*version, "rabbitmq_version"),
                                member_text(*version, "erlang_version")));
  }
  sections.begin("Maintenance status");
  for (const auto& member : map(facts, "maintenance_status"))
    sections.line(fmt::format("Node: {}, status: {}",
                              std::string_view(member.key().data(), member.key().size()),
                              text(member.value())));
  sections.begin("Alarms");
  sections.lines_or_none(alarm_lines(facts));
  sections.begin("Network Partitions");
  sections.lines_or_none(partition_lines(facts));
  sections.begin("Listeners");
  for (const auto& member : map(facts, "listeners"))
    if (member.value().is_array())
      for (const Json& listener : member.value().get_array())
        if (const JsonObject* object = listener.if_object())
          sections.line(fmt::format("Node: {}, i{}", member_text(*object, "node"),
                                    listener_line(*object).substr(1)));
  sections.begin("Feature flags");
  for (const Json& flag : list(facts, "feature_flags"))
    if (const JsonObject* object = flag.if_object())
      sections.line(fmt::format("Flag: {}, state: {}", member_text(*object, "name"),
                                member_text(*object, "state")));
  return sections.take();
}

std::string cluster_status_term(const JsonObject& facts) {
  erlang::List nodes{erlang::pair("disc", atoms(list(facts, "disk_nodes")))};
  if (!list(facts, "ram_nodes").empty())
    nodes.items.push_back(erlang::pair("ram", atoms(list(facts, "ram_nodes"))));
  erlang::List partitions;
  for (const auto& member : map(facts, "partitions"))
    if (member.value().is_array())
      partitions.items.push_back(
          erlang::pair(std::string_view(member.key().data(), member.key().size()),
                       atoms(member.value().get_array())));
  return erlang::print_pretty(
      erlang::List{erlang::pair("nodes", std::move(nodes)),
                   erlang::pair("running_nodes", atoms(list(facts, "running_nodes"))),
                   erlang::pair("cluster_name", erlang::binary(member_text(facts, "cluster_name"))),
                   erlang::pair("partitions", std::move(partitions)),
                   erlang::pair("alarms", alarms_term(facts))});
}

}  // namespace warren::cli
