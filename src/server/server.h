#pragma once

namespace warren::server {

/// `rabbitmq-server [-detached]`: runs a node until it is stopped. The result is the process's
/// exit status. argv[0] is the program's name as it was called.
int run_server(int argc, char** argv);

/// `warren epmd`: runs a name service on the port ERL_EPMD_PORT (4369) for as long as nothing
/// stops it. A node that finds none starts this as a process of its own, by running
/// /proc/self/exe with the argument "epmd".
int run_epmd(int argc, char** argv);

}  // namespace warren::server
