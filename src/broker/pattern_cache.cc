#include "broker/pattern_cache.h"

#include "base/log.h"

namespace warren::broker {

bool PatternCache::matches(std::string_view pattern, std::string_view subject) {
  if (pattern.empty()) return subject.empty();
  if (pattern == ".*") return true;
  auto found = patterns_.find(pattern);
  Compiled& compiled = found != patterns_.end() ? found->second : compile(pattern);
  if (!compiled.pattern) return false;
  auto& answers = compiled.answers;
  if (auto answer = answers.find(subject); answer != answers.end()) return answer->second;
  if (answers.size() >= max_answers) answers.clear();
  bool does_match = compiled.pattern->matches(subject);
  answers.emplace(subject, does_match);
  return does_match;
}

PatternCache::Compiled& PatternCache::compile(std::string_view pattern) {
  if (patterns_.size() >= max_patterns) patterns_.clear();
  Compiled& compiled = patterns_[std::string(pattern)];
  if (auto result = catalog::Pattern::compile(pattern))
    compiled.pattern = std::move(*result);
  else
    base::log_warning("permission pattern '{}' refuses everything: {} at byte {}", pattern,
                      result.error().text, result.error().offset);
  return compiled;
}

}  // namespace warren::broker
