// What all programs must withstand: any events file, no room, and being told to end.
#include "scenario/surroundings.hpp"
#include "scenario/tests/run_experiment.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <random>
#include <thread>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using scenario::run_child;
using scenario::TemporaryFolder;
using testing::Combine;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Values;

const std::string good = R"({"room": "r", "sender": "s", "ts": 1, "body": "b"})";

std::string many_events() {
#if defined(WITH_ADDRESS_SANITIZER) || defined(WITH_THREAD_SANITIZER)
  constexpr int events = 5'000;
#else
  constexpr int events = 100'000;
#endif
  std::string content;
  for (int i = 0; i < events; ++i) content += good + '\n';
  return content;
}

std::string longest_line() {
  std::string line = good;
  line.insert(line.size() - 2, std::string(scenario::max_line_bytes - line.size(), 'x'));
  return line;
}

/// A file as readers have them, and what is told of it.
struct OddFile {
  std::string name;
  std::string (*content)();
  std::string told = {};  // on standard error; empty: nothing

  friend std::ostream& operator<<(std::ostream& stream, const OddFile& file) {
    return stream << file.name;
  }
};

const OddFile odd_files[]{
    {"Empty", [] { return std::string(); }},
    {"OneEvent", [] { return good + "\n"; }},
    {"NoFinalNewline", [] { return good + "\n" + good; }},
    {"OnlyRejectedLines", [] { return std::string("no\n\n[1]\n"); }, "3 of 3 lines in "},
    {"CarriageReturns", [] { return good + "\r\n" + good + "\r\n"; }},
    {"LongestLines", [] { return longest_line() + "\n" + longest_line() + "\n"; }},
    {"ALineTooLong", [] { return longest_line() + "x\n" + good; }, "longer than 65536 bytes"},
    {"ManyEvents", many_events}};

/// Where nothing may need the deadline it is long; what is documented to hang need not hang longer.
std::string deadline_of(const std::string& program) {
  const bool hangs = program == "arc_problem" || program == "mutex_problem";
  return hangs ? "--deadline=100" : "--deadline=2000";
}

class EveryProgram : public testing::TestWithParam<std::tuple<std::string, OddFile>> {};

