// Still broken, in exactly this way: each test fails when the failure goes away. What is documented
// stands beside each experiment, and the program itself compares it.
#include "scenario/tests/run_experiment.hpp"

#include <gmock/gmock.h>

namespace {

using scenario::DocumentedExperiment;
using scenario::expect_as_documented;
using scenario::experiments_of;
using scenario::run_experiment;
using testing::AllOf;
using testing::HasSubstr;

TEST_P(DocumentedExperiment, IsObservedInExactlyThisWay) {
  expect_as_documented(run_experiment("mutex_problem", GetParam()));
}

INSTANTIATE_TEST_SUITE_P(MutexProblem, DocumentedExperiment,
                         testing::ValuesIn(experiments_of("mutex_problem")), scenario::test_name);

TEST(MutexProblem, ShowsBothBlockedStacksOfTheDeadlockWhereGdbIsPresent) {
  const bool has_gdb = scenario::run_child("/usr/bin/env", {"gdb", "--version"}).exit_code == 0;

  const auto report = run_experiment("mutex_problem", "deadlock", {"--deadline", "100"});

  ASSERT_EQ(report.contains("stacks"), has_gdb);
  if (has_gdb) {
    EXPECT_THAT(boost::json::serialize(report.at("stacks")),
                AllOf(HasSubstr("pthread_mutex_lock"), HasSubstr("Client::flush"),
                      HasSubstr("Client::logout")));
  }
}

TEST(MutexProblem, HasAFlagForTheChecker) {
  const auto child = scenario::run_child(TEST_BINARY_DIR "/mutex_problem", {"--checker"});

  EXPECT_EQ(child.exit_code, 0) << child.err;
  EXPECT_THAT(child.out, HasSubstr("1 of 1 experiment as documented."));
}

}  // namespace
