// lesson · the lessons, found by number or name, both halves run and compared with their cards
// Run       build/release/bin/lesson 05
// Why       docs/lessons/README.md
#include "scenario/child_process.hpp"
#include "scenario/command_line.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/algorithm/string/predicate.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/json/value_from.hpp>
#include <spdlog/fmt/fmt.h>

#include "lessons.hpp"
#include <algorithm>
#include <fstream>
#include <iostream>
#include <unistd.h>

namespace {

namespace json = boost::json;
namespace po = boost::program_options;
using lessons::Half;
using lessons::Lesson;
using scenario::Report;
using scenario::Style;
using scenario::styled;
using scenario::UsageError;

const std::string name = "lesson";

std::filesystem::path binaries() {
  return scenario::this_program().parent_path();
}

// ---- Which of them

std::string names_of(const std::vector<Lesson>& some) {
  std::vector<std::string> names;
  std::ranges::transform(some, std::back_inserter(names), &Lesson::name);
  return boost::algorithm::join(names, ", ");
}

/// Those that share a word with what was asked for.
std::vector<Lesson> similar_to(const std::vector<Lesson>& all, const std::string& words) {
  std::vector<std::string> asked;
  boost::algorithm::split(asked, words, [](char c) { return c == ' ' || c == '_' || c == '-'; });
  std::vector<Lesson> similar;
  std::ranges::copy_if(all, std::back_inserter(similar), [&](const Lesson& lesson) {
    return std::ranges::any_of(asked, [&](const std::string& word) {
      const auto stem = word.substr(0, std::max<std::size_t>(3, word.size() - 2));
      return stem.size() >= 3 && (boost::algorithm::icontains(lesson.name(), stem) ||
                                  boost::algorithm::icontains(lesson.symptom, stem));
    });
  });
  return similar;
}

const Lesson& find(const std::vector<Lesson>& all, const std::string& words) {
  std::vector<Lesson> found;
  for (const auto& lesson : all) {
    if (lesson.number == words || lesson.file == words || lesson.name() == words) return lesson;
    if (boost::algorithm::icontains(lesson.name(), words) ||
        boost::algorithm::icontains(lesson.file, words))
      found.push_back(lesson);
  }
  if (found.size() > 1)
    throw UsageError("'" + words + "' is in several lessons: " + names_of(found));
  if (found.empty()) {
    const auto similar = similar_to(all, words);
    throw UsageError(
        "no lesson '" + words + "'; " +
        (similar.empty() ? "'lesson' lists them" : "did you mean " + names_of(similar) + "?"));
  }
  return *std::ranges::find(all, found.front().file, &Lesson::file);
}

// ---- For people

constexpr std::size_t name_width = 26;
constexpr std::size_t value_width = 25;

void print_list(const std::vector<Lesson>& all) {
  std::vector<std::string> groups;
  for (const auto& lesson : all)
    if (std::ranges::find(groups, lesson.group) == groups.end()) groups.push_back(lesson.group);
  for (const auto& group : groups) {
    std::cout << styled(Style::strong, group) << '\n';
    for (const auto& lesson : all)
      if (lesson.group == group)
        std::cout << fmt::format("  {:34} {}\n", lesson.name(), lesson.symptom);
  }
  std::cout << "\n'lesson NN' runs both halves of one, 'lesson all' runs all.\n";
}

std::string in_words(const json::value& value) {
  return boost::algorithm::join(scenario::fact_lines(value, std::string::npos), ", ");
}

/// As it was observed; of a bound or a fact that varies, with what is documented.
std::string cell(const Report& report, const std::string& fact) {
  const auto* observed = report.facts.if_contains(fact);
  if (observed == nullptr) return "-";
  const auto documented =
      std::ranges::find(report.experiment.facts, fact, &scenario::Documented::fact);
  if (documented == report.experiment.facts.end()) return in_words(*observed);
  using Kind = scenario::Documented::Kind;
  const auto limit = in_words(documented->value);
  switch (documented->kind) {
    case Kind::is:
      return in_words(*observed);
    case Kind::at_least:
      return in_words(*observed) + " (at least " + limit + ")";
    case Kind::at_most:
      return in_words(*observed) + " (at most " + limit + ")";
    case Kind::varies:
      return in_words(*observed) + " (varies)";
  }
  return {};
}

std::vector<std::string> facts_of(const std::vector<Report>& reports) {
  std::vector<std::string> facts;
  const auto add = [&](std::string_view fact) {
    if (std::ranges::find(facts, fact) == facts.end()) facts.emplace_back(fact);
  };
  for (const auto& report : reports)
    for (const auto& documented : report.experiment.facts) add(documented.fact);
  for (const auto& report : reports)
    for (const auto& fact : report.facts) add(fact.key());
  return facts;
}

void print_row(const std::string& left, const std::vector<std::string>& cells) {
  std::string line = fmt::format("  {:{}}", left, name_width);
  for (const auto& text : cells) line += fmt::format(" {:{}}", text, value_width);
  line.erase(line.find_last_not_of(' ') + 1);
  std::cout << line << '\n';
}

void print_reports(const Lesson& lesson, const std::vector<Report>& reports) {
  std::cout << lesson.name() << " · " << lesson.symptom << "\n\n";
  std::vector<std::string> heads;
  for (const auto& report : reports) heads.push_back(report.experiment.name.substr(3));
  print_row("", heads);
  for (const auto& fact : facts_of(reports)) {
    std::vector<std::string> cells;
    for (const auto& report : reports) cells.push_back(cell(report, fact));
    print_row(fact, cells);
  }
  std::cout << '\n';
  for (const auto& report : reports) {
    const auto& half = *std::ranges::find_if(lesson.halves, [&](const Half& one) {
      return one.documented.name == report.experiment.name;
    });
    const auto verdict = report.as_documented() ? styled(Style::good, "as documented")
                                                : styled(Style::bad, "NOT as documented");
    std::cout << fmt::format("{:8} {}", half.side, verdict)
              << (report.sanitizer.empty() ? "" : ", " + report.sanitizer) << '\n';
    for (const auto& line : scenario::wrap(half.why, scenario::output_width() - 9))
      std::cout << "         " << line << '\n';
    for (const auto& line : report.differences) std::cout << "         " << line << '\n';
  }
}

void print_source(const Half& half) {
  std::cout << std::ifstream(half.source).rdbuf();
}

/// As diff prints it; that there are differences is no failure.
int print_diff(const Lesson& lesson) {
  const auto child = scenario::run_child(
      "/usr/bin/env",
      {"diff", "-U2", "--label", "broken/" + lesson.file + ".cpp", "--label",
       "correct/" + lesson.file + ".cpp", lesson.halves[0].source, lesson.halves[1].source});
  if (child.exit_code != 1) throw std::runtime_error("cannot compare the halves: " + child.err);
  std::cout << child.out;
  return 0;
}

// ---- For programs

void print_list_as_json(const std::vector<Lesson>& all) {
  json::array experiments;
  for (const auto& lesson : all)
    for (const auto& half : lesson.halves) {
      json::object one{{"name", half.documented.name},
                       {"lesson", lesson.name()},
                       {"group", lesson.group},
                       {"symptom", lesson.symptom},
                       {"facts", to_json(half.documented.facts)}};
      if (!half.documented.sanitizer_report.empty())
        one["sanitizer"] = half.documented.sanitizer_report;
      experiments.push_back(std::move(one));
    }
  scenario::print_json(std::cout, json::object{{"program", name},
                                               {"version", scenario::project_version()},
                                               {"boost", scenario::boost_version()},
                                               {"experiments", std::move(experiments)}});
}

json::object to_json(const Report& report) {
  json::object object{{"name", report.experiment.name},
                      {"as_documented", report.as_documented()},
                      {"facts", report.facts},
                      {"differences", json::value_from(report.differences)},
                      {"duration_ms", report.duration_ms}};
  if (!report.sanitizer.empty()) object["sanitizer"] = report.sanitizer;
  return object;
}

void print_as_json(const std::vector<Report>& reports) {
  json::array experiments;
  for (const auto& report : reports) experiments.push_back(to_json(report));
  scenario::print_json(
      std::cout,
      json::object{{"program", name},
                   {"version", scenario::project_version()},
                   {"boost", scenario::boost_version()},
                   {"experiments", std::move(experiments)},
                   {"as_documented", std::ranges::all_of(reports, &Report::as_documented)}});
}

// ---- The command line

struct Request {
  bool broken = true;
  bool correct = true;
  bool json = false;
  bool source = false;
  bool diff = false;

