// Still broken, in exactly this way: each test fails when the failure goes away. What is documented
// stands beside each experiment, and the program itself compares it.
#include "scenario/tests/run_experiment.hpp"

namespace {

using scenario::DocumentedExperiment;
using scenario::expect_as_documented;
using scenario::experiments_of;
using scenario::fact;
using scenario::run_experiment;

TEST_P(DocumentedExperiment, IsObservedInExactlyThisWay) {
  expect_as_documented(run_experiment("arc_problem", GetParam()));
}

INSTANTIATE_TEST_SUITE_P(ArcProblem, DocumentedExperiment,
                         testing::ValuesIn(experiments_of("arc_problem")), scenario::test_name);

TEST(ArcProblem, LeavesAsManyThreadsBehindAsItHad) {
  const auto report = run_experiment("arc_problem", "leak", {"--workers", "3"});

  expect_as_documented(report);
  EXPECT_EQ(fact(report, "runtime_threads_left"), 3);
}

}  // namespace
