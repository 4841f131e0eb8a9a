#include "scenario/child_process.hpp"

#include "scenario/tests/scoped_environment_variable.hpp"

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
using testing::ElementsAre;
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
  const auto throw_on_output = [&](const std::string& out, RunningChild&) {
    child = static_cast<::pid_t>(std::stoi(out));
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

TEST(RunChild, ShowsTheLastOutputToTheCallbackToo) {
  std::string seen;
  const auto look = [&](const std::string& out, RunningChild&) { seen = out; };

  const auto result = run_child("/bin/sh", {"-c", "echo first; echo last"}, {}, look);

  EXPECT_EQ(seen, result.out);
  EXPECT_THAT(seen, EndsWith("last\n"));
}

TEST(RunChild, LetsTheCallbackSendASignal) {
  const auto interrupt = [](const std::string& out, RunningChild& child) {
    if (out == "ready\n") child.signal(SIGINT);
  };

  const auto result = run_child(
      "/bin/sh", {"-c", "trap 'echo interrupted; exit 5' INT; echo ready; while :; do :; done"}, {},
      interrupt);

  EXPECT_EQ(result.out, "ready\ninterrupted\n");
  EXPECT_EQ(result.exit_code, 5);
}

TEST(RunChild, HandsItsEnvironmentOn) {
  const ScopedEnvironmentVariable handed_on("SCENARIO_HANDED_ON", "a=b");

  const auto result = run_shell("echo $SCENARIO_HANDED_ON");

  EXPECT_EQ(result.out, "a=b\n");
}

TEST(RunChild, GivesTheChildASessionWithoutATerminal) {
  const auto result = run_shell("(: < /dev/tty) 2>/dev/null && echo terminal || echo none");

  EXPECT_EQ(result.out, "none\n");
}

TEST(RunChild, LetsAChildBeEndedByAPipeThatNobodyReads) {
  const auto result = run_shell("yes | head -n 1");

  EXPECT_EQ(result.out, "y\n");
}

TEST(RunChild, TellsTheChildWhatItIsToldItselfAndWaitsForItsCleanUp) {
  const SignalsHeld held;
  std::string seen;
  const auto terminate_this = [&](const std::string& out, RunningChild&) {
    seen = out;
    if (out == "ready\n") ::kill(::getpid(), SIGTERM);
  };

  EXPECT_THROW(run_child("/bin/sh",
                         {"-c", "trap 'echo cleaned; exit' TERM; echo ready; while :; do :; done"},
                         {}, terminate_this),
               Interrupted);

  EXPECT_EQ(seen, "ready\ncleaned\n");
}

TEST(RunChild, EndsAChildEarlierWhenTheCallbackSaysSo) {
  const auto end_at_once = [](const std::string&, RunningChild& child) { child.end_after(0ms); };

  const auto result =
      run_child("/bin/sh", {"-c", "echo ready; exec sleep 600"}, {.time_limit = 1h}, end_at_once);

  EXPECT_TRUE(result.timed_out);
}

TEST(ThisProgram, IsTheBinaryOfThisTest) {
  const auto binary = this_program();

  EXPECT_TRUE(binary.is_absolute());
  EXPECT_EQ(binary.filename(), "scenario_tests");
}

TEST(ThinStacks, NameTheProgramsFunctionsAndTheMutexOfEachThread) {
  const auto thin = thin_stacks(
      "[New LWP 12]\n"
      "Thread 2 (Thread 0x7f01 (LWP 12) \"mutex_problem\"):\n"
      "#0  futex_wait (private=0) at ../sysdeps/nptl/futex-internal.h:146\n"
      "#1  ___pthread_mutex_lock (mutex=0x5581) at ./nptl/pthread_mutex_lock.c:93\n"
      "#2  0x0000 in mutex_problem::Client::flush(mutex_problem::Client::flush(std::vector<int>&)"
      "::_ZFlushFrame*) [clone .actor] (frame_ptr=...)\n"
      "#3  0x0000 in boost::asio::detail::run<mutex_problem::Client> (this=...)\n"
      "Thread 1 (Thread 0x7f02 (LWP 11) \"mutex_problem\"):\n"
      "#0  main (argc=1, argv=0x7ffd) at main.cpp:5\n"
      "[Inferior 1 (process 11) detached]\n");

  EXPECT_THAT(thin, ElementsAre("Thread 2:", "  pthread_mutex_lock",
                                "  mutex_problem::Client::flush", "Thread 1:"));
}

TEST(ThinStacks, DoNotStumbleOverHalfALine) {
  EXPECT_TRUE(thin_stacks("").empty());
  EXPECT_THAT(thin_stacks("Thread 3\n#0\n#1  \n#2  0x00 in \n#3  f(((<<<\n"),
              ElementsAre("Thread 3:"));
}

TEST(SanitizerFinding, NamesTheKindOfAnAddressSanitizerError) {
  EXPECT_EQ(sanitizer_finding("==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x6\n"),
            "AddressSanitizer: heap-use-after-free");
}

TEST(SanitizerFinding, NamesTheKindOfAThreadSanitizerWarning) {
  EXPECT_EQ(sanitizer_finding(
                "words\nWARNING: ThreadSanitizer: unlock of an unlocked mutex (or by a wrong "
                "thread) (pid=7)\n"),
            "ThreadSanitizer: unlock of an unlocked mutex");
}

TEST(SanitizerFinding, NamesALeak) {
  EXPECT_EQ(sanitizer_finding("==1==ERROR: LeakSanitizer: detected memory leaks\n"),
            "LeakSanitizer: detected memory leaks");
}

TEST(SanitizerFinding, NamesUndefinedBehaviour) {
  EXPECT_EQ(sanitizer_finding("a.cpp:3:5: runtime error: signed integer overflow\n"),
            "UndefinedBehaviorSanitizer: signed integer overflow");
}

TEST(SanitizerFinding, TakesTheFirstOfSeveral) {
  EXPECT_EQ(sanitizer_finding("WARNING: ThreadSanitizer: data race (pid=7)\n"
                              "==1==ERROR: AddressSanitizer: stack-overflow on address 0x6\n"),
            "ThreadSanitizer: data race");
}

TEST(SanitizerFinding, IsAbsentFromOtherWords) {
  EXPECT_EQ(sanitizer_finding("[warn] built with AddressSanitizer: yes\nall well\n"), std::nullopt);
}

}  // namespace
}  // namespace scenario
