#pragma once

#include "scenario/child_process.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace scenario {

/// What a built program prints with --json. One that prints none ends the test.
inline boost::json::value run_json(const std::string& program, std::vector<std::string> arguments) {
  arguments.emplace_back("--json");
  const auto child = run_child(TEST_BINARY_DIR "/" + program, arguments);
  boost::system::error_code error;
  auto printed = boost::json::parse(child.out, error);
  if (error) throw std::runtime_error(program + " printed no JSON: " + child.out + child.err);
  return printed;
}

/// Runs one experiment of a program as a reader would. Its report is the object in "experiments".
inline boost::json::object run_experiment(const std::string& program, const std::string& experiment,
                                          std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.end(), {"--experiment", experiment});
  return run_json(program, arguments).at("experiments").at(0).as_object();
}

/// The names of a program's experiments, for INSTANTIATE_TEST_SUITE_P.
inline std::vector<std::string> experiments_of(const std::string& program) {
  std::vector<std::string> names;
  const auto listed = run_json(program, {"--list"});  // outlives the loop over a part of it
  for (const auto& experiment : listed.at("experiments").as_array())
    names.emplace_back(experiment.at("name").as_string());
  return names;
}

/// One of them; GetParam() is its name.
class DocumentedExperiment : public testing::TestWithParam<std::string> {};

/// "forced-stop" as a part of a test's name: "forced_stop".
inline std::string test_name(const testing::TestParamInfo<std::string>& info) {
  auto name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
}

inline void expect_as_documented(const boost::json::object& report) {
  EXPECT_TRUE(report.at("as_documented").as_bool())
      << boost::json::serialize(report.at("differences"));
  EXPECT_TRUE(report.at("differences").as_array().empty());
}

/// A measured fact; a missing one ends the test.
inline boost::json::value fact(const boost::json::object& report, const std::string& name) {
  return report.at("facts").at(name);
}

}  // namespace scenario
