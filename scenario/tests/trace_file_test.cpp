#include "scenario/trace_file.hpp"

#include "scenario/surroundings.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace scenario {
namespace {

namespace json = boost::json;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string nothing_dropped = R"({"dropped":0,"error":0})";

class TraceFile : public testing::Test {
 protected:
  /// What is recorded of these raw lines, without the name of the process.
  json::array events_of(const std::string& raw_lines) {
    std::ofstream(raw_) << nothing_dropped << '\n' << raw_lines;
    write_trace(raw_, file_, "program", report_);
    auto events = whole().at("traceEvents").as_array();
    events.erase(events.begin());
    return events;
  }

  json::object whole() const { return json::parse(text_of(file_)).as_object(); }

  static std::string text_of(const std::filesystem::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  const TemporaryFolder folder_;
  const std::filesystem::path raw_ = folder_.path() / "raw";
  const std::filesystem::path file_ = folder_.path() / "recording.json";
  Report report_{.experiment = {.name = "leak"}, .observed = Outcome::leaked};
};

std::string begin(int ns, int thread, const std::string& task) {
  return json::serialize(json::object{{"ns", ns},
                                      {"tid", thread},
                                      {"ph", "B"},
                                      {"cat", "turn"},
                                      {"name", "task"},
                                      {"args", {{"task", task}}}}) +
         "\n";
}

std::string end(int ns, int thread, const std::string& task) {
  return json::serialize(
             json::object{{"ns", ns},
                          {"tid", thread},
                          {"ph", "E"},
                          {"cat", "turn"},
                          {"name", "task"},
                          {"args", {{"task", task}, {"ended", false}, {"waits_for", "a line"}}}}) +
         "\n";
}

std::string mark(int ns, int thread, const std::string& category, const std::string& task) {
  return json::serialize(json::object{{"ns", ns},
                                      {"tid", thread},
                                      {"ph", "i"},
                                      {"cat", category},
                                      {"name", "task"},
                                      {"args", {{"task", task}}}}) +
         "\n";
}

/// "B1" and "s1", with the number of the task.
std::vector<std::string> steps(const json::array& events) {
  std::vector<std::string> words;
  for (const auto& event : events) {
    const auto* const args = event.as_object().if_contains("args");
    const auto& task = args != nullptr ? args->at("task") : event.at("id");
    words.push_back(std::string(event.at("ph").as_string()) + json::serialize(task));
  }
  return words;
}

TEST_F(TraceFile, SaysWhatWasRunAndWhatBecameOfIt) {
  events_of("");

  EXPECT_EQ(whole().at("otherData"), (json::object{{"format", "asio-runtime-sharing recording 1"},
                                                   {"program", "program"},
                                                   {"experiment", "leak"},
                                                   {"outcome", "leaked"},
                                                   {"as_documented", true},
                                                   {"dropped", 0}}));
}

TEST_F(TraceFile, NumbersThreadsAndTasksByFirstAppearance) {
  const auto events =
      events_of(begin(1000, 9, "0xb") + begin(2500, 7, "0xa") + end(3000, 9, "0xb"));

  EXPECT_THAT(steps(events), ElementsAre("B1", "B2", "s1", "E1"));
  EXPECT_EQ(events.at(0).at("tid"), 1);
  EXPECT_EQ(events.at(1).at("tid"), 2);
  EXPECT_EQ(events.at(0).at("ts"), 0.0);
  EXPECT_EQ(events.at(1).at("ts"), 1.5);
}

TEST_F(TraceFile, PutsTheEventsInTheOrderOfTheirTimes) {
  const auto events = events_of(begin(3000, 1, "0xa") + begin(1000, 2, "0xb"));

  EXPECT_EQ(events.at(0).at("ts"), 0.0);
  EXPECT_EQ(events.at(1).at("ts"), 2.0);
}

TEST_F(TraceFile, LeadsASuspensionToWhereTheTaskResumes) {
  const auto events = events_of(begin(1, 1, "0xa") + end(2, 1, "0xa") + begin(3, 2, "0xa"));

  EXPECT_THAT(steps(events), ElementsAre("B1", "s1", "E1", "B1", "f1"));
  EXPECT_EQ(events.at(2).at("args").at("waits_for"), "a line");
  EXPECT_EQ(events.at(4).at("bp"), "e");
}

TEST_F(TraceFile, EndsATurnWhereTheTaskResumesThoughItsThreadComesBackLater) {
  const auto events = events_of(begin(1000, 1, "0xa") + begin(2000, 2, "0xa") +
                                end(3000, 1, "0xa") + end(4000, 2, "0xa"));

  EXPECT_THAT(steps(events), ElementsAre("B1", "s1", "E1", "B1", "f1", "s1", "E1"));
  EXPECT_EQ(events.at(2).at("tid"), 1);
  EXPECT_EQ(events.at(2).at("ts"), 0.999);
}

TEST_F(TraceFile, EndsATaskInTheTurnThatItBeganLast) {
  const auto events =
      events_of(begin(1, 1, "0xa") + begin(2, 2, "0xa") + mark(3, 2, "task ended", "0xa") +
                end(4, 2, "0xa") + end(5, 1, "0xa"));

  EXPECT_THAT(steps(events), ElementsAre("B1", "s1", "E1", "B1", "f1", "E1"));
  EXPECT_EQ(events.at(2).at("args").at("ended"), false);
  EXPECT_EQ(events.at(5).at("args").at("ended"), true);
  EXPECT_EQ(events.at(5).at("args").at("waits_for"), "");
}

TEST_F(TraceFile, GivesTheAddressOfATaskThatHasGoneToAnother) {
  const auto events = events_of(begin(1, 1, "0xa") + mark(2, 1, "task ended", "0xa") +
                                end(3, 1, "0xa") + begin(4, 1, "0xa") + end(5, 1, "0xa") +
                                mark(6, 1, "destroyed", "0xa") + begin(7, 1, "0xa"));

  EXPECT_THAT(steps(events), ElementsAre("B1", "E1", "B2", "s2", "E2", "i2", "B3"));
}

TEST_F(TraceFile, LeavesOutALineThatWasNotWrittenToItsEnd) {
  const auto whole_line = begin(1, 1, "0xa");

  EXPECT_THAT(steps(events_of(whole_line.substr(0, 30))), IsEmpty());
  EXPECT_THAT(steps(events_of(whole_line.substr(0, 30) + "\n" + whole_line)), ElementsAre("B1"));
}

TEST_F(TraceFile, SaysHowManyEventsAreMissingAndWhy) {
  std::ofstream(raw_) << R"({"dropped":           23,"error":    28})" << '\n';

  const auto dropped = write_trace(raw_, file_, "program", report_);

  EXPECT_EQ(dropped.events, 23);
  EXPECT_EQ(dropped.reason, "No space left on device");
  EXPECT_EQ(whole().at("otherData").at("dropped"), 23);
}

TEST_F(TraceFile, RefusesARawFileThatCouldNotBeBegun) {
  std::ofstream(raw_) << "";

  EXPECT_THROW(write_trace(raw_, file_, "program", report_), std::runtime_error);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(TraceFile, LeavesWhatWasThereWhenItCannotWriteAll) {
  std::ofstream(file_) << "before";
  std::ofstream(raw_) << nothing_dropped << '\n';
  std::filesystem::create_directory(folder_.path() / "folder");

  EXPECT_THROW(write_trace(raw_, "/dev/full", "program", report_), std::runtime_error);
  EXPECT_THROW(write_trace(raw_, folder_.path() / "folder", "program", report_),
               std::runtime_error);
  EXPECT_THROW(write_trace(folder_.path() / "no-raw", file_, "program", report_),
               std::runtime_error);

  EXPECT_EQ(text_of(file_), "before");
}

TEST_F(TraceFile, ReplacesWhatALinkLeadsToAndLeavesNothingBesideIt) {
  std::ofstream(raw_) << nothing_dropped << '\n';
  const auto link = folder_.path() / "link.json";
  std::ofstream(file_) << "before";
  std::filesystem::create_symlink(file_, link);

  write_trace(raw_, link, "program", report_);

  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(whole().at("otherData").at("experiment"), "leak");
  std::filesystem::remove(raw_);
  using Entries = std::filesystem::directory_iterator;
  EXPECT_EQ(std::distance(Entries(folder_.path()), Entries()), 2);
}

}  // namespace
}  // namespace scenario
