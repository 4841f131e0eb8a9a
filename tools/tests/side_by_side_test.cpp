// side_by_side finds the programs beside its own binary. Here it is copied to a folder of its own,
// beside stand-ins that print a fixed report, so that the table can be checked to the letter.
#include "scenario/child_process.hpp"
#include "scenario/session_facts.hpp"
#include "scenario/surroundings.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class SideBySide : public testing::Test {
 protected:
  SideBySide() {
    fs::copy_file(TEST_BINARY_DIR "/side_by_side", folder_.path() / "side_by_side");
    stand_in("arc_problem", "two-worlds", "leaked",
             R"({"logout_ms":0.25,"owners_left":3,"samples_lost":0,
                 "relogin":"a second runtime runs beside the first",
                 "stragglers":["tsp-worker","event-handler"]})");
    stand_in("mutex_problem", "logout-blocked", "stuck",
             R"({"logout_returned":false,"longest_ui_freeze_ms":900.0})");
    stand_in("correct_example", "relogin", "finished",
             R"({"logout_ms":12.5,"owners_left":0,"relogin":"clean","stragglers":[]})");
    stand_in("scope_example", "relogin", "finished",
             R"({"logout_ms":1000.5,"owners_left":0,"runtime_threads_left":2})");
  }

  /// Prints a report of the form that run_program prints, and its arguments on standard error.
  void stand_in(const std::string& program, const std::string& experiment,
                const std::string& observed, const std::string& facts, bool as_documented = true) {
    json::object report{{"name", experiment},
                        {"expected", as_documented ? observed : "finished"},
                        {"observed", observed},
                        {"facts", json::parse(facts)},
                        {"duration_ms", 1.0}};
    json::object said{{"program", program},
                      {"experiments", json::array{std::move(report)}},
                      {"as_documented", as_documented}};
    write_script(program, "echo \"" + program + " $*\" >&2\ncat <<'END'\n" + json::serialize(said) +
                              "\nEND\nexit " + (as_documented ? "0" : "1"));
  }

  void write_script(const std::string& program, const std::string& script) {
    std::ofstream(folder_.path() / program) << "#!/bin/sh\n" << script << '\n';
    fs::permissions(folder_.path() / program, fs::perms::owner_all);
  }

  scenario::ChildResult run(std::vector<std::string> arguments = {}) const {
    arguments.push_back("--events=/dev/null");
    return scenario::run_child(folder_.path() / "side_by_side", arguments);
  }

  const scenario::TemporaryFolder folder_;
};

TEST_F(SideBySide, PrintsOneTableOfTheFourApproaches) {
  const auto result = run();

  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(
      result.out,
      EndsWith("\n"
               "                  shared_ptr alone   mutex + optional   shared_ptr  one runtime\n"
               "                                                        + token +   + session\n"
               "                                                        scope       scopes\n"
               "-------------------------------------------------------------------------------\n"
               "outcome           leaked !           stuck !            finished    finished\n"
               "logout took (ms)  0.2                -                  12.5        1000.5\n"
               "logout returned   -                  no !               -           -\n"
               "owners left       3 !                -                  0           0\n"
               "threads left      -                  -                  -           2\n"
               "rows after logout -                  -                  -           -\n"
               "samples lost      0                  -                  -           -\n"
               "connections open  -                  -                  -           -\n"
               "UI freeze (ms)    -                  900.0 !            -           -\n"
               "next login        a second runtime   -                  clean       -\n"
               "                  runs beside the\n"
               "                  first !\n"
               "runtimes at once  -                  -                  -           -\n"
               "stragglers        tsp-worker         -                  none        -\n"
               "                  event-handler !\n"
               "\n"
               "! bad    - not measured    ms: milliseconds\n"
               "With one runtime its threads are there after a logout, for the next session.\n"));
}

TEST_F(SideBySide, PrintsMarkdown) {
  const auto lines = lines_of(run({"--markdown"}).out);

  ASSERT_GE(lines.size(), 3U);
  EXPECT_EQ(lines[0],
            "| | shared_ptr alone | mutex + optional | shared_ptr + token + scope | "
            "one runtime + session scopes |");
  EXPECT_EQ(lines[1], "|---|---|---|---|---|");
  EXPECT_EQ(lines[2], "| outcome | **leaked !** | **stuck !** | finished | finished |");
  EXPECT_THAT(lines, Contains("| stragglers | **tsp-worker, event-handler !** | - | none | - |"));
}

