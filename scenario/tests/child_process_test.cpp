#include "scenario/child_process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace scenario {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;

ChildResult run_shell(const std::string& script, const ChildOptions& options = {}) {
  return run_child("/bin/sh", {"-c", script}, options);
}

bool is_running(::pid_t pid) {
  return ::kill(pid, 0) == 0;
}

/// Of a process that is not this one's child: whoever inherits it may not have reaped it yet.
bool has_ended(::pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  file >> number >> name >> state;
  return state.empty() || state == "Z";
}

TEST(RunChild, CollectsBothOutputsAndTheExitCode) {
  const auto result = run_shell("echo to-out; echo to-err >&2; exit 7");

  EXPECT_EQ(result.out, "to-out\n");
  EXPECT_EQ(result.err, "to-err\n");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.signal, 0);
  EXPECT_FALSE(result.timed_out);
  EXPECT_GT(result.duration.count(), 0);
}

TEST(RunChild, HandsArgumentsOnUnchanged) {
  const auto result = run_child("/bin/sh", {"-c", "printf '%s|' \"$@\"", "sh", "a b", "", "$x\n"});

  EXPECT_EQ(result.out, "a b||$x\n|");
}

TEST(RunChild, DoesNotDeadlockOnMoreOutputThanTwoPipesHold) {
  const auto result = run_shell(
      "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero");

  EXPECT_EQ(result.out.size(), 2'000'000U);
  EXPECT_EQ(result.err.size(), 1'000'000U);
}

TEST(RunChild, FeedsMoreInputThanAPipeHoldsAndThenClosesIt) {
  ChildOptions options;
  options.input = std::string(1'000'000, 'x');

  const auto result = run_child("/bin/cat", {}, options);

  EXPECT_EQ(result.out, options.input);
  EXPECT_EQ(result.exit_code, 0);
}

TEST(RunChild, SurvivesAChildThatDoesNotReadItsInput) {
  ChildOptions options;
  options.input = std::string(1'000'000, 'x');

  const auto result = run_shell("exec <&-; echo done", options);

  EXPECT_EQ(result.out, "done\n");
}

TEST(RunChild, ReportsTheSignalThatEndedTheChild) {
  const auto result = run_shell("kill -TERM $$");

  EXPECT_EQ(result.exit_code, std::nullopt);
  EXPECT_EQ(result.signal, SIGTERM);
  EXPECT_FALSE(result.timed_out);
}

TEST(RunChild, KillsAChildThatIsStillThereAtTheTimeLimitAndKeepsWhatItPrinted) {
  ChildOptions options;
  options.time_limit = 1s;

  const auto result = run_shell("echo before; exec sleep 600", options);

  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_EQ(result.out, "before\n");
  EXPECT_GE(result.duration, 1s);
}

TEST(RunChild, KillsTheChildrenOfAChildAtTheTimeLimit) {
  ChildOptions options;
  options.time_limit = 1s;

  const auto result = run_shell("cat /dev/zero | sleep 600 & echo $!; wait", options);

  const auto grandchild = static_cast<::pid_t>(std::stoi(result.out));
  ASSERT_GT(grandchild, 1);
  while (!has_ended(grandchild)) std::this_thread::yield();  // the hang guard is the assertion
}

TEST(RunChild, DoesNotWaitForAGrandchildThatKeepsTheOutputOpen) {
  const auto result = run_shell("sleep 600 & echo done");

  EXPECT_EQ(result.out, "done\n");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_LT(result.duration, 30s);
}

TEST(RunChild, LeavesNoProcessBehindWhenTheCallbackThrows) {
  ::pid_t child = 0;
  const auto throw_on_output = [&](std::string_view out, RunningChild&) {
    child = static_cast<::pid_t>(std::stoi(std::string(out)));
    throw std::runtime_error("enough");
  };

  EXPECT_THROW(run_child("/bin/sh", {"-c", "echo $$; exec sleep 600"}, {}, throw_on_output),
               std::runtime_error);

  ASSERT_GT(child, 1);
  EXPECT_FALSE(is_running(child));
}

TEST(RunChild, NamesTheProgramThatCannotBeStarted) {
  try {
    run_child("/no/such/program", {});
    FAIL() << "it was started";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_THAT(error.what(), HasSubstr("/no/such/program"));
  }
}

TEST(RunChild, ShowsOutputToTheCallbackWhichMayAnswer) {
  ChildOptions options;
  options.keep_input_open = true;
  const auto answer = [asked = false](std::string_view out, RunningChild& child) mutable {
    if (!asked && out.ends_with("name? ")) child.send("Ada\n"), asked = true;
  };

  const auto result =
      run_child("/bin/sh", {"-c", "printf 'name? '; read name; echo hello $name"}, options, answer);

  EXPECT_EQ(result.out, "name? hello Ada\n");
  EXPECT_EQ(result.exit_code, 0);
}

TEST(RunChild, ShowsTheLastOutputToTheCallbackToo) {
  std::string seen;
  const auto look = [&](std::string_view out, RunningChild&) { seen = out; };

  const auto result = run_child("/bin/sh", {"-c", "echo first; echo last"}, {}, look);

  EXPECT_EQ(seen, result.out);
  EXPECT_THAT(seen, EndsWith("last\n"));
}

TEST(RunChild, LetsTheCallbackSendASignal) {
  const auto interrupt = [](std::string_view out, RunningChild& child) {
    if (out == "ready\n") child.signal(SIGINT);
  };

  const auto result = run_child(
      "/bin/sh", {"-c", "trap 'echo interrupted; exit 5' INT; echo ready; while :; do :; done"}, {},
      interrupt);

  EXPECT_EQ(result.out, "ready\ninterrupted\n");
  EXPECT_EQ(result.exit_code, 5);
}

TEST(RunChild, AddsToTheEnvironmentAndReplacesWhatIsThere) {
  ::setenv("SCENARIO_KEPT", "kept", 1);
  ::setenv("SCENARIO_REPLACED", "old", 1);
  ChildOptions options;
  options.environment = {"SCENARIO_REPLACED=new", "SCENARIO_ADDED=a=b"};

  const auto result =
      run_shell("echo $SCENARIO_KEPT $SCENARIO_REPLACED $SCENARIO_ADDED; env", options);

  EXPECT_THAT(result.out, testing::StartsWith("kept new a=b\n"));
  EXPECT_THAT(result.out, testing::Not(HasSubstr("SCENARIO_REPLACED=old")));
}

TEST(RunChild, GivesTheChildASessionWithoutATerminal) {
  const auto result = run_shell("(: < /dev/tty) 2>/dev/null && echo terminal || echo none");

  EXPECT_EQ(result.out, "none\n");
}

TEST(RunChild, LetsAChildBeEndedByAPipeThatNobodyReads) {
  const auto result = run_shell("yes | head -n 1");

  EXPECT_EQ(result.out, "y\n");
}

TEST(ThisProgram, IsTheBinaryOfThisTest) {
  const auto binary = this_program();

  EXPECT_TRUE(binary.is_absolute());
  EXPECT_EQ(binary.filename(), "scenario_tests");
}

}  // namespace
}  // namespace scenario
