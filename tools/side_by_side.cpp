// side_by_side · the four approaches on the same events, in one table
// Run       ./build/release/bin/side_by_side
// Expected  shared_ptr alone: leaked · mutex + optional: stuck · the other two: finished
// Why       README.md
#include "scenario/child_process.hpp"
#include "scenario/command_line.hpp"
#include "scenario/output.hpp"
#include "scenario/session_facts.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/algorithm/string/replace.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <limits>

namespace {

namespace json = boost::json;
namespace po = boost::program_options;
using namespace std::chrono_literals;
using scenario::at_most;
using scenario::is;

const std::string name = "side_by_side";
const std::string title = "one session, four ways to share its runtime";

struct Approach {
  std::string title;
  std::string program;
  std::string experiment;
  std::size_t width;  ///< of its column in the table for people: what is bad takes words
  bool runtime_lives_on = false;
};

const std::array<Approach, 4> approaches{{
    {"shared_ptr alone", "arc_problem", "two-worlds", 18},
    {"mutex + optional", "mutex_problem", "logout-blocked", 18},
    {"shared_ptr + token + scope", "correct_example", "relogin", 11},
    {"one runtime + session scopes", "scope_example", "relogin", 11, true},
}};

/// One row of the table.
struct Row {
  scenario::Documented good;  ///< which fact it shows, and which of its values are not bad ones
  std::string_view meaning;
};

const std::string outcome = "outcome";
const std::string threads_left = "runtime_threads_left";

/// The outcome, then the facts in the order in which the programs print them. That a logout took
/// long is not bad; that it had to be freed from outside, which is told in words, is.
const std::array<Row, 12> rows{{
    {is(outcome, "finished"), "outcome"},
    {at_most("logout_ms", std::numeric_limits<double>::infinity()), "logout took (ms)"},
    {is("logout_returned", true), "logout returned"},
    {is("owners_left", 0), "owners left"},
    {is(threads_left, 0), "threads left"},
    {is("rows_after_logout", 0), "rows after logout"},
    {is("samples_lost", 0), "samples lost"},
    {is("connections_open", 0), "connections open"},
    {at_most("longest_ui_freeze_ms", scenario::noticeable_freeze_ms), "UI freeze (ms)"},
    {is("relogin", "clean"), "next login"},
    {at_most("runtimes_at_once", 1), "runtimes at once"},
    {is("stragglers", json::array()), "stragglers"},
}};

const std::string legend =
    "With one runtime its threads are there after a logout, for the next session.";

/// One approach and what its program reported.
struct Column {
  Approach approach;
  json::object report;  ///< of the experiment: name, expected, observed, facts, duration_ms
  bool as_documented = false;
};

using Columns = std::vector<Column>;

// The programs have watchdogs of their own; this one is for a program that has lost its own.
constexpr std::chrono::milliseconds grace = 120s;

std::filesystem::path beside_this(const Approach& approach) {
  const auto folder = scenario::this_program().parent_path();
  const auto file = folder / approach.program;
  if (!std::filesystem::exists(file))
    throw std::runtime_error(approach.program + " is missing in " + folder.string() +
                             ": build it first");
  return file;
}

scenario::ChildResult start(const Approach& approach, const scenario::CommonOptions& options) {
  auto arguments = scenario::to_arguments(options);
  arguments.insert(arguments.end(), {"--json", "--experiment=" + approach.experiment});
  scenario::ChildOptions child_options;
  child_options.time_limit = options.settings.deadline + grace;
  return scenario::run_child(beside_this(approach), arguments, child_options);
}

Column read_column(const Approach& approach, const std::string& output) try {
  const auto said = json::parse(output).as_object();
  return {approach, said.at("experiments").as_array().at(0).as_object(),
          said.at("as_documented").as_bool()};
} catch (const std::exception&) {
  throw std::runtime_error(approach.program + " did not report what it observed");
}

Column run(const Approach& approach, const scenario::CommonOptions& options) {
  const auto child = start(approach, options);
  if (child.exit_code != 0 || spdlog::should_log(spdlog::level::info))
    std::cerr << child.err << std::flush;
  auto column = read_column(approach, child.out);
  column.as_documented = column.as_documented && child.exit_code == 0;
  return column;
}

/// The value of a row in a column; null where it was not measured.
json::value value_in(const Column& column, const Row& row) {
  if (row.good.fact == outcome) return column.report.at("observed");
  const auto& facts = column.report.at("facts").as_object();
  const auto* fact = facts.if_contains(row.good.fact);
  return fact != nullptr ? *fact : json::value{};
}

// Threads that are left are bad where the runtime should have ended.
bool is_bad(const Column& column, const Row& row, const json::value& value) {
  if (value.is_null() || row.good.allows(value)) return false;
  return !(column.approach.runtime_lives_on && row.good.fact == threads_left);
}

bool all_as_documented(const Columns& columns) {
  return std::ranges::all_of(columns, &Column::as_documented);
}

// --- the table for people -------------------------------------------------------------------

constexpr std::size_t label_width = 17;

struct Cell {
  std::vector<std::string> lines;
  bool bad = false;
};

Cell cell_in(const Column& column, const Row& row) {
  const auto value = value_in(column, row);
  const std::string mark = " !";
  const auto width = column.approach.width - mark.size();
  Cell cell{scenario::fact_lines(value, width), is_bad(column, row, value)};
  if (cell.bad) cell.lines.back() += mark;
  return cell;
}

void print_row(const std::string& label, const std::vector<Cell>& cells) {
  std::size_t height = 1;
  for (const auto& cell : cells) height = std::max(height, cell.lines.size());
  for (std::size_t line = 0; line < height; ++line) {
    std::string text = fmt::format("{:{}}", line == 0 ? label : "", label_width);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto& cell = cells[i];
      const auto content = line < cell.lines.size() ? cell.lines[line] : "";
      const auto filled = fmt::format("{:{}}", content, approaches[i].width);
      text += " " + (cell.bad ? scenario::styled(scenario::Style::bad, filled) : filled);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    std::cout << text << '\n';
  }
}

void print_differences(const Columns& columns) {
  for (const auto& [approach, report, as_documented] : columns)
    if (!as_documented)
      std::cout << scenario::styled(scenario::Style::bad, "NOT as documented") << ": "
                << approach.program << " " << approach.experiment << " (see above)\n";
}

void print_table(const Columns& columns) {
  std::cout << name << " " << scenario::project_version() << " · " << title << "\n\n";
  std::vector<Cell> heads;
  for (const auto& column : columns)
    heads.push_back({scenario::wrap(column.approach.title, column.approach.width)});
  print_row("", heads);
  std::size_t width = label_width;
  for (const auto& approach : approaches) width += 1 + approach.width;
  std::cout << std::string(width, '-') << '\n';
  for (const auto& row : rows) {
    std::vector<Cell> cells;
    for (const auto& column : columns) cells.push_back(cell_in(column, row));
    print_row(std::string(row.meaning), cells);
  }
  std::cout << "\n! bad    - not measured    ms: milliseconds\n" << legend << '\n';
  print_differences(columns);
}

// --- for README files and for programs --------------------------------------------------------

std::string markdown_cell(const Column& column, const Row& row) {
  const auto value = value_in(column, row);
  auto text = boost::algorithm::join(scenario::fact_lines(value, std::string::npos), ", ");
  boost::algorithm::replace_all(text, "|", "\\|");
  return is_bad(column, row, value) ? "**" + text + " !**" : text;
}

void print_markdown(const Columns& columns) {
  std::cout << "| |";
  for (const auto& column : columns) std::cout << " " << column.approach.title << " |";
  std::cout << "\n|---|";
  for (std::size_t i = 0; i < columns.size(); ++i) std::cout << "---|";
  for (const auto& row : rows) {
    std::cout << "\n| " << row.meaning << " |";
    for (const auto& column : columns) std::cout << " " << markdown_cell(column, row) << " |";
  }
  std::cout << "\n\n**!** bad, - not measured, ms: milliseconds. " << legend << '\n';
}

json::object to_json(const Column& column) {
  json::object object{{"approach", column.approach.title}, {"program", column.approach.program}};
  for (const auto& member : column.report) object.insert(member);
  object["as_documented"] = column.as_documented;
  return object;
}

void print_json(const Columns& columns) {
  json::array objects;
  for (const auto& column : columns) objects.push_back(to_json(column));
  scenario::print_json(std::cout, json::object{{"program", name},
                                               {"version", scenario::project_version()},
                                               {"boost", scenario::boost_version()},
                                               {"columns", std::move(objects)},
                                               {"as_documented", all_as_documented(columns)}});
}

// --- the command line -------------------------------------------------------------------------

po::options_description options() {
  auto all = scenario::common_options();
  all.add_options()("markdown", "print the table in GitHub's Markdown")  //
      ("list", "print what it runs, and with --json what its rows are");
  return all;
}

void print_what_it_runs() {
  for (const auto& approach : approaches)
    std::cout << "  " << approach.program << " --experiment " << approach.experiment << '\n';
}

void print_help() {
  std::cout << "usage: " << name << " [options]\n"
            << title << "\n\n"
            << options() << "\nIt runs:\n";
  print_what_it_runs();
  std::cout << "\nExit code: 0 all observed what they document, 1 one did not, 2 wrong use.\n";
}

void print_list_as_json() {
  json::array row_objects;
  for (const auto& [good, meaning] : rows)
    if (good.fact != outcome)
      row_objects.push_back(json::object{{"fact", good.fact}, {"meaning", meaning}});
  json::array column_objects;
  for (const auto& approach : approaches)
    column_objects.push_back(
        json::object{{"title", boost::json::string(approach.title)},
                     {"program", boost::json::string(approach.program)},
                     {"experiment", boost::json::string(approach.experiment)}});
  scenario::print_json(std::cout, json::object{{"program", name},
                                               {"rows", std::move(row_objects)},
                                               {"columns", std::move(column_objects)}});
}

int compare(const po::variables_map& given) {
  const bool markdown = given.count("markdown") > 0;
  const auto common = scenario::read_common(given);
  if (markdown && common.json) throw scenario::UsageError("--markdown does not go with --json");
  scenario::log_to_stderr(common.log_level);
  for (const auto& approach : approaches) beside_this(approach);
  scenario::tell_rejected_lines(name, common.settings);

  const scenario::SignalsHeld held;
  Columns columns;
  for (const auto& approach : approaches) columns.push_back(run(approach, common));
  if (common.json)
    print_json(columns);
  else if (markdown)
    print_markdown(columns);
  else
    print_table(columns);
  return all_as_documented(columns) ? 0 : 1;
}

int run_command_line(int argc, const char* const argv[]) {
  const auto given = scenario::parse_strictly(argc, argv, options());
  if (given.count("help") > 0)
    print_help();
  else if (given.count("version") > 0)
    std::cout << scenario::version_line(name) << '\n';
  else if (given.count("list") > 0 && given.count("json") > 0)
    print_list_as_json();
  else if (given.count("list") > 0)
    print_what_it_runs();
  else
    return compare(given);
  return 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  return scenario::exit_code_of(name, [&] { return run_command_line(argc, argv); });
}
