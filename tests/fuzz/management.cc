// What operators ask of a node: the HTTP API, the commands of the command line, and the regular
// expressions in both.
#include <algorithm>
#include <memory>

#include "base/assert.h"
#include "broker/pattern_cache.h"
#include "catalog/pattern.h"
#include "fuzz/targets.h"
#include "management/command_handler.h"
#include "management/fake_operations.h"
#include "management/http_api.h"
#include "management/json.h"

namespace warren::fuzz {
namespace {

using base::ByteView;
using namespace management;

constexpr std::size_t most_requests = 16;
constexpr std::size_t longest_input = 16 * 1024;

struct Stage {
  FakeOperations operations;
  HttpApi api{operations};
  CommandHandler commands{operations};

  /// METHOD TARGET BODY
  void ask(ByteView line) {
    HttpRequest request;
    const std::size_t space = std::min(line.find(' '), line.size());
    request.method = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
    const ByteView target = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(target.size() + 1, line.size()));
    const std::size_t question = std::min(target.find('?'), target.size());
    request.path = target.substr(0, question);
    request.query = target.substr(std::min(question + 1, target.size()));
    request.body = line;
    request.authorization = "Basic Z3Vlc3Q6Z3Vlc3Q=";
    request.peer_host = "127.0.0.1";
    auto answers = std::make_shared<int>(0);
    api.handle(request, [answers](const HttpResponse& response) {
      ++*answers;
      ASSERT(*answers == 1);
      ASSERT(response.status >= 200 && response.status < 600);
    });
    operations.run();
    ASSERT(*answers == 1);
  }

  void command(ByteView request) {
    auto answers = std::make_shared<int>(0);
    commands.execute(request, [answers](const std::string& reply) {
      ++*answers;
      ASSERT(*answers == 1);
      ASSERT(parse_json(reply));
    });
    operations.run();
    ASSERT(*answers == 1);
  }
};

}  // namespace

void fuzz_api(ByteView input) {
  if (input.size() > longest_input) return;
  auto stage = std::make_unique<Stage>();
  for (std::size_t i = 0; i < most_requests && !input.empty(); ++i) {
    const ByteView line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    if (line.starts_with('{'))
      stage->command(line);
    else
      stage->ask(line);
  }
}

void fuzz_pattern(ByteView input) {
  const ByteView text = input.substr(0, input.find('\n'));
  const ByteView name = input.substr(std::min(text.size() + 1, input.size()));
  auto pattern = catalog::Pattern::compile(text);
  if (!pattern) {
    ASSERT(pattern.error().offset <= text.size());
    return;
  }
  const bool matches = pattern->matches(name);
  ASSERT(pattern->matches(name) == matches);
  broker::PatternCache cache;
  // The empty pattern has a meaning of its own.
  const bool expected = text.empty() ? name.empty() : matches;
  for (int i = 0; i < 2; ++i) ASSERT(cache.matches(text, name) == expected);
}

}  // namespace warren::fuzz
