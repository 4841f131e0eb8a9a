// run_program, seen from outside: sample_program is started as a reader or a script would.
#include "scenario/child_process.hpp"
#include "scenario/output.hpp"
#include "scenario/surroundings.hpp"
#include "scenario/tests/scoped_environment_variable.hpp"

#include <boost/json.hpp>
#include <boost/version.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <sstream>
#include <utility>

namespace scenario {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::filesystem::path sample_program = TEST_BINARY_DIR "/sample_program";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::size_t columns_of(const std::string& line) {
  return static_cast<std::size_t>(std::ranges::count_if(
      line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

class RunProgram : public testing::Test {
 protected:
  RunProgram() {
    std::ofstream(events_) << R"({"room":"r","sender":"s","ts":1,"body":"b"})" << '\n';
    std::filesystem::create_directory(temporary_);
  }

  ChildResult run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "--events=" + events_.string());
    return run_child(sample_program, arguments);
  }

  json::object run_json(std::vector<std::string> arguments) const {
    arguments.push_back("--json");
    return json::parse(run(arguments).out).as_object();
  }

  json::object run_one(const std::string& experiment) const {
    return run_json({"--experiment", experiment, "--deadline=1"})
        .at("experiments")
        .as_array()
        .at(0)
        .as_object();
  }

  json::object recorded() const {
    std::ifstream stream(trace_);
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    return json::parse(text).as_object();
  }

  const TemporaryFolder folder_;
  const std::filesystem::path events_ = folder_.path() / "events.ndjson";
  const std::filesystem::path temporary_ = folder_.path() / "tmp";
  const std::filesystem::path trace_ = folder_.path() / "trace.json";
  const ScopedEnvironmentVariable its_folder_{"TMPDIR", temporary_};
};

// --- experiments, each in its child -----------------------------------------------------------

TEST_F(RunProgram, ReportsAnExperimentThatEndsAsDocumented) {
  const auto result = run({"--experiment=finishing", "--workers=7", "--json"});

  const auto said = json::parse(result.out).as_object();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(said.at("as_documented").as_bool());
  EXPECT_EQ(said.at("experiments").at(0).at("observed"), "finished");
  EXPECT_EQ(said.at("experiments").at(0).at("facts").at("workers"), 7);
}

TEST_F(RunProgram, RunsAnExperimentByItsOwnFlag) {
  const auto result = run({"--chatty", "--experiment=finishing", "--json"});
  const auto help = run({"--help"});

  const auto said = json::parse(result.out).as_object();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(said.at("experiments").at(0).at("name"), "finishing");
  EXPECT_EQ(said.at("experiments").at(1).at("name"), "chatty");
  EXPECT_THAT(help.out, HasSubstr("--chatty"));
  EXPECT_THAT(help.out, HasSubstr("short for --experiment chatty"));
}

TEST_F(RunProgram, NamesEachFactThatDiffersFromWhatIsDocumented) {
  const auto result = run({"--experiment=differing"});

  EXPECT_EQ(result.exit_code, 1);
  const auto lines = lines_of(result.out);
  EXPECT_THAT(lines, Contains("differing · leaked · NOT as documented"));
  EXPECT_THAT(lines, Contains("  ! outcome: documented finished, observed leaked"));
  EXPECT_THAT(lines, Contains("  ! owners_left: documented is 0, observed 3"));
  EXPECT_THAT(lines, Contains("  ! logout_returned: documented is true, observed nothing"));
  EXPECT_EQ(result.err,
            "words of the child\n"
            "sample_program: experiment 'differing': outcome: documented finished, observed "
            "leaked\n");
}

TEST_F(RunProgram, CallsAHangStuckOnceItHasSaidSoAndKeepsItsFacts) {
  const auto report = run_one("hanging");

  EXPECT_TRUE(report.at("as_documented").as_bool());
  EXPECT_EQ(report.at("observed"), "stuck");
  EXPECT_EQ(report.at("facts").at("progress"), "waiting");
  EXPECT_EQ(report.at("facts").at("logout_returned"), false);
}

TEST_F(RunProgram, ShowsWhereTheThreadsOfAHangAreExactlyWhereGdbIsPresent) {
  const bool has_gdb = run_child("/usr/bin/env", {"gdb", "--version"}).exit_code == 0;

  const auto report = run_one("hanging");

  const auto* stacks = report.if_contains("stacks");
  ASSERT_EQ(stacks != nullptr, has_gdb);
  if (has_gdb) {
    EXPECT_THAT(json::serialize(*stacks), HasSubstr("Thread 1:"));
  }
}

TEST_F(RunProgram, RecordsTheRunOfOneExperiment) {
  const auto result = run({"--experiment=finishing", "--trace=" + trace_.string()});

  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(recorded().at("otherData").at("experiment"), "finishing");
  EXPECT_EQ(recorded().at("traceEvents").at(1).at("name"), "finished");
}

TEST_F(RunProgram, KeepsWhatAKilledChildHasRecorded) {
  const auto result = run({"--experiment=killed-later", "--trace=" + trace_.string()});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(recorded().at("otherData").at("as_documented"), false);
  EXPECT_EQ(recorded().at("traceEvents").as_array().size(), 3U);
  EXPECT_EQ(recorded().at("traceEvents").at(1).at("name"), "task");
}

TEST_F(RunProgram, RecordsNoOutcomeOfAChildThatToldNone) {
  run({"--experiment=killed", "--trace=" + trace_.string()});

  EXPECT_TRUE(recorded().at("otherData").at("outcome").is_null());
}

TEST_F(RunProgram, KeepsSoManyEventsAndSaysHowManyAreMissing) {
  const auto result = run({"--experiment=recording-much", "--trace=" + trace_.string()});

  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "sample_program: recording " + trace_.string() +
                            ": 23 events are missing: more than 100000 events\n");
  EXPECT_EQ(recorded().at("otherData").at("dropped"), 23);
  EXPECT_EQ(recorded().at("traceEvents").as_array().size(), 100'001U);
}

/// The verdict is what it is.
TEST_F(RunProgram, SaysInOneLineWhyThereIsNoRecordingAndEndsWithOne) {
  for (const auto& [file, reason] : std::vector<std::pair<std::string, std::string>>{
           {"/dev/full", "No space left on device"},
           {"/no/such/folder/x", "No such file or directory"},
           {folder_.path(), "it is a directory"}}) {
    const auto result = run({"--experiment=finishing", "--trace=" + file, "--json"});

    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.err, "sample_program: cannot write recording " + file + ": " + reason + "\n");
    EXPECT_TRUE(json::parse(result.out).at("as_documented").as_bool());
  }
}

TEST_F(RunProgram, RecordsAsMuchAsAFileMayGrow) {
  const auto result = run_child(
      "/bin/sh", {"-c", R"(ulimit -f 8; exec "$0" --experiment=recording-some --trace="$1")",
                  sample_program, "/dev/null"});

  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("events are missing: File too large"));
}

