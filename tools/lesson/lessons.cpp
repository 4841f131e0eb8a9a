#include "lessons.hpp"

#include "scenario/child_process.hpp"

#include <boost/algorithm/string/replace.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/algorithm/string/trim.hpp>
#include <boost/json/value_from.hpp>
#include <boost/lexical_cast/try_lexical_convert.hpp>
#include <boost/regex.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

namespace lessons {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using scenario::Documented;
using scenario::Ending;

// A half that documents that it hangs has this time after its last fact, to go on after all.
constexpr std::chrono::milliseconds time_to_go_on = 500ms;
constexpr std::chrono::milliseconds safety_net = 60s;

const std::array<std::string, 2> sides{"broken", "correct"};

fs::path folder_of(const fs::path& repository, const std::string& side) {
  return repository / (side + "-example") / "lessons";
}

[[noreturn]] void refuse(const fs::path& source, const std::string& reason) {
  throw std::runtime_error(source.string() + ": " + reason);
}

using Keys = std::set<std::string>;
const Keys of_lessons{"Group", "Symptom", "Expected", "Why"};

/// The comment lines at the top: the head, then the text of each key; a line without a key goes on
/// with the one before.
std::map<std::string, std::string> read_card(const fs::path& source, const Keys& needed,
                                             const Keys& known) {
  std::ifstream stream(source);
  if (!stream) refuse(source, "cannot be read");
  std::map<std::string, std::string> card;
  const boost::regex with_key(R"(// (\w+) {2,}(\S.*))");
  std::string current = "head";
  for (std::string line; std::getline(stream, line) && line.starts_with("//");) {
    boost::smatch match;
    const bool begins = boost::regex_match(line, match, with_key);
    if (begins) current = match[1];
    auto& text = card[current];
    if (!text.empty()) text += ' ';
    text += begins ? match[2].str() : boost::algorithm::trim_copy(line.substr(2));
  }
  for (const auto& key : needed)
    if (!card.contains(key)) refuse(source, "its card has no line '" + key + "'");
  for (const auto& [key, text] : card)
    if (key != "head" && !needed.contains(key) && !known.contains(key))
      refuse(source, "its card has an unknown line '" + key + "'");
  return card;
}

/// A number where it is one.
json::value value_of(const std::string& text) {
  std::int64_t whole = 0;
  double number = 0;
  if (boost::conversion::try_lexical_convert(text, whole)) return whole;
  if (boost::conversion::try_lexical_convert(text, number)) return number;
  return json::value_from(text);
}

Documented fact_of(const fs::path& source, const std::string& words) {
  const boost::regex form(R"((\w+) (?:(at least|at most) (?=[-\d])|(varies): )?(.+))");
  boost::smatch match;
  if (!boost::regex_match(words, match, form))
    refuse(source, "its card expects '" + words + "', which is no 'name value'");
  const auto kind = match[3].matched        ? Documented::Kind::varies
                    : !match[2].matched     ? Documented::Kind::is
                    : match[2] == "at most" ? Documented::Kind::at_most
                                            : Documented::Kind::at_least;
  return {match[1], kind, value_of(match[4])};
}

std::vector<Documented> facts_of(const fs::path& source, std::string expected) {
  boost::algorithm::replace_all(expected, " · ", "\n");
  std::vector<std::string> parts;
  boost::algorithm::split(parts, expected, [](char c) { return c == '\n'; });
  std::vector<Documented> facts;
  for (const auto& part : parts) facts.push_back(fact_of(source, part));
  return facts;
}

Ending ending_of(const fs::path& source, const std::string& word) {
  if (word.empty()) return Ending::by_itself;
  if (word == "watchdog") return Ending::by_watchdog;
  if (word == "abort") return Ending::by_abort;
  refuse(source, "its card has the ending '" + word + "'; choose from watchdog, abort");
}

bool ended_as_documented(Ending ending, const scenario::ChildResult& child) {
  if (ending == Ending::by_watchdog) return child.timed_out;
  if (ending == Ending::by_abort) return child.signal == SIGABRT;
  return child.exit_code == 0;
}

bool has_all_facts(const Half& half, const std::string& printed) {
  const auto facts = facts_in(printed);
  return printed.ends_with('\n') &&
         std::ranges::all_of(half.documented.facts,
                             [&](const auto& one) { return facts.contains(one.fact); });
}

/// What a broken half leaves behind is what it shows.
void forgive_leaks_of(const Half& half) {
  const bool broken = half.side == "broken";
  ::setenv("ASAN_OPTIONS", broken ? "detect_leaks=0" : "detect_leaks=1", 1);
  ::setenv("TSAN_OPTIONS", broken ? "report_thread_leaks=0" : "report_thread_leaks=1", 1);
}

}  // namespace

