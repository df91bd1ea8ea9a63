#pragma once

#include <string>

#include "codec/erlang_term.h"
#include "management/json.h"

/// One value of a listing (see management/reply.h), in the notation of each formatter.
namespace warren::cli {

using management::Json;
using management::JsonArray;
using management::JsonObject;

/// For tables and csv: <rabbit1@vm.17.5.0>, [a, b], [{"x-max-length",5}].
std::string cell_text(const Json& cell);
/// For pretty tables, where a process has no node's name: <17.5.0>.
std::string cell_short_text(const Json& cell);
/// For JSON: "#PID<17.5.0>", [["x-max-length","long",5]].
Json cell_json(const Json& cell);
/// For Erlang terms: texts become binaries.
codec::erlang::Term cell_term(const Json& cell);
/// Any JSON value as an Erlang term: objects become maps.
codec::erlang::Term json_term(const Json& value);

}  // namespace warren::cli