/// Whatever is documented, a child that ended otherwise than documented has shown nothing.
struct NotRun {
  std::string experiment;
  std::string reason;

  friend std::ostream& operator<<(std::ostream& stream, const NotRun& not_run) {
    return stream << not_run.reason;
  }
};

class ChildThatDidNotRun : public RunProgram, public testing::WithParamInterface<NotRun> {};

TEST_P(ChildThatDidNotRun, IsNotAsDocumentedAndSaysWhyInOneLine) {
  const auto result = run({"--experiment=" + GetParam().experiment, "--deadline=1"});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              HasSubstr("\n" + GetParam().experiment + " · did not run · NOT as documented\n"));
  EXPECT_THAT(lines_of(result.err).back(),
              AllOf(StartsWith("sample_program: experiment '" + GetParam().experiment + "': "),
                    HasSubstr(GetParam().reason)));
}

INSTANTIATE_TEST_SUITE_P(
    RunProgram, ChildThatDidNotRun,
    testing::Values(NotRun{"killed", "ended by signal 9 (Killed) before it told an outcome"},
                    NotRun{"exiting", "ended with exit code 3 before it told an outcome"},
                    NotRun{"hanging-unsaid", "ended by the watchdog after 3"},
                    NotRun{"throwing", "no such luck"}, NotRun{"failing-task", "disk full"}),
    [](const auto& param) {
      auto name = param.param.experiment;
      std::erase(name, '-');
      return name;
    });

