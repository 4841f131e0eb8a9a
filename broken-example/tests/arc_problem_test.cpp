// Still broken, in exactly this way: each test fails when the failure goes away.
#include "scenario/tests/run_experiment.hpp"

#include <gmock/gmock.h>

namespace {

using scenario::fact;
using scenario::number;
using scenario::outcome;
using scenario::run_experiment;
using testing::HasSubstr;

TEST(ArcProblem, ALogoutThatLetsGoLeavesEverythingRunning) {
  const auto report = run_experiment("arc_problem", "leak", {"--workers", "3"});

  EXPECT_EQ(outcome(report), "leaked");
  EXPECT_GE(number(report, "owners_left"), 1);
  EXPECT_EQ(number(report, "runtime_threads_left"), 3);
  EXPECT_GT(number(report, "rows_after_logout"), 0);
}

TEST(ArcProblem, TheNextLoginStartsASecondRuntimeBesideTheFirst) {
  const auto report = run_experiment("arc_problem", "two-worlds");

  EXPECT_EQ(outcome(report), "leaked");
  EXPECT_EQ(number(report, "runtimes_at_once"), 2);
  EXPECT_EQ(fact(report, "relogin"), "the first user's tasks still write");
  EXPECT_GT(number(report, "rows_after_logout"), 0);
}

TEST(ArcProblem, AForcedStopLosesTheBatchTheConnectionAndWhatIsPostedAfterwards) {
  const auto report = run_experiment("arc_problem", "forced-stop");

  EXPECT_EQ(outcome(report), "lost");
  EXPECT_EQ(number(report, "samples_lost"), 4);
  EXPECT_EQ(number(report, "connections_open"), 1);
  EXPECT_EQ(number(report, "runtime_threads_left"), 0);
  EXPECT_EQ(fact(report, "posted_after_stop_ran"), false);
}

TEST(ArcProblem, ALastOwnerOnAWorkerDestroysTheRuntimeUnderItsThread) {
  const auto report = run_experiment("arc_problem", "last-owner-on-worker");

  EXPECT_EQ(outcome(report), "undefined");
  if (built_with_address_sanitizer) {
    EXPECT_EQ(fact(report, "sanitizer"), "AddressSanitizer: heap-use-after-free");
  } else {
    EXPECT_EQ(fact(report, "destroyed_on_its_own_thread"), true);
    EXPECT_THAT(boost::json::serialize(fact(report, "self_join")), HasSubstr("joining itself"));
  }
}

TEST(ArcProblem, DetachedThreadsRunOn) {
  const auto report = run_experiment("arc_problem", "fix-detach");

  EXPECT_EQ(outcome(report), "leaked");
  EXPECT_EQ(number(report, "runtime_threads_left"), 2);
  EXPECT_GT(number(report, "rows_after_logout"), 0);
}

TEST(ArcProblem, AWeakPtrInUseIsTheLastOwnerOnAWorker) {
  const auto report = run_experiment("arc_problem", "fix-weak-ptr");

  EXPECT_EQ(outcome(report), "undefined");
  if (built_with_address_sanitizer) {
    EXPECT_EQ(fact(report, "sanitizer"), "AddressSanitizer: heap-use-after-free");
  } else {
    EXPECT_EQ(fact(report, "alive_after_logout"), true);
    EXPECT_EQ(fact(report, "destroyed_on_its_own_thread"), true);
    EXPECT_EQ(fact(report, "next_use_found_it_gone"), true);
  }
}

TEST(ArcProblem, ARestartedContextGoesOnWithTheFirstUsersTasks) {
  const auto report = run_experiment("arc_problem", "fix-stop");

  EXPECT_EQ(outcome(report), "leaked");
  EXPECT_EQ(fact(report, "relogin"), "the first user's tasks woke up in it");
  EXPECT_GT(number(report, "rows_after_logout"), 0);
}

}  // namespace
