#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "management/json.h"

/// The replies to commands, as CommandHandler sends them and the command line prints them.
///
/// Success: {"status":"ok","exit":0} with at most one of
///   "text": lines to print,
///   "columns": [..] and "rows": [[..],..]: a listing,
///   "value": {..}: facts that the command line arranges itself.
/// Failure: {"status":"error","exit":N,"kind":K,"text":T} where K is
///   "failed": T goes under "Error:",
///   "plain": T stands alone,
///   "app_stopped" / "app_running": the application is to be started / stopped first,
///   "argument": the arguments are wrong (T without "Error (argument validation): "),
///   "unreachable": "node" can't be reached from the node that was asked.
///
/// Cells are JSON values. What Erlang would print otherwise is wrapped in an object of one member:
/// {"pid":"rabbit1@vm.17.5.0"}, {"atom":"running"}, {"tuple":[0,9,1]},
/// {"table":[["name","type",value],..]}.
namespace warren::management {

JsonObject ok_reply();
JsonObject text_reply(std::string_view text);
JsonObject value_reply(JsonObject value);
JsonObject rows_reply(const std::vector<std::string>& columns, JsonArray rows);
JsonObject error_reply(int exit, std::string_view kind, std::string_view text);
/// A failure of the node's: exit 69, unless the error's code says better.
JsonObject failed_reply(const base::Error& error);

Json atom_cell(std::string_view name);
Json tuple_cell(JsonArray items);
Json table_cell(const base::FieldTable& table);
/// `node` is the process's node, `creation` its incarnation, `number` stable while it lives.
Json pid_cell(std::string_view node, std::uint64_t creation, std::uint64_t number);

}  // namespace warren::management