TEST_F(RunProgram, DoesNotAcceptAnOutcomeAfterWhichTheChildWasKilled) {
  const auto report = run_one("killed-later");

  EXPECT_EQ(report.at("observed"), "undefined");
  EXPECT_EQ(report.at("differences").at(0), "ended by signal 9 (Killed)");
}

TEST_F(RunProgram, AcceptsAnAbortThatIsDocumented) {
  const auto report = run_one("aborting");

  EXPECT_TRUE(report.at("as_documented").as_bool());
  EXPECT_EQ(report.at("observed"), "lost");
}

TEST_F(RunProgram, TakesTheSanitizerThatIsDocumentedAsProofAndMissesNoLaterFact) {
  const auto report = run_one("sanitized");

  EXPECT_TRUE(report.at("as_documented").as_bool());
  EXPECT_EQ(report.at("observed"), "undefined");
  EXPECT_EQ(report.at("sanitizer"), "AddressSanitizer: heap-use-after-free");
  EXPECT_EQ(report.at("facts").as_object().size(), 1U);
}

TEST_F(RunProgram, DoesNotAcceptAnOutcomeThatASanitizerOrAWarningContradicts) {
  EXPECT_EQ(run_one("racing").at("differences").at(0), "found by ThreadSanitizer: data race");
  EXPECT_THAT(json::serialize(run_one("warning").at("differences")),
              HasSubstr("logged: [2026-01-01 00:00:00.000] [warning] all is not well"));
}

TEST_F(RunProgram, FindsTheOutcomeBehindWhatTheExperimentItselfPrinted) {
  EXPECT_EQ(run_one("chatty").at("observed"), "finished");
}

TEST_F(RunProgram, KeepsTheWordsOfADocumentedChildToItselfUnlessTheLogIsWanted) {
  EXPECT_EQ(run({"--experiment=sanitized"}).err, "");
  EXPECT_THAT(run({"--experiment=sanitized", "--log-level=info"}).err,
              HasSubstr("heap-use-after-free"));
}

TEST_F(RunProgram, TellsRejectedLinesOnceWithNumberLineAndReason) {
  std::ofstream(events_) << "{}\n\n";

  const auto result = run({"--experiment=finishing", "--experiment=chatty"});

  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "sample_program: 2 of 2 lines in " + events_.string() +
                            " rejected; line 1: no string 'room'\n");
}

TEST_F(RunProgram, LeavesNoTemporaryFolderBehindEvenAfterAHang) {
  run({"--experiment=hanging", "--experiment=killed", "--deadline=1"});

  EXPECT_TRUE(std::filesystem::is_empty(temporary_));
}

TEST_F(RunProgram, RunsTheChosenExperimentsInTheGivenOrder) {
  const auto said = run_json({"--experiment=stragglers", "--experiment", "finishing"});

  const auto& experiments = said.at("experiments").as_array();
  ASSERT_EQ(experiments.size(), 2U);
  EXPECT_EQ(experiments[0].at("name"), "stragglers");
  EXPECT_EQ(experiments[1].at("name"), "finishing");
}

TEST_F(RunProgram, RunsAllExperimentsByDefaultAndIsOnlyContentWithAll) {
  const auto result = run({"--deadline=1"});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, EndsWith("\n8 of 17 experiments as documented.\n"));
}

// --- output -----------------------------------------------------------------------------------

TEST_F(RunProgram, PrintsOneJsonObjectOfThePromisedShapeAndNothingElse) {
  const auto said = run_json({"--experiment=finishing"});

  std::vector<std::string> keys;
  for (const auto& member : said) keys.emplace_back(member.key());
  EXPECT_THAT(keys, ElementsAre("program", "version", "boost", "experiments", "as_documented"));
  EXPECT_EQ(said.at("program"), "sample_program");
  std::vector<std::string> report_keys;
  for (const auto& member : said.at("experiments").at(0).as_object())
    report_keys.emplace_back(member.key());
  EXPECT_THAT(report_keys, ElementsAre("name", "expected", "observed", "as_documented", "facts",
                                       "differences", "duration_ms"));
}

