// Where the alarms for memory and disk space begin.
#include <fmt/format.h>

#include "cli/invocation.h"
#include "server/conf_values.h"

namespace warren::cli {
namespace {

using Words = std::vector<std::string>;

Complaint bad_argument(std::string_view why = "") {
  return {exit_data, fmt::format("Bad argument{}{}", why.empty() ? "." : ": ", why)};
}

/// The number of words that `keyword` takes is two, and one without it.
std::optional<Complaint> check_words(const Words& words, std::string_view keyword) {
  const std::size_t wanted = words[0] == keyword ? 2 : 1;
  if (words.size() < wanted) return Complaint{exit_usage, "not enough arguments."};
  if (words.size() > wanted) return Complaint{exit_usage, "too many arguments."};
  return std::nullopt;
}

std::optional<Complaint> check_watermark(const Arguments& arguments) {
  const Words& words = arguments.positional;
  if (auto complaint = check_words(words, "absolute")) return complaint;
  if (words.size() == 2) {
    if (server::parse_size(words[1])) return std::nullopt;
    return bad_argument();
  }
  const auto number = server::parse_factor(words[0]);
  if (!number) return bad_argument();
  if (*number <= 1.0) return std::nullopt;
  return bad_argument("The threshold should be a fraction between 0.0 and 1.0");
}

std::optional<Complaint> check_disk_limit(const Arguments& arguments) {
  const Words& words = arguments.positional;
  if (auto complaint = check_words(words, "mem_relative")) return complaint;
  const bool is_sound = words.size() == 2 ? server::parse_factor(words[1]).has_value()
                                          : server::parse_size(words[0]).has_value();
  if (is_sound) return std::nullopt;
  return bad_argument();
}

int run_with(Invocation& invocation, const JsonObject& options) {
  JsonObject request = invocation.make_request();
  request["options"] = options;
  int status = exit_ok;
  auto reply = invocation.ask(request, status);
  return reply ? invocation.print_reply(*reply) : status;
}

JsonObject bytes_option(const std::string& text) {
  return {{"bytes", server::parse_size(text).value_or(0)}};
}

JsonObject share_option(const std::string& text) {
  return {{"share", server::parse_factor(text).value_or(0)}};
}

int set_watermark(Invocation& invocation) {
  const Words& words = invocation.arguments().positional;
  return run_with(invocation, words.size() == 2 ? bytes_option(words[1]) : share_option(words[0]));
}

int set_disk_limit(Invocation& invocation) {
  const Words& words = invocation.arguments().positional;
  return run_with(invocation, words.size() == 2 ? share_option(words[1]) : bytes_option(words[0]));
}

std::string watermark_banner(const Arguments& arguments, const std::string& node) {
  const Words& words = arguments.positional;
  if (words.size() == 2)
    return fmt::format("Setting memory threshold on {} to {} bytes ...", node, words[1]);
  return fmt::format("Setting memory threshold on {} to {} ...", node, words[0]);
}

std::string disk_limit_banner(const Arguments& arguments, const std::string& node) {
  const Words& words = arguments.positional;
  if (words.size() == 2)
    return fmt::format("Setting disk free limit on {} to {} times the total RAM ...", node,
                       words[1]);
  return fmt::format("Setting disk free limit on {} to {} bytes ...", node, words[0]);
}

}  // namespace

std::vector<CommandSpec> threshold_commands() {
  const std::string_view group = "Configuration and Environment";
  return {
      {"set_disk_free_limit", group, "set_disk_free_limit <disk_limit> | mem_relative <fraction>",
       "Sets how much disk space has to be free, until the node restarts", 1, 2, {}, true,
       disk_limit_banner, check_disk_limit, set_disk_limit},
      {"set_vm_memory_high_watermark", group,
       "set_vm_memory_high_watermark <fraction> | absolute <value>",
       "Sets how much memory a node may use before publishers wait, until it restarts", 1, 2, {},
       true, watermark_banner, check_watermark, set_watermark},
  };
}

}  // namespace warren::cli
