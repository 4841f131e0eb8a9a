#pragma once

#include <optional>
#include <string_view>

namespace scenario {

/// What became of an experiment. One vocabulary for the broken side, where an outcome is
/// expected, and for the correct side, where the same outcome is forbidden.
enum class Outcome {
  finished,   ///< all ended, nothing lost
  leaked,     ///< still running, or still held, after logout returned
  stuck,      ///< no progress by the deadline
  lost,       ///< accepted work that never ran, or data never stored
  undefined,  ///< a rule of the language or of a library was broken, as a checker reports it
  starved,    ///< others could not run meanwhile
};

std::string_view to_string(Outcome outcome) noexcept;
std::optional<Outcome> parse_outcome(std::string_view text) noexcept;

}  // namespace scenario