TEST_F(RunProgram, PrintsForPeopleInEightyColumnsWithoutColourIntoAPipe) {
  const auto result =
      run({"--deadline=1", "--experiment=finishing", "--experiment=differing",
           "--experiment=hanging", "--experiment=throwing", "--experiment=sanitized"});

  const auto lines = lines_of(result.out);
  EXPECT_THAT(result.out, Not(HasSubstr("\033")));
  for (const auto& line : lines) EXPECT_LE(columns_of(line), 80U) << line;
  EXPECT_THAT(lines, Contains("  owners_left              0"));
  EXPECT_THAT(lines, Contains("finishing · finished · as documented"));
}

TEST_F(RunProgram, WrapsLongFactsUnderTheirValue) {
  const auto lines = lines_of(run({"--experiment=stragglers"}).out);

  EXPECT_THAT(lines, Contains("  stragglers               a task with a rather long name"));
  EXPECT_THAT(lines, Contains("                           another task, with a name as long"));
  EXPECT_THAT(lines, Contains("                           continued on another line"));
}

TEST_F(RunProgram, KeepsToTheColumnsThatAreThere) {
  const ScopedEnvironmentVariable narrow("COLUMNS", "50");

  const auto result = run({"--experiment=stragglers"});

  for (const auto& line : lines_of(result.out)) EXPECT_LE(columns_of(line), 52U) << line;
}

TEST_F(RunProgram, ListsItsExperimentsAligned) {
  const auto lines = lines_of(run_child(sample_program, {"--list"}).out);

  EXPECT_THAT(lines, Contains("finishing       finished   ends as it should"));
  EXPECT_THAT(lines, Contains("killed          undefined  is killed as it starts"));
}

TEST_F(RunProgram, ListsItsExperimentsAsJsonToo) {
  const auto said = json::parse(run_child(sample_program, {"--list", "--json"}).out);

  EXPECT_EQ(said.at("experiments").at(1).at("name"), "hanging");
  EXPECT_EQ(said.at("experiments").at(1).at("expected"), "stuck");
  EXPECT_EQ(json::serialize(said.at("experiments").at(0).at("facts")),
            R"({"owners_left":{"is":0},"logout_ms":{"at_most":10},"workers":{"is":2}})");
}

TEST_F(RunProgram, PrintsItsVersionAndThatOfBoost) {
  std::ostringstream boost;
  boost << BOOST_VERSION / 100000 << '.' << BOOST_VERSION / 100 % 1000 << '.'
        << BOOST_VERSION % 100;

  const auto result = run_child(sample_program, {"--version"});

  EXPECT_THAT(result.out,
              AllOf(StartsWith("sample_program "), EndsWith(" (Boost " + boost.str() + ")\n")));
}

TEST_F(RunProgram, DescribesEveryPublicOptionInItsHelpAndNoOther) {
  const auto help = run_child(sample_program, {"--help"});

  EXPECT_EQ(help.exit_code, 0);
  for (const auto* option : {"--help", "--version", "--list", "--experiment", "--events",
                             "--workers", "--deadline", "--json", "--log-level", "--interactive"})
    EXPECT_THAT(help.out, HasSubstr(std::string("  ") + option)) << option;
  EXPECT_THAT(help.out, Not(HasSubstr("--child")));
}

TEST_F(RunProgram, TakesTheUsualShortFlagForHelp) {
  EXPECT_EQ(run_child(sample_program, {"-h"}).out, run_child(sample_program, {"--help"}).out);
}

TEST_F(RunProgram, NoticesThatItsOutputCannotBeWritten) {
  const auto result =
      run_child("/bin/sh", {"-c", "exec \"$0\" --list > /dev/full", sample_program.string()});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "sample_program: cannot write to standard output\n");
}

