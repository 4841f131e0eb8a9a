#include "scenario/session_facts.hpp"

#include <boost/json/value.hpp>
#include <boost/json/value_from.hpp>

#include <algorithm>
#include <array>

namespace scenario {
namespace {

constexpr std::array<FactDescription, 11> descriptions{{
    {"logout_ms", "logout took (ms)"},
    {"logout_returned", "logout returned"},
    {"owners_left", "runtime owners left"},
    {"runtime_threads_left", "runtime threads left"},
    {"rows_after_logout", "rows after logout"},
    {"samples_lost", "samples lost"},
    {"connections_open", "connections open"},
    {"longest_ui_freeze_ms", "longest UI freeze (ms)"},
    {"relogin", "next login"},
    {"runtimes_at_once", "runtimes at once"},
    {"stragglers", "stragglers"},
}};

/// A number above `limit` is a bad one.
struct Limit {
  std::string_view key;
  double limit;
};

constexpr std::array<Limit, 7> limits{{
    {"owners_left", 0},
    {"runtime_threads_left", 0},
    {"rows_after_logout", 0},
    {"samples_lost", 0},
    {"connections_open", 0},
    {"longest_ui_freeze_ms", noticeable_freeze_ms},
    {"runtimes_at_once", 1},
}};

template <class Value>
void add(boost::json::object& object, std::string_view key, const std::optional<Value>& value) {
  if (value) object.emplace(key, boost::json::value_from(*value));
}

bool exceeds_limit(std::string_view key, const boost::json::value& value) {
  const auto found = std::ranges::find(limits, key, &Limit::key);
  return found != limits.end() && value.is_number() && value.to_number<double>() > found->limit;
}

}  // namespace

boost::json::object to_json(const SessionFacts& facts) {
  boost::json::object object;
  add(object, "logout_ms", facts.logout_ms);
  add(object, "logout_returned", facts.logout_returned);
  add(object, "owners_left", facts.owners_left);
  add(object, "runtime_threads_left", facts.runtime_threads_left);
  add(object, "rows_after_logout", facts.rows_after_logout);
  add(object, "samples_lost", facts.samples_lost);
  add(object, "connections_open", facts.connections_open);
  add(object, "longest_ui_freeze_ms", facts.longest_ui_freeze_ms);
  add(object, "relogin", facts.relogin);
  add(object, "runtimes_at_once", facts.runtimes_at_once);
  add(object, "stragglers", facts.stragglers);
  return object;
}

std::span<const FactDescription> fact_descriptions() noexcept {
  return descriptions;
}

bool is_bad(std::string_view key, const boost::json::value& value) {
  if (key == "logout_returned") return value.is_bool() && !value.get_bool();
  if (key == "relogin") return value.is_string() && value.get_string() != "clean";
  if (key == "stragglers") return value.is_array() && !value.get_array().empty();
  return exceeds_limit(key, value);
}

}  // namespace scenario
