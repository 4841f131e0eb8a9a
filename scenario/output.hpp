// What a program prints: for people, in 80 columns or as many as COLUMNS says, and for programs as
// one JSON object.
#pragma once

#include "scenario/experiment.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace scenario {

/// What became of one experiment.
struct Report {
  Experiment experiment;
  std::optional<Outcome> observed = {};  ///< empty: it did not run to an outcome
  boost::json::object facts = {};
  std::string sanitizer = {};                 ///< the first finding of a sanitizer
  std::vector<std::string> differences = {};  ///< from what is documented, each in a line
  std::vector<std::string> stacks = {};       ///< of its threads, if the watchdog ended it
  double duration_ms = 0;

  bool as_documented() const { return differences.empty(); }
};

void print_list(std::ostream& out, const Program& program);
void print_head(std::ostream& out, const Program& program);
void print_report(std::ostream& out, const Report& report);
void print_verdict(std::ostream& out, const std::vector<Report>& reports);

/// One line; numbers as people write them (0.73), where Boost.JSON's own are scientific (7.3E-1).
void print_json(std::ostream& out, const boost::json::value& value);

boost::json::object list_as_json(const Program& program, const Settings& settings);
boost::json::object to_json(const Program& program, const std::vector<Report>& reports);

/// A fact's value for people, in lines of at most `width` columns.
std::vector<std::string> fact_lines(const boost::json::value& value, std::size_t width);

/// COLUMNS if it is set to a number from 40 on, else 80.
std::size_t output_width();

/// Breaks text between words into lines of at most `width` columns, a longer word inside it.
/// Control characters become '?'. At least one line, which may be empty.
std::vector<std::string> wrap(std::string_view text, std::size_t width);

/// Text that came from outside, fit to be part of one line: control characters become '?'.
std::string one_line(std::string_view text);

/// How a terminal shows text, by the number that it calls that.
enum class Style { strong = 1, bad = 31, good = 32 };

/// As it is, unless standard output is a terminal that has colours, and NO_COLOR is unset or empty.
std::string styled(Style style, const std::string& text);

}  // namespace scenario
