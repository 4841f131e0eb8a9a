// Each half of each lesson shows what its card documents, on every run; and a lesson is whole.

#include "lessons.hpp"

#include "scenario/child_process.hpp"

#include <boost/algorithm/string/predicate.hpp>
#include <boost/algorithm/string/replace.hpp>
#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace lessons {

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::TestWithParam;
using testing::ValuesIn;

const fs::path repository = TEST_SOURCE_DIR;
constexpr long longest_half = 100;  // lines

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator(stream), {}};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

class Lessons : public TestWithParam<std::string> {
 protected:
  const Lesson lesson = read_lesson(repository, GetParam());
};

TEST_P(Lessons, FailsInTheBrokenHalfAsItsCardSays) {
  EXPECT_THAT(run(lesson, lesson.halves[0], TEST_BINARY_DIR).differences, IsEmpty());
}

TEST_P(Lessons, HoldsInTheCorrectHalfAsItsCardSays) {
  EXPECT_THAT(run(lesson, lesson.halves[1], TEST_BINARY_DIR).differences, IsEmpty());
}

TEST_P(Lessons, DocumentsADifferenceBetweenItsHalves) {
  const auto& [broken, correct] = lesson.halves;
  EXPECT_TRUE(to_json(broken.documented.facts) != to_json(correct.documented.facts) ||
              !broken.documented.sanitizer_report.empty());
  EXPECT_EQ(correct.documented.sanitizer_report, "");
  EXPECT_EQ(correct.documented.ending, scenario::Ending::by_itself);
}

TEST_P(Lessons, FitsOnTwoScreens) {
  for (const auto& half : lesson.halves) {
    const auto text = text_of(half.source);
    EXPECT_LE(std::ranges::count(text, '\n'), longest_half) << half.source;
  }
}

TEST_P(Lessons, HasItsPageAndItsLineInTheIndex) {
  const auto page_name = boost::algorithm::replace_all_copy(lesson.file, "_", "-") + ".md";
  const auto page = text_of(repository / "docs/lessons" / page_name);
  for (const auto* heading :
       {"\n## Predict\n", "\n## Run\n", "\n## You should see\n", "\n## Why\n", "\n## The fix\n",
        "\n## What happens on cancellation here\n", "\n## Try it\n"})
    EXPECT_TRUE(has(page, heading)) << page_name << heading;
  EXPECT_TRUE(has(page, "<!-- run: lesson " + lesson.number + " -->")) << page_name;
  EXPECT_TRUE(has(page, lesson.symptom)) << page_name << ": " << lesson.symptom;

  const auto index = text_of(repository / "docs/lessons/README.md");
  EXPECT_TRUE(has(index, "(" + page_name + ")")) << page_name;
  auto symptom = boost::algorithm::replace_all_copy(lesson.symptom, "|", "\\|");
  EXPECT_TRUE(has(index, symptom)) << symptom;
}

INSTANTIATE_TEST_SUITE_P(Every, Lessons, ValuesIn(lesson_files(repository)),
                         [](const auto& param) { return param.param; });

// ---- The program

scenario::ChildResult run_lesson(const std::vector<std::string>& arguments) {
  return scenario::run_child(fs::path(TEST_BINARY_DIR) / "lesson", arguments);
}

TEST(Lesson, ListsAllByGroupWithTheirSymptom) {
  const auto listed = run_lesson({});
  EXPECT_EQ(listed.exit_code, 0);
  for (const auto& one : read_lessons(repository)) {
    EXPECT_THAT(listed.out, HasSubstr(one.group + "\n"));
    EXPECT_THAT(listed.out, HasSubstr(one.name()));
    EXPECT_THAT(listed.out, HasSubstr(one.symptom));
  }
}

TEST(Lesson, IsFoundByItsNumberByItsNameAndByAPartOfIt) {
  const auto first = read_lessons(repository).front();
  const auto by_number = run_lesson({first.number, "--source", "--broken"});
  EXPECT_EQ(by_number.out, text_of(first.halves[0].source));
  EXPECT_EQ(run_lesson({first.file, "--source", "--broken"}).out, by_number.out);
  EXPECT_EQ(run_lesson({first.title, "--source", "--broken"}).out, by_number.out);
}

TEST(Lesson, ShowsTheDifferenceOfItsHalves) {
  const auto diff = run_lesson({read_lessons(repository).front().number, "--diff"});
  EXPECT_EQ(diff.exit_code, 0);
  EXPECT_THAT(diff.out, HasSubstr("--- broken/"));
  EXPECT_THAT(diff.out, HasSubstr("+++ correct/"));
}

TEST(Lesson, TellsProgramsWhatItObserved) {
  const auto first = read_lessons(repository).front();
  const auto said = boost::json::parse(run_lesson({first.number, "--json"}).out).as_object();
  EXPECT_EQ(said.at("as_documented"), true);
  EXPECT_EQ(said.at("experiments").as_array().size(), 2u);
}

TEST(Lesson, ThatIsUnknownGetsASuggestionAndExitCode2) {
  const auto unknown = run_lesson({"off_the_strands"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean"));
  EXPECT_THAT(unknown.err, HasSubstr("05 off the strand"));
  const auto strange = run_lesson({"zzz"});
  EXPECT_EQ(strange.exit_code, 2);
  EXPECT_THAT(strange.err, HasSubstr("'lesson' lists them"));
  const auto several = run_lesson({"the"});
  EXPECT_EQ(several.exit_code, 2);
  EXPECT_THAT(several.err, HasSubstr("is in several lessons"));
}

}  // namespace
}  // namespace lessons
