#include "catalog/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace warren::catalog {
namespace {

constexpr std::size_t max_pattern_bytes = 64 * 1024;
constexpr std::uint32_t match_limit = 10'000;
constexpr std::uint32_t heap_limit_kib = 4 * 1024;

struct Release {
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
template <typename T>
using Owned = std::unique_ptr<T, Release>;

const unsigned char* units(std::string_view text) {
  static constexpr unsigned char empty[1] = {0};
  return text.empty() ? empty : reinterpret_cast<const unsigned char*>(text.data());
}

// RabbitMQ's users know the words of PCRE's first version, which differ here and there.
std::string error_text(int code) {
  if (code == PCRE2_ERROR_QUANTIFIER_INVALID) return "nothing to repeat";
  if (code == PCRE2_ERROR_MISSING_CLOSING_PARENTHESIS) return "missing )";
  if (code == PCRE2_ERROR_UNMATCHED_CLOSING_PARENTHESIS) return "unmatched parentheses";
  unsigned char text[256];
  int size = pcre2_get_error_message(code, text, sizeof text);
  return size < 0 ? "invalid" : std::string(reinterpret_cast<const char*>(text));
}

}  // namespace

std::expected<Pattern, PatternError> Pattern::compile(std::string_view text) {
  Owned<pcre2_compile_context> context(pcre2_compile_context_create(nullptr));
  pcre2_set_max_pattern_length(context.get(), max_pattern_bytes);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code =
      pcre2_compile(units(text), text.size(), 0, &error, &offset, context.get());
  if (code == nullptr) {
    // The offset has no meaning for a pattern that was not even read.
    if (offset > text.size()) offset = 0;
    return std::unexpected(PatternError{error_text(error), offset});
  }
  return Pattern(std::shared_ptr<const void>(code, [](const void* released) {
    pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(released)));
  }));
}

bool Pattern::matches(std::string_view name) const {
  Owned<pcre2_match_context> context(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(context.get(), match_limit);
  pcre2_set_heap_limit(context.get(), heap_limit_kib);
  Owned<pcre2_match_data> data(pcre2_match_data_create(1, nullptr));
  return pcre2_match(static_cast<const pcre2_code*>(code_.get()), units(name), name.size(), 0, 0,
                     data.get(), context.get()) >= 0;
}

}  // namespace warren::catalog
