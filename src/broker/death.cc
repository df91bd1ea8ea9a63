#include "broker/death.h"

#include <algorithm>
#include <map>
#include <utility>

namespace warren::broker {
namespace {

constexpr std::string_view deaths_header = "x-death";

std::string_view text_of(const base::FieldTable& table, std::string_view name) {
  const base::FieldValue* value = table.find(name);
  const auto* text = value ? value->as<std::string>() : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}

std::optional<std::int64_t> count_of(const base::FieldTable& entry) {
  const base::FieldValue* count = entry.find("count");
  if (!count || !count->is_integer()) return std::nullopt;
  return count->to_integer();
}

bool is_about(const base::FieldTable& entry, std::string_view queue, std::string_view reason) {
  return text_of(entry, "queue") == queue && text_of(entry, "reason") == reason;
}

base::FieldTable with_count(const base::FieldTable& entry, std::int64_t count) {
  base::FieldTable counted{{"count", count}};
  for (const auto& [name, value] : entry)
    if (name != "count") counted.add(name, value);
  return counted;
}

base::FieldTable in_order(const base::FieldTable& table) {
  std::vector<base::FieldTable::Entry> entries(table.begin(), table.end());
  std::ranges::stable_sort(entries, {}, &base::FieldTable::Entry::first);
  base::FieldTable sorted;
  for (auto& [name, value] : entries) sorted.add(std::move(name), std::move(value));
  return sorted;
}

/// The tables of a list, one for each queue and reason.
std::vector<base::FieldTable> deaths_in(const base::FieldArray& list) {
  struct Group {
    base::FieldTable entry;
    std::int64_t times = 1;
  };
  std::vector<Group> groups;
  // A publisher may write thousands of them.
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> known;
  for (const base::FieldValue& item : list) {
    const auto* entry = item.as<base::FieldTable>();
    if (!entry) continue;
    auto about = std::pair(text_of(*entry, "queue"), text_of(*entry, "reason"));
    auto [group, is_new] = known.try_emplace(about, groups.size());
    if (is_new)
      groups.push_back({*entry});
    else
      ++groups[group->second].times;
  }
  std::vector<base::FieldTable> deaths;
  for (Group& group : groups) {
    bool lacks_count = list.size() > 1 && !count_of(group.entry);
    deaths.push_back(lacks_count ? with_count(group.entry, group.times) : std::move(group.entry));
  }
  return deaths;
}

const base::FieldArray* find_deaths(const base::FieldTable& headers) {
  const base::FieldValue* value = headers.find(deaths_header);
  return value ? value->as<base::FieldArray>() : nullptr;
}

base::FieldTable make_entry(const Death& death) {
  base::FieldArray keys(death.routing_keys.begin(), death.routing_keys.end());
  base::FieldTable entry{{"count", std::int64_t{1}},
                         {"reason", std::string(death_reason_name(death.reason))},
                         {"queue", death.queue},
                         {"time", base::FieldTimestamp{death.time_s}},
                         {"exchange", death.exchange},
                         {"routing-keys", std::move(keys)}};
  if (death.original_expiration) entry.add("original-expiration", *death.original_expiration);
  return entry;
}

}  // namespace

std::string_view death_reason_name(DeathReason reason) {
  switch (reason) {
    case DeathReason::rejected: return "rejected";
    case DeathReason::expired: return "expired";
    case DeathReason::maxlen: return "maxlen";
    case DeathReason::delivery_limit: return "delivery_limit";
  }
  return {};
}

void note_death(base::FieldTable& headers, const Death& death) {
  std::string reason(death_reason_name(death.reason));
  if (!headers.find(deaths_header)) {
    headers.set("x-first-death-exchange", death.exchange);
    headers.set("x-first-death-queue", death.queue);
    headers.set("x-first-death-reason", reason);
  }
  base::FieldArray list;
  if (const base::FieldArray* before = find_deaths(headers)) {
    std::vector<base::FieldTable> deaths = deaths_in(*before);
    auto known = std::ranges::find_if(deaths, [&](const base::FieldTable& entry) {
      return is_about(entry, death.queue, reason);
    });
    if (known == deaths.end()) {
      list.emplace_back(in_order(make_entry(death)));
    } else {
      list.emplace_back(in_order(with_count(*known, count_of(*known).value_or(0) + 1)));
      deaths.erase(known);
    }
    list.insert(list.end(), deaths.rbegin(), deaths.rend());
  } else {
    list.emplace_back(make_entry(death));
  }
  headers.set(deaths_header, std::move(list));
  headers = in_order(headers);
}

bool is_dead_letter_cycle(const base::FieldTable& headers, std::string_view queue) {
  const base::FieldArray* deaths = find_deaths(headers);
  if (!deaths) return false;
  for (const base::FieldValue& item : *deaths) {
    const auto* death = item.as<base::FieldTable>();
    if (!death) continue;
    if (text_of(*death, "reason") == death_reason_name(DeathReason::rejected)) return false;
    if (text_of(*death, "queue") == queue) return true;
  }
  return false;
}

}  // namespace warren::broker
