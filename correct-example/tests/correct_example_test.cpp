// What is expected on the broken side is forbidden here.
#include "scenario/tests/run_experiment.hpp"

#include <boost/version.hpp>
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace {

using scenario::ChildOptions;
using scenario::ChildResult;
using scenario::fact;
using scenario::number;
using scenario::outcome;
using scenario::run_child;
using scenario::run_experiment;
using testing::HasSubstr;
using testing::Not;

/// What must hold of every session that was logged out.
void expect_nothing_left(const boost::json::object& report) {
  EXPECT_EQ(outcome(report), "finished");
  EXPECT_EQ(fact(report, "logout_returned"), true);
  EXPECT_EQ(number(report, "runtime_threads_left"), 0);
  EXPECT_EQ(number(report, "rows_after_logout"), 0);
  EXPECT_EQ(number(report, "samples_lost"), 0);
  EXPECT_EQ(number(report, "connections_open"), 0);
}

class EventsFile {
 public:
  explicit EventsFile(const std::string& content) { std::ofstream(path_) << content; }
  ~EventsFile() { std::filesystem::remove(path_); }
  EventsFile(const EventsFile&) = delete;
  EventsFile& operator=(const EventsFile&) = delete;
  std::string path() const { return path_.string(); }

 private:
  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("events-" + std::to_string(::getpid()) + ".ndjson");
};

TEST(CorrectExample, ReplayStoresEveryRecordedEvent) {
  const auto report = run_experiment("correct_example", "replay");

  expect_nothing_left(report);
  EXPECT_EQ(number(report, "events_accepted"), 60);
  EXPECT_EQ(number(report, "events_rejected"), 0);
  EXPECT_EQ(number(report, "events_handled"), 60);
  EXPECT_EQ(number(report, "events_stored"), 60);
}

TEST(CorrectExample, ReplayCountsWhatItRejectsAndNamesTheFirst) {
  const EventsFile events(
      "{\"room\": \"r\", \"sender\": \"s\", \"ts\": 1, \"body\": \"first\"}\n"
      "\n"
      "{\"room\": \"r\", \"sender\": \"s\", \"ts\": \"now\", \"body\": \"wrong type\"}\n"
      "{\"room\": \"r\", \"sender\": \"s\", \"ts\": 2, \"body\": \"no final newline\"}");

  const auto report = run_experiment("correct_example", "replay", {"--events", events.path()});

  expect_nothing_left(report);
  EXPECT_EQ(number(report, "events_accepted"), 2);
  EXPECT_EQ(number(report, "events_rejected"), 2);
  EXPECT_EQ(number(report, "events_stored"), 2);
  EXPECT_EQ(number(report, "first_rejected_line"), 2);
  EXPECT_EQ(fact(report, "first_rejected_reason"), "empty line");
}

TEST(CorrectExample, ReplayOfAnEmptyFileFinishes) {
  const EventsFile events("");

  const auto report = run_experiment("correct_example", "replay", {"--events", events.path()});

  expect_nothing_left(report);
  EXPECT_EQ(number(report, "events_accepted"), 0);
}

TEST(CorrectExample, LogoutEndsTheWorkOnTheGracefulPath) {
  const auto report = run_experiment("correct_example", "logout");

  expect_nothing_left(report);
  EXPECT_EQ(fact(report, "rung_reached"), "wait");
  EXPECT_EQ(number(report, "owners_left"), 0);
  EXPECT_EQ(number(report, "tasks"), 63);
}

TEST(CorrectExample, TheNextUserStartsClean) {
  const auto report = run_experiment("correct_example", "relogin");

  expect_nothing_left(report);
  EXPECT_EQ(fact(report, "relogin"), "clean");
  EXPECT_EQ(number(report, "runtimes_at_once"), 1);
  EXPECT_EQ(number(report, "second_generation"), 2);
}

TEST(CorrectExample, AnOwnerThatHoldsTheRuntimeForEverIsRefusedClearly) {
  const auto report = run_experiment("correct_example", "hold-for-ever");

  expect_nothing_left(report);
  EXPECT_EQ(number(report, "owners_left"), 1);
  EXPECT_EQ(fact(report, "late_spawn_refused"), true);
  EXPECT_THAT(boost::json::serialize(fact(report, "refusal")),
              HasSubstr("task 'late' refused by runtime 'client', generation 1"));
}

TEST(CorrectExample, ADeafTaskIsInterruptedAndNamed) {
  const auto report = run_experiment("correct_example", "straggler", {"--deadline", "200"});

  expect_nothing_left(report);
  EXPECT_EQ(fact(report, "rung_reached"), "interrupt");
  EXPECT_EQ(boost::json::serialize(fact(report, "stragglers")), "[\"deaf (interrupt)\"]");
}

TEST(CorrectExample, CancellationReachesThePendingReadOfASilentServer) {
  const auto report = run_experiment("correct_example", "server-silent");

  expect_nothing_left(report);
  EXPECT_EQ(number(report, "events_received"), 0);
  EXPECT_EQ(fact(report, "rung_reached"), "wait");
}

TEST(CorrectExample, CtrlCOnceIsGracefulAndTwiceForces) {
  const auto report = run_experiment("correct_example", "ctrl-c");

  EXPECT_EQ(outcome(report), "finished");
  EXPECT_EQ(number(report, "once_exit_code"), 0);
  EXPECT_EQ(number(report, "twice_exit_code"), 128 + SIGINT);
}

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
  const EventsFile script("login alice\nquit\n");

  const auto child = run_child(
      "/bin/sh", {"-c", TEST_BINARY_DIR "/correct_example --interactive < " + script.path()});

  EXPECT_EQ(child.exit_code, 0) << child.err;
  EXPECT_THAT(child.out, HasSubstr("generation 1: reached 'wait'"));
}

}  // namespace
