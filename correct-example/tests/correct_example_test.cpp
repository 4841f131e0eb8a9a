// What is expected on the broken side is forbidden here.
#include "scenario/surroundings.hpp"
#include "scenario/tests/run_experiment.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <fstream>

namespace {

using scenario::ChildResult;
using scenario::DocumentedExperiment;
using scenario::expect_as_documented;
using scenario::experiments_of;
using scenario::run_child;
using scenario::run_experiment;
using testing::HasSubstr;
using testing::Not;

// Nothing is left, nothing is lost, and nothing is logged at `warn` or above.
TEST_P(DocumentedExperiment, IsObservedInExactlyThisWay) {
  expect_as_documented(run_experiment("correct_example", GetParam()));
}

INSTANTIATE_TEST_SUITE_P(CorrectExample, DocumentedExperiment,
                         testing::ValuesIn(experiments_of("correct_example")), scenario::test_name);

ChildResult type(const std::string& input) {
  return run_child(TEST_BINARY_DIR "/correct_example", {"--interactive"}, {.input = input});
}

TEST(CorrectExampleInteractive, LogsInAndOutAndInAgain) {
  const auto child = type("login alice\nstatus\nlogout\nlogin bob\nquit\n");

  EXPECT_EQ(child.exit_code, 0) << child.err;
  EXPECT_THAT(child.out, HasSubstr("alice is signed in, on generation 1"));
  EXPECT_THAT(child.out, HasSubstr("generation 1: reached 'wait'"));
  EXPECT_THAT(child.out, HasSubstr("bob is signed in, on generation 2"));
  EXPECT_THAT(child.out, HasSubstr("generation 2: reached 'wait'"));
}

TEST(CorrectExampleInteractive, LogsOutAtTheEndOfTheInput) {
  const auto child = type("login alice");

  EXPECT_EQ(child.exit_code, 0) << child.err;
  EXPECT_THAT(child.out, HasSubstr("generation 1: reached 'wait'"));
}

TEST(CorrectExampleInteractive, AnswersAWrongCommandAndGoesOn) {
  const auto child = type("fly\nlogin\nlogout\nlogin alice\nlogin bob\n");

  EXPECT_EQ(child.exit_code, 0) << child.err;
  EXPECT_THAT(child.out, HasSubstr("unknown command 'fly'"));
  EXPECT_THAT(child.out, HasSubstr("usage: login NAME"));
  EXPECT_THAT(child.out, HasSubstr("nobody is signed in"));
  EXPECT_THAT(child.out, HasSubstr("alice is signed in; logout first"));
}

TEST(CorrectExampleInteractive, ReadsAScriptFromAFile) {
  const scenario::TemporaryFolder folder;
  const auto script = folder.path() / "script";
  std::ofstream(script) << "login alice\nquit\n";

  const auto child = run_child("/bin/sh", {"-c", "exec \"$0\" --interactive < \"$1\"",
                                           TEST_BINARY_DIR "/correct_example", script.string()});

  EXPECT_EQ(child.exit_code, 0) << child.err;
  EXPECT_THAT(child.out, HasSubstr("generation 1: reached 'wait'"));
}

/// Interrupted by `number` once it has printed `after`.
ChildResult interrupt(const std::string& typed, const std::string& after, int number,
                      bool keep_input_open) {
  return run_child(
      TEST_BINARY_DIR "/correct_example", {"--interactive", "--deadline=1000"},
      {.input = typed, .keep_input_open = keep_input_open},
      [&, sent = false](const std::string& printed, scenario::RunningChild& child) mutable {
        if (sent || printed.find(after) == std::string::npos) return;
        sent = true;
        child.signal(number);
      });
}

TEST(CorrectExampleInteractive, TakesAHangUpAsALogout) {
  const auto child = interrupt("login alice\n", "alice is signed in", SIGHUP, true);

  EXPECT_EQ(child.exit_code, 0) << child.err;
  EXPECT_THAT(child.out, HasSubstr("generation 1: reached 'wait'"));
}

TEST(CorrectExampleInteractive, DoesNotTakeOneInterruptionForTwoAtTheEndOfTheInput) {
  const auto child = interrupt("login alice\ndeaf\n", "waiting for 1 task: deaf", SIGINT, false);

  EXPECT_EQ(child.exit_code, 0) << child.err;
  EXPECT_THAT(child.out, Not(HasSubstr("forced")));
}

}  // namespace
