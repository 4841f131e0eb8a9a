#pragma once

#include "scenario/child_process.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace scenario {

/// Runs one experiment of a built program as a reader would, with --json. Its report is the object
/// in "experiments"; a program that prints none fails the test.
inline boost::json::object run_experiment(const std::string& program, const std::string& experiment,
                                          std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.end(), {"--experiment", experiment, "--json"});
  const auto child = run_child(TEST_BINARY_DIR "/" + program, arguments);
  boost::system::error_code error;
  auto printed = boost::json::parse(child.out, error);
  if (error) {
    ADD_FAILURE() << program << " printed no JSON: " << child.out << child.err;
    return {{"observed", ""}, {"facts", boost::json::object()}};
  }
  auto report = printed.at("experiments").at(0).as_object();
  EXPECT_EQ(child.exit_code, printed.at("as_documented").as_bool() ? 0 : 1) << child.err;
  return report;
}

inline std::string outcome(const boost::json::object& report) {
  const auto& observed = report.at("observed");
  return observed.is_string() ? std::string(observed.as_string()) : "none";
}

/// A measured fact; null if it was not measured.
inline boost::json::value fact(const boost::json::object& report, const std::string& name) {
  const auto& facts = report.at("facts").as_object();
  const auto* value = facts.if_contains(name);
  return value ? *value : boost::json::value();
}

}  // namespace scenario

#if defined(WITH_ADDRESS_SANITIZER)
inline constexpr bool built_with_address_sanitizer = true;
#else
inline constexpr bool built_with_address_sanitizer = false;
#endif
#if defined(WITH_THREAD_SANITIZER)
inline constexpr bool built_with_thread_sanitizer = true;
#else
inline constexpr bool built_with_thread_sanitizer = false;
#endif
