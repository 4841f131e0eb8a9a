#include "scenario/experiment.hpp"

#include <boost/describe/enum_to_string.hpp>
#include <boost/json/serialize.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace scenario {
namespace {

namespace json = boost::json;

std::string word_of(Documented::Kind kind) {
  return boost::describe::enum_to_string(kind, "");
}

std::string in_words(const json::value& value) {
  return value.is_double() ? fmt::format("{}", value.get_double()) : json::serialize(value);
}

}  // namespace

std::string_view to_string(Outcome outcome) noexcept {
  return boost::describe::enum_to_string(outcome, "");
}

bool Documented::allows(const json::value& observed) const {
  if (kind == Kind::varies) return true;
  if (!observed.is_number() || !value.is_number()) return kind == Kind::is && observed == value;
  const auto number = observed.to_number<double>();
  const auto limit = value.to_number<double>();
  if (kind == Kind::is) return number == limit;
  return kind == Kind::at_least ? number >= limit : number <= limit;
}

std::vector<std::string> differences(const Experiment& experiment, const json::object& facts,
                                     bool cut_short) {
  std::vector<std::string> lines;
  for (const auto& documented : experiment.facts) {
    const auto* observed = facts.if_contains(documented.fact);
    const bool missing = observed == nullptr;
    if (missing ? cut_short : documented.allows(*observed)) continue;
    auto kind = word_of(documented.kind);
    std::ranges::replace(kind, '_', ' ');
    lines.push_back(fmt::format("{}: documented {} {}, observed {}", documented.fact, kind,
                                in_words(documented.value),
                                missing ? "nothing" : in_words(*observed)));
  }
  for (const auto& fact : facts)
    if (std::ranges::find(experiment.facts, fact.key(), &Documented::fact) ==
        experiment.facts.end())
      lines.push_back(std::string(fact.key()) + ": not documented, observed " +
                      in_words(fact.value()));
  return lines;
}

json::object to_json(const std::vector<Documented>& facts) {
  json::object object;
  for (const auto& documented : facts)
    object[documented.fact] = json::object{{word_of(documented.kind), documented.value}};
  return object;
}

std::vector<Documented> operator+(std::vector<Documented> facts, std::vector<Documented> more) {
  std::ranges::move(more, std::back_inserter(facts));
  return facts;
}

}  // namespace scenario