TEST_F(RunProgram, NoticesThatItsOutputIsClosed) {
  const auto result =
      run_child("/bin/sh", {"-c", "exec \"$0\" --experiment=finishing --events=\"$1\" >&-",
                            sample_program.string(), events_.string()});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "sample_program: cannot write to standard output\n");
}

// --- a terminal -------------------------------------------------------------------------------

TEST_F(RunProgram, ShowsColourOnATerminal) {
  const auto command = "'" + sample_program.string() + "' --experiment=finishing --events='" +
                       events_.string() + "'";

  const auto result = run_child("/usr/bin/script", {"-qec", command, "/dev/null"});

  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("\033[32mas documented\033[0m"));
}

TEST_F(RunProgram, ShowsNoColourWhereItIsNotWanted) {
  const auto command = "'" + sample_program.string() + "' --experiment=finishing --events='" +
                       events_.string() + "'";
  const ScopedEnvironmentVariable not_wanted("NO_COLOR", "1");

  const auto result = run_child("/usr/bin/script", {"-qec", command, "/dev/null"});

  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("finishing · finished · as documented"));
  EXPECT_THAT(result.out, Not(HasSubstr("\033")));
}

TEST_F(RunProgram, WritesNoEscapeSequenceToADumbTerminal) {
  const auto command = "'" + sample_program.string() + "' --experiment=finishing --events='" +
                       events_.string() + "'";
  const ScopedEnvironmentVariable dumb("TERM", "dumb");

  const auto result = run_child("/usr/bin/script", {"-qec", command, "/dev/null"});

  EXPECT_THAT(result.out, HasSubstr("finishing · finished · as documented"));
  EXPECT_THAT(result.out, Not(HasSubstr("\033")));
}

// --- ways of running --------------------------------------------------------------------------

TEST_F(RunProgram, HandsInteractiveUseOver) {
  const auto result = run({"--interactive", "--workers=3"});

  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "interactive with 3 workers\n");
}

TEST_F(RunProgram, EndsItsChildWhenItIsKilledItself) {
  // The child of the program under test is its only one; its own number is the shell's.
  const auto result = run_child(
      "/bin/sh", {"-c",
                  "\"$0\" --experiment=hanging --deadline=600000 --events=\"$1\" & program=$!\n"
                  "until child=$(cat /proc/$program/task/$program/children) && [ -n \"$child\" ]\n"
                  "do sleep 0.01; done\n"
                  "kill -KILL $program\n"
                  "while [ -e /proc/$child ] && ! grep -q 'State:.*Z' /proc/$child/status\n"
                  "do sleep 0.01; done\n"
                  "echo ended\n",
                  sample_program.string(), events_.string()});

  EXPECT_FALSE(result.timed_out);
  EXPECT_THAT(result.out, EndsWith("ended\n"));
}

TEST(PrintJson, WritesTheSameValueWithPlainNumbers) {
  const json::value value{{"half", 0.5},
                          {"none", 0.0},
                          {"small", 1e-9},
                          {"large", 1e21},
                          {"whole", 7},
                          {"text", "\"q\"\n"},
                          {"list", {1.25, false, nullptr, json::object{}, json::array{}}}};
  std::ostringstream out;

  print_json(out, value);

  EXPECT_EQ(out.str(), R"({"half":0.5,"none":0.0,"small":1e-09,"large":1e+21,"whole":7,)"
                       R"("text":"\"q\"\n","list":[1.25,false,null,{},[]]})"
                       "\n");
}

// --- wrong use --------------------------------------------------------------------------------

struct WrongUse {
  std::string name;
  std::vector<std::string> arguments;
  std::string says;

  friend std::ostream& operator<<(std::ostream& stream, const WrongUse& use) {
    return stream << use.says;
  }
};

class WrongCommandLine : public RunProgram, public testing::WithParamInterface<WrongUse> {};