  bool wants(const Half& half) const { return half.side == "broken" ? broken : correct; }
};

std::vector<Report> run_halves(const Lesson& lesson, const Request& request) {
  std::vector<Report> reports;
  for (const auto& half : lesson.halves)
    if (request.wants(half)) reports.push_back(run(lesson, half, binaries()));
  return reports;
}

void complain_of(const std::vector<Report>& reports) {
  for (const auto& report : reports)
    if (!report.as_documented())
      scenario::complain(name, report.experiment.name + ": " + report.differences.front());
}

int answer(const Lesson& lesson, const Request& request) {
  if (request.diff) return print_diff(lesson);
  if (request.source) {
    for (const auto& half : lesson.halves)
      if (request.wants(half)) print_source(half);
    return 0;
  }
  const scenario::SignalsHeld held;
  const auto reports = run_halves(lesson, request);
  complain_of(reports);
  request.json ? print_as_json(reports) : print_reports(lesson, reports);
  return std::ranges::all_of(reports, &Report::as_documented) ? 0 : 1;
}

int run_all(const std::vector<Lesson>& all, const Request& request) {
  const scenario::SignalsHeld held;
  const bool show_progress = ::isatty(STDERR_FILENO) == 1;
  std::vector<Report> reports;
  std::size_t number = 0;
  for (const auto& lesson : all) {
    if (show_progress)
      std::cerr << fmt::format("\r{:2} of {} · {:40}", ++number, all.size(), lesson.name());
    std::ranges::move(run_halves(lesson, request), std::back_inserter(reports));
  }
  if (show_progress) std::cerr << "\r" << std::string(60, ' ') << "\r";
  complain_of(reports);
  const auto good = std::ranges::count_if(reports, &Report::as_documented);
  if (request.json)
    print_as_json(reports);
  else
    std::cout << fmt::format("{} of {} halves as documented.\n", good, reports.size());
  return good == std::ssize(reports) ? 0 : 1;
}

po::options_description options() {
  const auto width = static_cast<unsigned>(scenario::output_width());
  po::options_description all("Options", width, width / 2);
  all.add_options()                                                  //
      ("help", "print this help and end; so does -h")                //
      ("version", "print the version and end")                       //
      ("list", "print the lessons; with --json what they document")  //
      ("broken", "only the broken half")                             //
      ("correct", "only the correct half")                           //
      ("source", "print the sources, and run nothing")               //
      ("diff", "print how the halves differ, and run nothing")       //
      ("json", "print one JSON object and nothing else");
  return all;
}

void print_help() {
  std::cout << "usage: lesson [LESSON | all] [options]\n"
            << "pairs of small programs, broken and correct, found by their symptom\n\n"
            << options() << "\nLESSON is a number, a name, or a part of one that no other has.\n"
            << "Exit code: 0 observed what is documented, 1 did not, 2 wrong use.\n";
}

int run_command_line(std::vector<const char*> arguments) {
  std::vector<std::string> asked;  // what is no option
  std::erase_if(arguments, [&, first = true](const char* text) mutable {
    const bool is_option = std::exchange(first, false) || *text == '-';
    if (!is_option) asked.emplace_back(text);
    return !is_option;
  });
  const auto given =
      scenario::parse_strictly(static_cast<int>(arguments.size()), arguments.data(), options());
  const auto has = [&](const char* option) { return given.count(option) > 0; };
  const Request request{has("broken") || !has("correct"), has("correct") || !has("broken"),
                        has("json"), has("source"), has("diff")};
  if (request.source + request.diff + request.json > 1)
    throw UsageError("choose one of --source, --diff, --json");
  if (has("help")) return print_help(), 0;
  if (has("version")) return std::cout << scenario::version_line(name) << '\n', 0;
  const auto all = lessons::read_lessons(SOURCE_DIR);
  const auto words = boost::algorithm::join(asked, " ");
  if (words == "all" && !request.source && !request.diff) return run_all(all, request);
  if (!words.empty()) return answer(find(all, words), request);
  if (request.source || request.diff) throw UsageError("name a lesson; 'lesson' lists them");
  request.json ? print_list_as_json(all) : print_list(all);
  return 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  return scenario::exit_code_of(name, [&] { return run_command_line({argv, argv + argc}); });
}
