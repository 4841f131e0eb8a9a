// What a program prints: for people in 80 columns, for programs as one JSON object.
#pragma once

#include "scenario/experiment.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace scenario {

/// What became of one experiment.
struct Report {
  Experiment experiment;
  std::optional<Outcome> observed;  ///< empty: it threw instead of showing one
  boost::json::object facts;
  std::vector<std::string> stacks;  ///< of its threads, if the watchdog ended it
  double duration_ms = 0;
  bool as_documented = false;
};

/// "finished", or "none" for an experiment that threw.
std::string outcome_word(const std::optional<Outcome>& outcome);

/// A fact's value for people, in lines of at most `width` columns.
std::vector<std::string> fact_lines(const boost::json::value& value, std::size_t width);

void print_list(std::ostream& out, const Program& program);
void print_head(std::ostream& out, const Program& program);
void print_report(std::ostream& out, const Report& report);
void print_verdict(std::ostream& out, const std::vector<Report>& reports);

/// One line; numbers as people write them (0.73), where Boost.JSON's own are scientific (7.3E-1).
void print_json(std::ostream& out, const boost::json::value& value);

boost::json::object list_as_json(const Program& program);
boost::json::object to_json(const Program& program, const std::vector<Report>& reports);

bool all_as_documented(const std::vector<Report>& reports);

}  // namespace scenario
