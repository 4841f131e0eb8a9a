// What lives on is the runtime, and nothing of a session.
#include "scenario/tests/run_experiment.hpp"

namespace {

using scenario::DocumentedExperiment;
using scenario::expect_as_documented;
using scenario::experiments_of;
using scenario::run_experiment;

// Nothing is lost, and nothing is logged at `warn` or above.
TEST_P(DocumentedExperiment, IsObservedInExactlyThisWay) {
  expect_as_documented(run_experiment("scope_example", GetParam()));
}

INSTANTIATE_TEST_SUITE_P(ScopeExample, DocumentedExperiment,
                         testing::ValuesIn(experiments_of("scope_example")), scenario::test_name);

// The fact that differs from the other client's is the one that the settings decide.
TEST(ScopeExample, LeavesTheThreadsOfOneRuntimeHoweverManyTheyAre) {
  const auto report = run_experiment("scope_example", "relogin", {"--workers=3"});

  expect_as_documented(report);
  EXPECT_EQ(scenario::fact(report, "runtime_threads_left"), 3);
  EXPECT_EQ(scenario::fact(report, "threads_started"), 3);
}

}  // namespace
