#include "scenario/program_output.hpp"

#include "scenario/command_line.hpp"
#include "scenario/terminal.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <iomanip>
#include <sstream>
#include <utility>

namespace scenario {
namespace {

constexpr std::size_t narrowest_key_column = 24;
const std::string indent = "  ";

std::string with_one_decimal(double number) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << number;
  return text.str();
}

/// The shortest decimal number that reads back as the same one.
std::string plain_number(double number) {
  std::array<char, 400> text{};  // the longest double has 309 digits before its point
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed).ptr;
  return {text.data(), end};
}

std::string fact_text(const boost::json::value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "-";
    case boost::json::kind::bool_:
      return value.get_bool() ? "yes" : "no";
    case boost::json::kind::double_:
      return with_one_decimal(value.get_double());
    case boost::json::kind::string:
      return std::string(value.get_string());
    default:
      return boost::json::serialize(value);
  }
}

std::vector<std::string> array_lines(const boost::json::array& array, std::size_t width) {
  if (array.empty()) return {"none"};
  std::vector<std::string> texts;
  for (const auto& element : array) texts.push_back(fact_text(element));
  if (const auto joined = boost::algorithm::join(texts, ", "); columns(joined) <= width)
    return wrap(joined, width);
  std::vector<std::string> lines;
  for (const auto& text : texts) std::ranges::move(wrap(text, width), std::back_inserter(lines));
  return lines;
}

void print_beside(std::ostream& out, const std::string& key,
                  const std::vector<std::string>& lines) {
  std::string left = key;
  for (const auto& line : lines) {
    out << left << line << '\n';
    left.assign(columns(key), ' ');
  }
}

void print_facts(std::ostream& out, const boost::json::object& facts) {
  std::size_t key_column = narrowest_key_column;
  for (const auto& fact : facts) key_column = std::max(key_column, fact.key().size());
  const std::size_t used = indent.size() + key_column + 1;
  const std::size_t room =
      used + narrowest_key_column < output_width ? output_width - used : narrowest_key_column;
  for (const auto& fact : facts)
    print_beside(out, indent + padded(fact.key(), key_column) + " ",
                 fact_lines(fact.value(), room));
}

std::string verdict_of(const Report& report, const Palette& palette) {
  if (report.as_documented) return palette.good("as documented");
  return palette.bad("NOT as documented") + " (expected " +
         std::string(to_string(report.experiment.expected)) + ")";
}

boost::json::object report_as_json(const Report& report) {
  boost::json::object object{{"name", report.experiment.name},
                             {"expected", to_string(report.experiment.expected)},
                             {"observed", nullptr},
                             {"facts", report.facts},
                             {"duration_ms", report.duration_ms}};
  if (report.observed) object["observed"] = to_string(*report.observed);
  if (report.experiment.hangs && !report.stacks.empty())
    object["facts"].get_object()["stacks"] = boost::json::value_from(report.stacks);
  return object;
}

void write_json(std::ostream& out, const boost::json::value& value) {
  const char* separator = "";
  if (const auto* object = value.if_object()) {
    out << '{';
    for (const auto& [key, member] : *object) {
      out << std::exchange(separator, ",") << boost::json::serialize(key) << ':';
      write_json(out, member);
    }
    out << '}';
  } else if (const auto* array = value.if_array()) {
    out << '[';
    for (const auto& element : *array) {
      out << std::exchange(separator, ",");
      write_json(out, element);
    }
    out << ']';
  } else if (value.is_double()) {
    out << plain_number(value.get_double());
  } else {
    out << boost::json::serialize(value);
  }
}

}  // namespace

std::string outcome_word(const std::optional<Outcome>& outcome) {
  return outcome ? std::string(to_string(*outcome)) : "none";
}

std::vector<std::string> fact_lines(const boost::json::value& value, std::size_t width) {
  if (value.is_array()) return array_lines(value.get_array(), width);
  return wrap(fact_text(value), width);
}

void print_list(std::ostream& out, const Program& program) {
  std::size_t name_column = 0;
  for (const auto& experiment : program.experiments)
    name_column = std::max(name_column, experiment.name.size());
  for (const auto& experiment : program.experiments) {
    const auto left = padded(experiment.name, name_column) + indent +
                      padded(std::string(to_string(experiment.expected)), 9) + indent;
    print_beside(out, left, wrap(experiment.summary, output_width - left.size()));
  }
}

void print_head(std::ostream& out, const Program& program) {
  const auto head = program.name + " " + std::string(project_version()) + " · " + program.title;
  for (const auto& line : wrap(head, output_width)) out << line << '\n';
  out << std::flush;
}

void print_report(std::ostream& out, const Report& report) {
  const auto palette = Palette::for_stdout();
  out << '\n'
      << palette.strong(report.experiment.name) << " · " << outcome_word(report.observed) << " · "
      << verdict_of(report, palette) << '\n';
  print_beside(out, indent, wrap(report.experiment.summary, output_width - indent.size()));
  print_facts(out, report.facts);
  if (!report.stacks.empty()) out << indent << "where its threads are:\n";
  for (const auto& line : report.stacks) out << line << '\n';
  out << std::flush;
}

void print_verdict(std::ostream& out, const std::vector<Report>& reports) {
  out << '\n'
      << std::ranges::count_if(reports, &Report::as_documented) << " of " << reports.size()
      << (reports.size() == 1 ? " experiment" : " experiments") << " as documented.\n";
}

void print_json(std::ostream& out, const boost::json::value& value) {
  write_json(out, value);
  out << '\n' << std::flush;
}

boost::json::object list_as_json(const Program& program) {
  boost::json::array experiments;
  for (const auto& experiment : program.experiments)
    experiments.push_back(boost::json::object{{"name", experiment.name},
                                              {"expected", to_string(experiment.expected)},
                                              {"summary", experiment.summary}});
  return {{"program", program.name},
          {"version", project_version()},
          {"boost", boost_version()},
          {"experiments", std::move(experiments)}};
}

boost::json::object to_json(const Program& program, const std::vector<Report>& reports) {
  boost::json::array experiments;
  for (const auto& report : reports) experiments.push_back(report_as_json(report));
  return {{"program", program.name},
          {"version", project_version()},
          {"boost", boost_version()},
          {"experiments", std::move(experiments)},
          {"as_documented", all_as_documented(reports)}};
}

bool all_as_documented(const std::vector<Report>& reports) {
  return std::ranges::all_of(reports, &Report::as_documented);
}

}  // namespace scenario
