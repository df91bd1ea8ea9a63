// Users and permissions.
#include <fmt/format.h>

#include <cstdio>

#include "cli/invocation.h"

namespace warren::cli {
namespace {

using management::member_text;
using management::text_json;

std::optional<std::string> read_line() {
  std::string line;
  for (int c = std::fgetc(stdin); c != EOF && c != '\n'; c = std::fgetc(stdin))
    line += static_cast<char>(c);
  if (line.empty()) return std::nullopt;
  return line;
}

/// Sends the command with a password from the second argument, or from standard input.
int run_with_password(Invocation& invocation) {
  JsonObject request = invocation.make_request();
  if (invocation.arguments().positional.size() < 2) {
    invocation.print_banner();
    invocation.print("Password: ");
    auto password = read_line();
    invocation.print("\n");
    if (!password)
      return invocation.fail(exit_data, "Password is not provided via argument or stdin");
    request["arguments"].get_array().push_back(text_json(*password));
  }
  int status = exit_ok;
  auto reply = invocation.ask(request, status);
  return reply ? invocation.print_reply(*reply) : status;
}

int add_user(Invocation& invocation) {
  const int status = run_with_password(invocation);
  if (status == exit_ok)
    invocation.print_note("Done. Don't forget to grant the user permissions to some virtual "
                          "hosts! See 'rabbitmqctl help set_permissions' to learn more.");
  return status;
}

std::optional<Complaint> check_user_name(const Arguments& arguments) {
  if (!arguments.positional[0].empty()) return std::nullopt;
  return Complaint{exit_data, "Bad argument: user cannot be an empty string"};
}

std::string tags_banner(const Arguments& arguments, const std::string&) {
  const auto& words = arguments.positional;
  return fmt::format("Setting tags for user \"{}\" to [{}] ...", words[0],
                     fmt::join(words.begin() + 1, words.end(), ", "));
}

std::string vhost_banner(const char* what, const Arguments& arguments) {
  return fmt::format("{} permissions for user \"{}\" in vhost \"{}\" ...", what,
                     arguments.positional[0], arguments.vhost());
}

using Banner = std::string (*)(const Arguments&, const std::string&);

std::string topics_banner(const char* what, const Arguments& arguments) {
  const auto& words = arguments.positional;
  const std::string exchange = words.size() > 1 ? fmt::format(" on \"{}\"", words[1]) : "";
  return fmt::format("{} topic permissions{} for user \"{}\" in vhost \"{}\" ...", what, exchange,
                     words[0], arguments.vhost());
}

std::vector<CommandSpec> topic_commands() {
  const std::string_view group = "Access Control";
  const Banner set = [](const Arguments& arguments, const std::string&) {
    return topics_banner("Setting", arguments);
  };
  const Banner clear = [](const Arguments& arguments, const std::string&) {
    return topics_banner("Clearing", arguments);
  };
  const Banner list = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing topic permissions for vhost \"{}\" ...", arguments.vhost());
  };
  const Banner list_user = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing topic permissions for user \"{}\" ...", arguments.positional[0]);
  };
  return {
      {"clear_topic_permissions", group,
       "clear_topic_permissions [--vhost <vhost>] <username> [<exchange>]",
       "Lets a user use all keys of one topic exchange, or of all", 1, 2, {}, true, clear},
      {"list_topic_permissions", group,
       "list_topic_permissions [--vhost <vhost>] [--no-table-headers]",
       "Lists the topic permissions in a vhost", 0, 0, {}, true, list},
      {"list_user_topic_permissions", group,
       "list_user_topic_permissions [--no-table-headers] <username>",
       "Lists a user's topic permissions in all vhosts", 1, 1, {}, true, list_user},
      {"set_topic_permissions", group,
       "set_topic_permissions [--vhost <vhost>] <username> <exchange> <write> <read>",
       "Sets which keys of a topic exchange a user may use", 4, 4, {}, true, set},
  };
}

std::vector<CommandSpec> permission_commands() {
  const std::string_view group = "Access Control";
  const Banner set = [](const Arguments& arguments, const std::string&) {
    return vhost_banner("Setting", arguments);
  };
  const Banner clear = [](const Arguments& arguments, const std::string&) {
    return vhost_banner("Clearing", arguments);
  };
  const Banner list = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing permissions for vhost \"{}\" ...", arguments.vhost());
  };
  const Banner list_user = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing permissions for user \"{}\" ...", arguments.positional[0]);
  };
  return {
      {"clear_permissions", group, "clear_permissions [--vhost <vhost>] <username>",
       "Revokes a user's permissions in a vhost", 1, 1, {}, true, clear},
      {"list_permissions", group, "list_permissions [--vhost <vhost>] [--no-table-headers]",
       "Lists the permissions in a vhost", 0, 0, {}, true, list},
      {"list_user_permissions", group, "list_user_permissions [--no-table-headers] <username>",
       "Lists a user's permissions in all vhosts", 1, 1, {}, true, list_user},
      {"set_permissions", group,
       "set_permissions [--vhost <vhost>] <username> <conf> <write> <read>",
       "Sets a user's permissions in a vhost", 4, 4, {}, true, set},
  };
}

}  // namespace

std::vector<CommandSpec> user_commands() {
  const std::string_view group = "Users";
  const Banner add = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Adding user \"{}\" ...", arguments.positional[0]);
  };
  const Banner authenticate = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Authenticating user \"{}\" ...", arguments.positional[0]);
  };
  const Banner change = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Changing password for user \"{}\" ...", arguments.positional[0]);
  };
  const Banner clear = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Clearing password for user \"{}\" ...", arguments.positional[0]);
  };
  const Banner remove = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Deleting user \"{}\" ...", arguments.positional[0]);
  };
  const Banner list = [](const Arguments&, const std::string&) {
    return std::string("Listing users ...");
  };
  std::vector<CommandSpec> all = {
      {"add_user", group, "add_user <username> <password>",
       "Creates a user, without permissions in any vhost", 1, 2, {{"pre-hashed-password"}}, true,
       add, check_user_name, add_user},
      {"authenticate_user", group, "authenticate_user <username> <password>",
       "Checks a user's password", 1, 2, {}, true, authenticate, nullptr, run_with_password},
      {"change_password", group, "change_password <username> <password>",
       "Changes a user's password", 1, 2, {}, true, change, nullptr, run_with_password},
      {"clear_password", group, "clear_password <username>",
       "Clears a user's password, so that nobody can log in with it", 1, 1, {}, true, clear},
      {"delete_user", group, "delete_user <username>", "Removes a user", 1, 1, {}, true, remove},
      {"list_users", group, "list_users [--no-table-headers] [--timeout <timeout>]",
       "Lists users and their tags", 0, 0, {}, true, list},
      {"set_user_tags", group, "set_user_tags <username> <tag> [...]", "Sets a user's tags", 1,
       any_number, {}, true, tags_banner},
  };
  const std::vector<CommandSpec> permissions = permission_commands();
  all.insert(all.end(), permissions.begin(), permissions.end());
  const std::vector<CommandSpec> topics = topic_commands();
  all.insert(all.end(), topics.begin(), topics.end());
  return all;
}

}  // namespace warren::cli
