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
  EXPECT_GE(number(report, "owners_left"), 2);  // the worker and the receiver at least
  EXPECT_EQ(number(report, "runtime_threads_left"), 3);
  EXPECT_GT(number(report, "rows_after_logout"), 0);
}

TEST(ArcProblem, TheNextLoginStartsASecondRuntimeBesideTheFirst) {
  const auto report = run_experiment("arc_problem", "two-worlds");

  EXPECT_EQ(outcome(report), "leaked");
  EXPECT_EQ(number(report, "runtimes_at_once"), 2);
  EXPECT_EQ(fact(report, "relogin"), "the first user's tasks still write");
  EXPECT_GT(number(report, "rows_after_logout"), 0);
  EXPECT_EQ(fact(report, "stragglers"),
            (boost::json::array{"time-series worker", "event receiver"}));
}

TEST(ArcProblem, AForcedStopLosesTheBatchTheConnectionAndWhatIsPostedAfterwards) {
  const auto report = run_experiment("arc_problem", "forced-stop");

  EXPECT_EQ(outcome(report), "lost");
  EXPECT_EQ(number(report, "samples_lost"), 4);
  EXPECT_EQ(number(report, "connections_open"), 1);
  EXPECT_EQ(number(report, "runtime_threads_left"), 0);
  EXPECT_EQ(number(report, "owners_left"), 2);  // suspended frames, which nobody destroys
  EXPECT_EQ(fact(report, "posted_after_stop_ran"), false);
}

TEST(ArcProblem, AForcedStopLosesAsMuchWithoutAnyRecordedEvent) {
  const auto report = run_experiment("arc_problem", "forced-stop", {"--events", "/dev/null"});

  EXPECT_EQ(outcome(report), "lost");
  EXPECT_EQ(number(report, "samples_lost"), 4);
}

/// The runtime was freed by its own thread, while that thread was inside: so say the flags that
/// outlive it, and AddressSanitizer where it looks.
void expect_freed_under_its_own_thread(const boost::json::object& report) {
  EXPECT_EQ(outcome(report), "undefined");
  if (built_with_address_sanitizer) {
    EXPECT_EQ(fact(report, "sanitizer"), "AddressSanitizer: heap-use-after-free");
    return;
  }
  EXPECT_EQ(number(report, "owners_left"), 1);
  EXPECT_EQ(number(report, "runtime_threads_left"), 1);
  EXPECT_EQ(fact(report, "destroyed_on_its_own_thread"), true);
  EXPECT_EQ(fact(report, "thread_was_still_running_it"), true);
  EXPECT_THAT(boost::json::serialize(fact(report, "self_join")), HasSubstr("joining itself"));
}

TEST(ArcProblem, ALastOwnerOnAWorkerDestroysTheRuntimeUnderItsThread) {
  expect_freed_under_its_own_thread(run_experiment("arc_problem", "last-owner-on-worker"));
}

TEST(ArcProblem, DetachedThreadsRunOn) {
  const auto report = run_experiment("arc_problem", "fix-detach");

  EXPECT_EQ(outcome(report), "leaked");
  EXPECT_EQ(number(report, "runtime_threads_left"), 2);
  EXPECT_EQ(number(report, "threads_to_join"), 0);
  EXPECT_GT(number(report, "rows_after_logout"), 0);
}

TEST(ArcProblem, AWeakPtrInUseIsTheLastOwnerOnAWorker) {
  const auto report = run_experiment("arc_problem", "fix-weak-ptr");

  expect_freed_under_its_own_thread(report);
  if (built_with_address_sanitizer) return;  // it ended the program before the next use
  EXPECT_EQ(number(report, "uses_that_found_it_gone"), 3);
  EXPECT_EQ(number(report, "samples_lost"), 24);
}

TEST(ArcProblem, ARestartedContextGoesOnWithTheFirstUsersTasks) {
  const auto report = run_experiment("arc_problem", "fix-stop");

  EXPECT_EQ(outcome(report), "leaked");
  EXPECT_EQ(number(report, "rows_before_next_login"), 0);
  EXPECT_EQ(fact(report, "relogin"), "the first user's tasks woke up in it");
  EXPECT_GT(number(report, "rows_after_logout"), 0);
}

}  // namespace
