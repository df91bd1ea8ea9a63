// What can be listed, with columns to choose from.
#include <fmt/format.h>

#include "cli/invocation.h"

namespace warren::cli {
namespace {

using Banner = std::string (*)(const Arguments&, const std::string&);

constexpr std::chrono::seconds list_patience(60);

int list(Invocation& invocation) {
  invocation.set_default_timeout(list_patience);
  return invocation.run_on_node();
}

std::string queues_banner(const Arguments& arguments, const std::string&) {
  const double seconds = static_cast<double>(arguments.number("timeout").value_or(60));
  return fmt::format("Timeout: {:.1f} seconds ...\nListing queues for vhost {} ...", seconds,
                     arguments.vhost());
}

/// Columns may come as words of their own, or joined by commas.
Arguments split_columns(Arguments arguments) {
  std::vector<std::string> columns;
  for (const std::string& word : arguments.positional) {
    std::size_t from = 0;
    while (from <= word.size()) {
      const std::size_t comma = std::min(word.find(',', from), word.size());
      if (comma > from) columns.push_back(word.substr(from, comma - from));
      from = comma + 1;
    }
  }
  arguments.positional = std::move(columns);
  return arguments;
}

}  // namespace

Arguments prepare_listing(Arguments arguments) {
  return arguments.command.starts_with("list_") ? split_columns(std::move(arguments)) : arguments;
}

std::vector<CommandSpec> listing_commands() {
  const std::string_view group = "Monitoring, observability and health checks";
  const std::string_view vhosts = "Virtual hosts";
  const Banner bindings = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing bindings for vhost {}...", arguments.vhost());
  };
  const Banner channels = [](const Arguments&, const std::string&) {
    return std::string("Listing channels ...");
  };
  const Banner connections = [](const Arguments&, const std::string&) {
    return std::string("Listing connections ...");
  };
  const Banner consumers = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing consumers in vhost {} ...", arguments.vhost());
  };
  const Banner exchanges = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing exchanges for vhost {} ...", arguments.vhost());
  };
  const Banner all_vhosts = [](const Arguments&, const std::string&) {
    return std::string("Listing vhosts ...");
  };
  const Banner flags = [](const Arguments&, const std::string&) {
    return std::string("Listing feature flags ...");
  };
  return {
      {"list_bindings", group,
       "list_bindings [--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]",
       "Lists the bindings of a vhost", 0, any_number, {}, true, bindings, nullptr, list},
      {"list_channels", group,
       "list_channels [--no-table-headers] [<column> ...] [--timeout <timeout>]",
       "Lists the channels in the cluster", 0, any_number, {}, true, channels, nullptr, list},
      {"list_connections", group,
       "list_connections [--no-table-headers] [<column> ...] [--timeout <timeout>]",
       "Lists the client connections in the cluster", 0, any_number, {}, true, connections,
       nullptr, list},
      {"list_consumers", group,
       "list_consumers [--vhost <vhost>] [--no-table-headers] [<column>, ...] "
       "[--timeout <timeout>]",
       "Lists the consumers of a vhost", 0, any_number, {}, true, consumers, nullptr, list},
      {"list_exchanges", group,
       "list_exchanges [--vhost <vhost>] [--no-table-headers] [<column>, ...] "
       "[--timeout <timeout>]",
       "Lists the exchanges of a vhost", 0, any_number, {}, true, exchanges, nullptr, list},
      {"list_feature_flags", group, "list_feature_flags", "Lists feature flags", 0, 0, {}, true,
       flags, nullptr, list},
      {"list_queues", group,
       "list_queues [--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] "
       "[<column>, ...] [--timeout <timeout>]",
       "Lists the queues of a vhost", 0, any_number, {{"online"}, {"offline"}, {"local"}}, true,
       queues_banner, nullptr, list},
      {"list_vhosts", vhosts,
       "list_vhosts [--no-table-headers] [<column> ...] [--timeout <timeout>]",
       "Lists virtual hosts", 0, any_number, {}, true, all_vhosts, nullptr, list},
  };
}

}  // namespace warren::cli
