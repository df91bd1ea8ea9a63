// What people write: Erlang terms, configuration, HTTP.
#include <algorithm>
#include <chrono>

#include "base/assert.h"
#include "catalog/policy_definition.h"
#include "codec/erlang_args.h"
#include "codec/erlang_term.h"
#include "fuzz/targets.h"
#include "management/http_connection.h"
#include "management/json.h"
#include "server/configuration.h"
#include "server/environment.h"

namespace warren::fuzz {

using base::ByteView;
namespace erlang = codec::erlang;

void fuzz_erlang(ByteView input) {
  (void)erlang::parse_terms(input);
  (void)erlang::parse_start_args(input);
  (void)erlang::print_octets(input);
  auto term = erlang::parse_term(input);
  if (!term) return;
  const std::string flat = erlang::print_flat(*term);
  (void)erlang::print_pretty(*term);
  if (auto again = erlang::parse_term(flat)) ASSERT(erlang::print_flat(*again) == flat);
}

void fuzz_http(ByteView input) {
  if (input.empty()) return;
  const std::size_t step = input[0] & 1 ? 7 : input.size();
  input.remove_prefix(1);
  const ByteView whole = input;
  base::Time now{};
  const auto answer = [](const management::HttpRequest& request,
                         const std::function<void(management::HttpResponse)>& reply) {
    (void)management::decode_percent(request.path);
    management::HttpResponse response;
    response.body = request.method + request.path;
    reply(response);
  };
  const management::HttpConnection::Options small{.max_header_bytes = 4096,
                                                  .max_body_bytes = 16384,
                                                  .max_pipeline_bytes = 4096};
  management::HttpConnection connection(answer, "127.0.0.1", [] {}, now, small);
  while (!input.empty() && !connection.done()) {
    if (connection.wants_input()) connection.feed(input.substr(0, step), now);
    // Each request has at least sixteen octets and is answered with its own path.
    ASSERT(connection.take_output().size() <= 64 * whole.size() + 4096);
    input.remove_prefix(std::min(step, input.size()));
  }
  for (int i = 0; i < 4 && !connection.done() && connection.deadline() != base::never; ++i) {
    now = std::max(now, connection.deadline());
    connection.tick(now);
    (void)connection.take_output();
  }
  if (auto json = management::parse_json(whole)) {
    const std::string once = management::print_json(*json);
    auto again = management::parse_json(once);
    ASSERT(again && management::print_json(*again) == once);
    if (const auto* object = json->if_object())
      (void)management::table_json(management::json_table(*object));
  }
}

void fuzz_conf(ByteView input) {
  server::Configuration configuration;
  (void)server::read_conf(input, "rabbitmq.conf", configuration);
  (void)server::read_classic_config(input, "rabbitmq.config", configuration);
  (void)server::parse_env_file(input, {{"HOME", "/home"}});
  (void)server::parse_size(input);
  (void)catalog::check_policy_pattern(input);
  (void)catalog::parse_policy_definition(input);
}

}  // namespace warren::fuzz