TEST_P(WrongCommandLine, IsRefusedInOneLineWithExitCodeTwo) {
  const auto result = run_child(sample_program, GetParam().arguments);

  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(lines_of(result.err), ElementsAre(StartsWith("sample_program: ")));
  EXPECT_THAT(result.err, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    RunProgram, WrongCommandLine,
    testing::Values(
        WrongUse{"UnknownFlag", {"--frobnicate"}, "--frobnicate"},
        WrongUse{"AbbreviatedFlag", {"--vers"}, "'--vers'; try --help"},
        WrongUse{"ShortFlag", {"-x"}, "-x"},
        WrongUse{"PositionalArgument", {"finishing"}, "unexpected argument 'finishing'"},
        WrongUse{"ArgumentAfterTheOptions", {"--experiment=finishing", "hanging"}, "hanging"},
        WrongUse{"MissingValue", {"--workers"}, "--workers"},
        WrongUse{"EmptyNumber", {"--workers="}, "--workers"},
        WrongUse{"WordForANumber", {"--workers=many"}, "from 1 to 256, not 'many'"},
        WrongUse{"NumberWithATail", {"--workers=4x"}, "not '4x'"},
        WrongUse{"Fraction", {"--deadline=1.5"}, "not '1.5'"},
        WrongUse{"NoWorkers", {"--workers=0"}, "not '0'"},
        WrongUse{"NegativeWorkers", {"--workers=-1"}, "not '-1'"},
        WrongUse{"TooManyWorkers", {"--workers=257"}, "not '257'"},
        WrongUse{"NoDeadline", {"--deadline=0"}, "from 1 to 600000"},
        WrongUse{"TooLateADeadline", {"--deadline=600001"}, "from 1 to 600000"},
        WrongUse{"HugeNumber", {"--deadline=99999999999999999999"}, "from 1 to 600000"},
        WrongUse{"TheSameOptionTwice", {"--workers=1", "--workers=2"}, "--workers"},
        WrongUse{"UnknownExperiment",
                 {"--experiment=x"},
                 "unknown experiment 'x'; choose from finishing, hanging, hanging-unsaid,"},
        WrongUse{"UnknownExperimentOfTwoLines", {"--experiment=a\nb"}, "'a?b'"},
        WrongUse{"UnknownLogLevel", {"--log-level=loud"}, "trace, debug, info, warn, error, off"},
        WrongUse{"MissingEventsFile",
                 {"--events=/no/such/file"},
                 "'/no/such/file': No such file or directory; name one with --events\n"},
        WrongUse{"DirectoryAsEventsFile", {"--events=/"}, "'/': it is a directory"},
        WrongUse{"InteractiveWithJson", {"--interactive", "--json"}, "--json"},
        WrongUse{"InteractiveWithTrace", {"--interactive", "--trace=x"}, "--trace"},
        WrongUse{"TraceOfAllExperiments", {"--trace=x"}, "choose it with --experiment"},
        WrongUse{"TraceOfTwoExperiments",
                 {"--chatty", "--experiment=finishing", "--trace=x"},
                 "choose it with --experiment"},
        WrongUse{"TraceIntoNoFile", {"--chatty", "--trace="}, "--trace"},
        WrongUse{"TraceTwice", {"--chatty", "--trace=x", "--trace=y"}, "--trace"}),
    [](const auto& param) { return param.param.name; });

TEST_F(RunProgram, RefusesAPipeAsEventsFileInsteadOfWaitingForIt) {
  const auto fifo = folder_.path() / "fifo";
  ASSERT_EQ(run_child("/usr/bin/env", {"mkfifo", fifo.string()}).exit_code, 0);

  const auto result =
      run_child(sample_program, {"--events=" + fifo.string(), "--experiment=finishing"});

  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(
      result.err,
      HasSubstr("it is no regular file: save its lines in one first; name one with --events\n"));
}

TEST_F(RunProgram, RefusesADeviceThatNeverEnds) {
  EXPECT_THAT(
      run_child(sample_program, {"--events=/dev/zero"}).err,
      HasSubstr("it is no regular file: save its lines in one first; name one with --events\n"));
}

TEST_F(RunProgram, ReadsARegularFileFromItsStandardInput) {
  const auto result =
      run_child("/bin/sh", {"-c", "exec \"$0\" --experiment=finishing --events=/dev/stdin < \"$1\"",
                            sample_program.string(), events_.string()});

  EXPECT_EQ(result.exit_code, 0) << result.err;
}

}  // namespace
}  // namespace scenario