json::object facts_in(std::string_view output) {
  json::object facts;
  std::istringstream lines{std::string(output)};
  for (std::string line; std::getline(lines, line);) {
    const auto blank = line.find(' ');
    const auto value = blank == line.npos ? "" : line.substr(blank + 1);
    facts[line.substr(0, blank)] = value_of(value);
  }
  return facts;
}

Half read_half(const fs::path& source, const std::string& side) {
  auto card = read_card(source, of_lessons, {"Ending", "Report"});
  Half half{
      .side = side, .source = source, .what_it_does = {}, .why = card["Why"], .documented = {}};
  boost::smatch head;
  if (!boost::regex_match(card["head"], head, boost::regex(R"((\d\d) .* · (.+))")))
    refuse(source, "its first line is not '// NN title · what this half does'");
  half.what_it_does = head[2];
  half.documented = {.name = head[1] + "-" + side,
                     .facts = facts_of(source, card["Expected"]),
                     .ending = ending_of(source, card["Ending"]),
                     .sanitizer_report = card["Report"]};
  return half;
}

Half read_step(const fs::path& source) {
  auto card = read_card(source, {"Run", "Expected", "Why"}, {});
  return {.side = "",
          .source = source,
          .what_it_does = card["head"],
          .why = card["Why"],
          .documented = {.name = source.stem(), .facts = facts_of(source, card["Expected"])}};
}

std::vector<std::string> lesson_files(const fs::path& repository) {
  std::set<std::string> files;
  for (const auto& side : sides) {
    const auto folder = folder_of(repository, side);
    if (!fs::is_directory(folder)) refuse(folder, "is no folder: the sources have moved");
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".cpp") files.insert(entry.path().stem());
  }
  if (files.empty()) refuse(folder_of(repository, sides[0]), "has no lesson");
  return {files.begin(), files.end()};
}

Lesson read_lesson(const fs::path& repository, const std::string& file) {
  std::array<fs::path, sides.size()> sources;
  for (std::size_t i = 0; i < sides.size(); ++i) {
    sources[i] = folder_of(repository, sides[i]) / (file + ".cpp");
    if (!fs::exists(sources[i])) refuse(sources[i], "is missing: a lesson has two halves");
  }
  boost::smatch name;
  if (!boost::regex_match(file, name, boost::regex(R"((\d\d)_(\w+))")))
    refuse(sources[0], "its name is not NN_words.cpp");
  std::string title = name[2];
  std::ranges::replace(title, '_', ' ');
  auto card = read_card(sources[0], of_lessons, {"Ending", "Report"});
  return {file,
          name[1],
          title,
          card["Group"],
          card["Symptom"],
          {read_half(sources[0], sides[0]), read_half(sources[1], sides[1])}};
}

std::vector<Lesson> read_lessons(const fs::path& repository) {
  std::vector<Lesson> lessons;
  for (const auto& file : lesson_files(repository))
    lessons.push_back(read_lesson(repository, file));
  return lessons;
}

scenario::Report run(const Lesson& lesson, const Half& half, const fs::path& binaries) {
  const auto program = binaries / "lessons" / lesson.file / half.side;
  if (!fs::exists(program))
    throw std::runtime_error(program.string() + " is missing: build " + lesson.file + " first");
  return run(half, program);
}

scenario::Report run(const Half& half, const fs::path& program) {
  forgive_leaks_of(half);
  const auto begun = Clock::now();
  bool all_told = false;
  const auto end_once_it_hangs = [&](const std::string& printed, scenario::RunningChild& child) {
    if (all_told || half.documented.ending != Ending::by_watchdog) return;
    if (!has_all_facts(half, printed)) return;
    all_told = true;
    child.end_after(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun) +
                    time_to_go_on);
  };
  const auto child =
      scenario::run_child(program, {}, {.time_limit = safety_net}, end_once_it_hangs);

  scenario::Report report{.experiment = half.documented,
                          .facts = facts_in(child.out),
                          .duration_ms = child.duration.count()};
  const auto finding = scenario::sanitizer_finding(child.err);
  report.sanitizer = finding.value_or("");
  const auto& documented_report = half.documented.sanitizer_report;
  const bool proved = finding && *finding == documented_report;
  report.differences = differences(half.documented, report.facts, proved);
  auto& wrong = report.differences;
  if (!proved && !ended_as_documented(half.documented.ending, child))
    wrong.push_back(scenario::ending_of(child));
  if (finding && !proved) wrong.push_back("found by " + *finding);
  if (scenario::sanitizer_of_this_build(documented_report) && !proved)
    wrong.push_back("documented " + documented_report + ", not found");
  if (!finding && !child.err.empty() && half.documented.ending != Ending::by_abort)
    wrong.push_back("standard error: " + scenario::one_line(child.err));
  return report;
}

}  // namespace lessons