TEST_F(SideBySide, MarksWhatIsBeyondTheLimitOfItsRowAndNothingElse) {
  stand_in("arc_problem", "two-worlds", "finished",
           R"json({"logout_ms":1e9,"logout_returned":true,"owners_left":0,"runtime_threads_left":0,
               "rows_after_logout":0,"samples_lost":0,"connections_open":0,
               "longest_ui_freeze_ms":)json" +
               std::to_string(scenario::noticeable_freeze_ms) +
               R"(,"relogin":"clean","runtimes_at_once":1,"stragglers":[],"colour":7})");
  stand_in(
      "mutex_problem", "logout-blocked", "lost",
      R"json({"logout_ms":"> 1000 (freed from outside)","logout_returned":false,"owners_left":1,
               "runtime_threads_left":2,"rows_after_logout":1,"samples_lost":4,
               "connections_open":1,"longest_ui_freeze_ms":)json" +
          std::to_string(scenario::noticeable_freeze_ms + 0.1) +
          R"(,"relogin":"two runtimes","runtimes_at_once":2,"stragglers":["tsp-worker"]})");

  const auto lines = lines_of(run({"--markdown"}).out);

  ASSERT_GE(lines.size(), 14U);
  for (std::size_t row = 2; row < 14; ++row)
    EXPECT_THAT(lines[row],
                MatchesRegex(R"(\| [^|]* \| [^|!]* \| \*\*[^|]* !\*\* \| [^|!]* \| [^|!]* \|)"));
}

TEST_F(SideBySide, DoesNotCallItBadThatTheThreadsOfOneRuntimeLiveOn) {
  stand_in("correct_example", "relogin", "leaked", R"({"runtime_threads_left":2})");

  const auto lines = lines_of(run({"--markdown"}).out);

  EXPECT_THAT(lines, Contains("| threads left | - | - | **2 !** | 2 |"));
}

TEST_F(SideBySide, KeepsToEightyColumnsWithTheWidestValues) {
  const auto* const widest = R"json({"logout_ms":"> 1000000 (freed from outside)",
      "logout_returned":false,"owners_left":1000000,"runtime_threads_left":1000000,
      "rows_after_logout":1000000,"samples_lost":1000000,"connections_open":1000000,
      "longest_ui_freeze_ms":1000000.5,"relogin":"the first user's tasks still write",
      "runtimes_at_once":1000000,
      "stragglers":["time-series worker (interrupt)","event receiver (holds the guard)"]})json";
  stand_in("arc_problem", "two-worlds", "undefined", widest);
  stand_in("mutex_problem", "logout-blocked", "undefined", widest);
  stand_in("correct_example", "relogin", "undefined", widest);
  stand_in("scope_example", "relogin", "undefined", widest);

  for (const auto& line : lines_of(run().out)) EXPECT_LE(line.size(), 80U) << line;
}

TEST_F(SideBySide, PrintsOneJsonObject) {
  const auto said = json::parse(run({"--json"}).out);

  EXPECT_TRUE(said.at("as_documented").as_bool());
  ASSERT_EQ(said.at("columns").as_array().size(), 4U);
  const auto& first = said.at("columns").at(0);
  EXPECT_EQ(first.at("approach"), "shared_ptr alone");
  EXPECT_EQ(first.at("program"), "arc_problem");
  EXPECT_EQ(first.at("observed"), "leaked");
  EXPECT_EQ(first.at("facts").at("owners_left"), 3);
}

TEST_F(SideBySide, GivesAllFourTheSameSettings) {
  const auto result = run({"--workers=3", "--deadline=77", "--log-level=info"});

  const std::string same = " --events=/dev/null --workers=3 --deadline=77 --log-level=info --json";
  EXPECT_THAT(lines_of(result.err),
              ElementsAre("arc_problem" + same + " --experiment=two-worlds",
                          "mutex_problem" + same + " --experiment=logout-blocked",
                          "correct_example" + same + " --experiment=relogin",
                          "scope_example" + same + " --experiment=relogin"));
}

TEST_F(SideBySide, IsNotContentWhenOneProgramDiffers) {
  stand_in("mutex_problem", "logout-blocked", "leaked", "{}", false);

  const auto result = run();

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              EndsWith("NOT as documented: mutex_problem logout-blocked (see above)\n"));
  EXPECT_THAT(result.err, StartsWith("mutex_problem "));
}

TEST_F(SideBySide, NamesAMissingProgramInOneLine) {
  fs::remove(folder_.path() / "mutex_problem");

  const auto result = run();

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "side_by_side: mutex_problem is missing in " + folder_.path().string() +
                            ": build it first\n");
}

TEST_F(SideBySide, NamesAProgramThatReportsNothing) {
  write_script("correct_example", "exit 0");

  const auto result = run();

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "side_by_side: correct_example did not report what it observed\n");
}

TEST_F(SideBySide, RefusesTwoFormatsAtOnce) {
  const auto result = run({"--json", "--markdown"});

  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "side_by_side: --markdown does not go with --json\n");
}

TEST_F(SideBySide, IsAsStrictAboutItsCommandLineAsTheOtherPrograms) {
  for (const auto* argument :
       {"--frobnicate", "--mark", "extra", "--workers=0", "--experiment=x"}) {
    const auto result = run({argument});

    EXPECT_EQ(result.exit_code, 2) << argument;
    EXPECT_THAT(lines_of(result.err), ElementsAre(StartsWith("side_by_side: "))) << argument;
  }
}

TEST_F(SideBySide, DescribesItsOptionsAndWhatItRuns) {
  const auto help = run({"--help"});

  EXPECT_EQ(help.exit_code, 0);
  for (const auto* said :
       {"--help", "--version", "--events", "--workers", "--deadline", "--json", "--markdown",
        "--log-level", "mutex_problem --experiment logout-blocked"})
    EXPECT_THAT(help.out, HasSubstr(said));
}

}  // namespace
