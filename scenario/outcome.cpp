#include "scenario/outcome.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace scenario {
namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 6> words{{
    {Outcome::finished, "finished"},
    {Outcome::leaked, "leaked"},
    {Outcome::stuck, "stuck"},
    {Outcome::lost, "lost"},
    {Outcome::undefined, "undefined"},
    {Outcome::starved, "starved"},
}};

}  // namespace

std::string_view to_string(Outcome outcome) noexcept {
  const auto found =
      std::ranges::find(words, outcome, &std::pair<Outcome, std::string_view>::first);
  return found == words.end() ? "unknown" : found->second;
}

std::optional<Outcome> parse_outcome(std::string_view text) noexcept {
  const auto found = std::ranges::find(words, text, &std::pair<Outcome, std::string_view>::second);
  if (found == words.end()) return std::nullopt;
  return found->first;
}

}  // namespace scenario
