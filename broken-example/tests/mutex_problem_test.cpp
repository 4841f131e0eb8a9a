// Still broken, in exactly this way: each test fails when the failure goes away.
#include "scenario/tests/run_experiment.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <string>

namespace {

using scenario::fact;
using scenario::number;
using scenario::outcome;
using scenario::run_experiment;
using testing::HasSubstr;

/// Counted from 1; 0 if the guard is not there.
int line_of_the_checked_guard() {
  std::ifstream source(TEST_SOURCE_DIR "/broken-example/mutex_problem/checker.cpp");
  int number = 1;
  for (std::string line; std::getline(source, line); ++number) {
    if (line.find("checked::Lock guard(mutex)") != std::string::npos) return number;
  }
  return 0;
}

TEST(MutexProblem, AGuardTakenBeforeASuspensionIsReleasedByAnotherThread) {
  const auto report = run_experiment("mutex_problem", "wrong-thread");

  EXPECT_EQ(outcome(report), "undefined");
  EXPECT_EQ(number(report, "unlocks_on_another_thread"), number(report, "rounds"));
  EXPECT_EQ(fact(report, "error_checking_mutex_unlock"), "EPERM");
  if (built_with_thread_sanitizer) {
    EXPECT_THAT(boost::json::serialize(fact(report, "sanitizer")),
                HasSubstr("ThreadSanitizer: unlock of an unlocked mutex"));
  }
}

TEST(MutexProblem, OneThreadDeadlocksWithASuspendedHolderAndTheWindowBlocksToo) {
  const bool has_gdb = scenario::run_child("/usr/bin/env", {"gdb", "--version"}).exit_code == 0;

  const auto report = run_experiment("mutex_problem", "deadlock", {"--deadline", "1500"});

  EXPECT_EQ(outcome(report), "stuck");
  EXPECT_EQ(fact(report, "resumed_after_the_server_spoke"), false);
  EXPECT_EQ(fact(report, "logout_returned"), false);
  EXPECT_EQ(number(report, "threads_blocked_in_lock"), 2);
  if (has_gdb) {
    const std::string stacks = boost::json::serialize(fact(report, "stacks"));
    EXPECT_THAT(stacks, HasSubstr("mutex_lock"));
    EXPECT_THAT(stacks, HasSubstr("Client::flush"));
    EXPECT_THAT(stacks, HasSubstr("Client::logout"));
  }
}

TEST(MutexProblem, LogoutWaitsForTheIoOfASuspendedTaskAndTheWindowFreezes) {
  const auto report = run_experiment("mutex_problem", "logout-blocked", {"--deadline", "300"});

  EXPECT_EQ(outcome(report), "stuck");
  EXPECT_EQ(fact(report, "logout_returned"), false);
  EXPECT_GE(number(report, "logout_ms"), 300);
  EXPECT_GE(number(report, "longest_ui_freeze_ms"), 250);
  EXPECT_EQ(number(report, "samples_lost"), 4);
  EXPECT_EQ(fact(report, "relogin"), "clean");
}

TEST(MutexProblem, LockingEachTimeFindsTheRuntimeGoneBetweenTwoUses) {
  const auto report = run_experiment("mutex_problem", "lock-each-time");

  EXPECT_EQ(outcome(report), "lost");
  EXPECT_EQ(number(report, "uses_total"), 10);
  EXPECT_EQ(number(report, "uses_found_runtime_gone"), 5);
  EXPECT_EQ(number(report, "samples_lost"), 5);
  for (const char* cost : {"lock_use_unlock_alone_ns", "copy_shared_ptr_alone_ns",
                           "lock_use_unlock_contended_ns", "copy_shared_ptr_contended_ns"}) {
    EXPECT_GT(number(report, cost), 0) << cost;
  }
}

TEST(MutexProblem, ARecursiveMutexLetsTheOtherTaskInOnTheSameThread) {
  const auto report = run_experiment("mutex_problem", "fix-recursive-mutex");

  EXPECT_EQ(outcome(report), "undefined");
  EXPECT_EQ(fact(report, "runtime_gone_under_the_guard"), true);
  EXPECT_EQ(number(report, "tasks_inside_at_once"), 2);
}

TEST(MutexProblem, TheCheckerNamesTheGuardAtTheSuspensionWithoutADeadlock) {
  const auto child = scenario::run_child(TEST_BINARY_DIR "/mutex_problem", {"--checker", "--json"});

  ASSERT_EQ(child.exit_code, 0) << child.err;
  const auto printed = boost::json::parse(child.out);
  ASSERT_EQ(printed.at("experiments").as_array().size(), 1u);
  const auto& report = printed.at("experiments").at(0).as_object();
  EXPECT_EQ(outcome(report), "undefined");
  EXPECT_EQ(fact(report, "lock"), "runtime");
  EXPECT_EQ(fact(report, "task"), "event receiver");
  EXPECT_EQ(fact(report, "still_suspended"), true);
  EXPECT_EQ(boost::json::value_to<std::string>(fact(report, "taken_at")),
            "checker.cpp:" + std::to_string(line_of_the_checked_guard()));
}

}  // namespace
