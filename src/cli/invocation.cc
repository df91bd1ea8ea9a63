#include "cli/invocation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "base/random.h"
#include "server/cookie.h"

namespace warren::cli {
namespace {

using management::member_integer;
using management::member_text;

/// How long a connection and a handshake may take where no timeout is given.
constexpr std::chrono::seconds connect_patience(15);

std::string caller_name(const server::Environment& environment) {
  base::Bytes random = base::secure_random_bytes(2);
  const unsigned number = static_cast<unsigned char>(random[0]) * 256u +
                          static_cast<unsigned char>(random[1]);
  return fmt::format("rabbitmqcli-{}-rabbit@{}", number % 1000, environment.host.short_name);
}

}  // namespace

Invocation::Invocation(const CommandSpec& spec, Arguments arguments,
                       server::Environment environment, Format format)
    : spec_(spec), arguments_(std::move(arguments)), environment_(std::move(environment)),
      node_(environment_.node_name), own_name_(caller_name(environment_)), format_(format),
      started_(Clock::now()) {
  if (auto seconds = arguments_.number("timeout"))
    timeout_ = std::chrono::milliseconds(*seconds * 1000);
  if (arguments_.has("erlang-cookie")) cookie_ = arguments_.value("erlang-cookie");
}

int Invocation::run() {
  if (!spec_.checks_node) print_banner();
  return spec_.run ? spec_.run(*this) : run_on_node();
}

void Invocation::print_banner() {
  if (banner_printed_ || !spec_.banner) return;
  banner_printed_ = true;
  if (!arguments_.is_quiet() && prints_banner(format_))
    print_line(spec_.banner(arguments_, node_));
}

void Invocation::print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Invocation::print_line(std::string_view line) { print(std::string(line) + "\n"); }

void Invocation::print_note(std::string_view line) {
  if (!arguments_.is_quiet() && prints_banner(format_)) print_line(line);
}

int Invocation::fail_plain(int status, std::string_view text) {
  const std::string line = std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  return status;
}

int Invocation::fail(int status, std::string_view text) {
  return fail_plain(status, "Error:\n" + std::string(text));
}

int Invocation::fail_usage(const Complaint& complaint) {
  return fail_plain(complaint.exit,
                    fmt::format("{}\nArguments given:\n\t{}\n\n{}\n\n{}", complaint.text,
                                arguments_.given_text(), bold("Usage"),
                                usage_line(arguments_.tool, spec_)));
}

int Invocation::fail_unreachable(const ConnectFailure& failure) {
  const std::string text = describe_failure(failure, caller_details());
  std::fwrite(text.data(), 1, text.size(), stderr);
  return exit_unavailable;
}

int Invocation::fail_timeout() {
  return fail_plain(exit_timeout,
                    fmt::format("Error: operation {} on node {} timed out. Timeout value used: {}",
                                spec_.name, node_, timeout_ ? timeout_->count() : 0));
}

void Invocation::set_default_timeout(std::chrono::milliseconds timeout) {
  if (!timeout_ && arguments_.value("timeout") != "infinity") timeout_ = timeout;
}

Invocation::Clock::time_point Invocation::deadline() const {
  return timeout_ ? started_ + *timeout_ : Clock::time_point::max() - std::chrono::hours(1);
}

const std::string& Invocation::cookie() const {
  if (!cookie_ && !environment_.cookie.empty()) cookie_ = environment_.cookie;
  if (!cookie_) cookie_ = server::read_cookie(environment_.cookie_file).value_or("");
  return *cookie_;
}

NodeTarget Invocation::target_of(const std::string& node) const {
  return {node, server::dialled_host(node, environment_.host), own_name_, cookie(),
          environment_.epmd_port};
}

CallerDetails Invocation::caller_details() const {
  return {own_name_, environment_.home.string(), cookie_hash(cookie()), environment_.epmd_port};
}

std::expected<ControlClient, ConnectFailure> Invocation::connect() const {
  const NodeTarget target = target_of(node_);
  const auto until = std::min(deadline(), Clock::now() + connect_patience);
  auto client = ControlClient::connect(target, until);
  // Without a readable cookie nobody is let in: say that, not what the node made of it.
  if (!client && client.error().kind == ConnectFailure::Kind::refused_by_node && cookie().empty())
    if (auto readable = server::read_cookie(environment_.cookie_file); !readable)
      client.error().detail = readable.error().text;
  return client;
}

JsonObject Invocation::make_request() const {
  JsonArray words;
  for (const std::string& word : arguments_.positional)
    words.push_back(management::text_json(word));
  JsonObject options;
  for (const OptionSpec& own : spec_.options) {
    const std::string name(own.name);
    if (!arguments_.has(name)) continue;
    std::string key = name;
    for (char& c : key)
      if (c == '-') c = '_';
    if (own.kind == OptionKind::flag)
      options[key] = true;
    else if (auto number = arguments_.number(name); number && own.kind == OptionKind::number)
      options[key] = static_cast<std::int64_t>(*number);
    else
      options[key] = management::text_json(arguments_.value(name));
  }
  return {{"command", management::text_json(spec_.name)},
          {"vhost", management::text_json(arguments_.vhost())},
          {"arguments", std::move(words)},
          {"options", std::move(options)}};
}

std::optional<JsonObject> Invocation::ask(const JsonObject& request, int& status) {
  auto client = connect();
  if (!client) {
    status = fail_unreachable(client.error());
    return std::nullopt;
  }
  return ask_on(*client, request, status);
}

std::optional<JsonObject> Invocation::ask_on(ControlClient& client, const JsonObject& request,
                                             int& status) {
  auto reply = client.request(management::print_json(request), deadline());
  if (!reply) {
    status = reply.error().code == base::ErrorCode::timeout
                 ? fail_timeout()
                 : fail(exit_unavailable,
                        fmt::format("{} while it worked on {}. Look into the log of {}.",
                                    reply.error().text, spec_.name, node_));
    return std::nullopt;
  }
  auto parsed = management::parse_json(*reply);
  if (parsed && parsed->is_object()) return std::move(parsed->get_object());
  status = fail(exit_software, "the node's reply makes no sense; is it of another version?");
  return std::nullopt;
}

std::optional<JsonObject> Invocation::ask_value(std::string_view command, int& status) {
  auto reply = ask(JsonObject{{"command", management::text_json(command)}}, status);
  if (!reply) return std::nullopt;
  if (const Json* value = reply->if_contains("value"); value && value->is_object())
    return value->get_object();
  status = print_reply(*reply);
  return std::nullopt;
}

int Invocation::run_on_node() {
  int status = exit_ok;
  auto reply = ask(make_request(), status);
  return reply ? print_reply(*reply) : status;
}

int Invocation::print_reply(const JsonObject& reply) {
  if (member_text(reply, "status") != "ok") return print_error(reply);
  print_banner();
  if (const std::string text = member_text(reply, "text"); !text.empty()) print_line(text);
  if (reply.contains("rows")) return print_listing(reply);
  return static_cast<int>(member_integer(reply, "exit").value_or(0));
}

int Invocation::print_error(const JsonObject& reply) {
  const std::string kind = member_text(reply, "kind");
  const std::string text = member_text(reply, "text");
  const int status = static_cast<int>(member_integer(reply, "exit").value_or(exit_software));
  if (kind == "app_stopped")
    return fail_usage({status, "Error: this command requires the 'rabbit' app to be running on "
                               "the target node. Start it with 'rabbitmqctl start_app'."});
  if (kind == "app_running")
    return fail_usage({status, "Error: this command requires the 'rabbit' app to be stopped on "
                               "the target node. Stop it with 'rabbitmqctl stop_app'."});
  if (kind == "argument") return fail_usage({status, "Error (argument validation): " + text});
  print_banner();
  if (kind == "plain") return fail_plain(status, text);
  if (kind != "unreachable") return fail(status, text);
  // The node that was asked could not reach another one: look at that from here.
  const std::string other = member_text(reply, "node");
  auto client = ControlClient::connect(target_of(other), Clock::now() + connect_patience);
  if (!client) return fail_unreachable(client.error());
  return fail(status, text);
}

/// Scripts know one empty line where these have nothing to show.
static bool leaves_empty_line(std::string_view command) {
  static constexpr std::string_view those[] = {
      "list_policies",         "list_parameters",   "list_topic_permissions",
      "list_global_parameters", "list_vhost_limits", "list_user_topic_permissions",
      "list_user_limits"};
  return std::ranges::find(those, command) != std::end(those);
}

int Invocation::print_listing(const JsonObject& reply) {
  Listing listing;
  if (const Json* columns = reply.if_contains("columns"); columns && columns->is_array())
    for (const Json& column : columns->get_array())
      if (column.is_string())
        listing.columns.emplace_back(management::text_of(column.get_string()));
  if (const Json* rows = reply.if_contains("rows"); rows && rows->is_array())
    for (const Json& row : rows->get_array())
      if (row.is_array())
        listing.rows.emplace_back(row.get_array().begin(), row.get_array().end());
  const bool with_header = !arguments_.has("silent") && !arguments_.has("no-table-headers") &&
                           spec_.name != "list_user_topic_permissions";
  print(format_listing(listing, format_, with_header));
  if (listing.rows.empty() && format_ == Format::table && leaves_empty_line(spec_.name))
    print("\n");
  return exit_ok;
}

std::string usage_line(std::string_view tool, const CommandSpec& spec) {
  return fmt::format("{} [--node <node>] [--longnames] [--quiet] {}", tool, spec.usage);
}

}  // namespace warren::cli