TEST_P(EveryProgram, ObservesWhatItDocumentsOnThisFile) {
  const auto& [program, file] = GetParam();
  const TemporaryFolder folder;
  const auto events = folder.path() / "events.ndjson";
  std::ofstream(events, std::ios::binary) << file.content();

  const auto child =
      run_child(TEST_BINARY_DIR "/" + program,
                {"--events=" + events.string(), deadline_of(program)}, {.time_limit = 10min});

  EXPECT_EQ(child.exit_code, 0) << child.out << child.err;
  if (file.told.empty()) {
    EXPECT_EQ(child.err, "");
  } else {
    EXPECT_THAT(child.err, HasSubstr(file.told));
    EXPECT_EQ(std::ranges::count(child.err, '\n'), 1) << child.err;
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, EveryProgram,
                         Combine(Values("arc_problem", "mutex_problem", "correct_example",
                                        "scope_example", "side_by_side"),
                                 testing::ValuesIn(odd_files)),
                         [](const auto& param) {
                           return std::get<0>(param.param) + "_" + std::get<1>(param.param).name;
                         });

/// A shell's limit under which a program has no room, and the words that it must find.
struct Hardship {
  std::string name;
  std::string limit;
  std::string experiment;
  std::string words;

  friend std::ostream& operator<<(std::ostream& stream, const Hardship& hardship) {
    return stream << hardship.limit;
  }
};

class ProgramWithoutRoom : public testing::TestWithParam<std::tuple<std::string, Hardship>> {};

TEST_P(ProgramWithoutRoom, EndsAtTheFirstFailureAndSaysWhatItWas) {
  const auto& [program, hardship] = GetParam();

  const auto child = run_child(
      "/bin/sh",
      {"-c",
       hardship.limit + "; exec \"$0\" --experiment=" + hardship.experiment + " --deadline=100",
       TEST_BINARY_DIR "/" + program});

  EXPECT_FALSE(child.timed_out);
  EXPECT_EQ(child.exit_code, 1) << child.out;
  EXPECT_THAT(child.err, HasSubstr(hardship.words));
  EXPECT_THAT(child.out, HasSubstr("did not run · NOT as documented"));
}

// A file that must not grow beyond 40 KiB is what a full disk looks like to SQLite.
const std::string full_disk = "trap '' XFSZ; ulimit -f 80";
const std::tuple<std::string, Hardship> hardships[]{
    {"arc_problem", {"FullDisk", full_disk, "leak", "disk I/O error"}},
    {"mutex_problem", {"FullDisk", full_disk, "wrong-thread", "disk I/O error"}},
    {"correct_example", {"FullDisk", full_disk, "logout", "disk I/O error"}},
    {"scope_example", {"FullDisk", full_disk, "logout", "disk I/O error"}},
#if !defined(WITH_ADDRESS_SANITIZER)  // UBSan itself needs a descriptor to look at an exception
    {"arc_problem", {"NoDescriptor", "ulimit -n 20", "leak", "Too many open files"}},
    {"correct_example", {"NoDescriptor", "ulimit -n 20", "logout", "Too many open files"}},
    {"scope_example", {"NoDescriptor", "ulimit -n 20", "logout", "Too many open files"}},
#endif
};

INSTANTIATE_TEST_SUITE_P(Programs, ProgramWithoutRoom, testing::ValuesIn(hardships),
                         [](const auto& param) {
                           return std::get<0>(param.param) + "_" + std::get<1>(param.param).name;
                         });

/// But for what ThreadSanitizer has there for a moment, before main() is called.
std::vector<std::string> left_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with("tsan.rodata.")) names.push_back(name);
  }
  return names;
}

/// Processes that have `folder` in their environment.
bool is_used_by_a_process(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream environment(entry.path() / "environ", std::ios::binary);
    const std::string content(std::istreambuf_iterator<char>(environment), {});
    if (content.find(folder.string()) != std::string::npos) return true;
  }
  return false;
}

class ProgramThatIsToldToEnd : public testing::TestWithParam<std::tuple<std::string, int>> {};

TEST_P(ProgramThatIsToldToEnd, LeavesNoProcessAndNoFolderAtAnyMoment) {
  const auto& [program, number] = GetParam();
  std::mt19937 random(7);
  for (int round = 0; round < 10; ++round) {
    const TemporaryFolder folder;
    // All of them run for longer than that.
    const auto moment =
        std::chrono::milliseconds(1 + random() % (program == "correct_example" ? 100 : 250));

    const auto child = run_child(
        "/usr/bin/env",
        {"TMPDIR=" + folder.path().string(), "timeout", "--preserve-status",
         "--signal=" + std::to_string(number),
         std::to_string(static_cast<double>(moment.count()) / 1000), TEST_BINARY_DIR "/" + program,
         program == "correct_example" ? "--experiment=ctrl-c" : "--deadline=1000"});

    EXPECT_EQ(child.exit_code, 128 + number) << "after " << moment.count() << " ms: " << child.err;
    EXPECT_THAT(left_in(folder.path()), IsEmpty()) << "after " << moment.count() << " ms";
    EXPECT_FALSE(is_used_by_a_process(folder.path())) << "after " << moment.count() << " ms";
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, ProgramThatIsToldToEnd,
                         Combine(Values("arc_problem", "mutex_problem", "correct_example",
                                        "scope_example", "side_by_side"),
                                 Values(SIGINT, SIGTERM, SIGHUP)),
                         [](const auto& param) {
                           return std::get<0>(param.param) + "_" +
                                  std::to_string(std::get<1>(param.param));
                         });

}  // namespace
