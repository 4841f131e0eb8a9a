#include "scenario/output.hpp"

#include "scenario/command_line.hpp"

#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/join.hpp>
#include <boost/json.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <locale>
#include <sstream>
#include <unistd.h>
#include <utility>

namespace scenario {
namespace {

namespace json = boost::json;

constexpr std::size_t narrowest_key_column = 24;
const std::string indent = "  ";

/// Columns that UTF-8 text takes, as long as each code point takes one.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string fact_text(const json::value& value) {
  if (value.is_null()) return "-";
  if (value.is_bool()) return value.get_bool() ? "yes" : "no";
  if (value.is_double()) return fmt::format("{:.1f}", value.get_double());
  if (value.is_string()) return std::string(value.get_string());
  return json::serialize(value);
}

void print_beside(std::ostream& out, const std::string& key,
                  const std::vector<std::string>& lines) {
  std::string left = key;
  for (const auto& line : lines) {
    out << left << line << '\n';
    left.assign(columns(key), ' ');
  }
}

void print_facts(std::ostream& out, const json::object& facts) {
  std::size_t key_column = narrowest_key_column;
  for (const auto& fact : facts) key_column = std::max(key_column, fact.key().size());
  const std::size_t used = indent.size() + key_column + 1;
  const std::size_t room = std::max(output_width(), used + narrowest_key_column) - used;
  for (const auto& fact : facts)
    print_beside(out, fmt::format("  {:{}} ", std::string_view(fact.key()), key_column),
                 fact_lines(fact.value(), room));
}

json::object report_as_json(const Report& report) {
  json::object object{{"name", report.experiment.name},
                      {"expected", to_string(report.experiment.expected)},
                      {"observed", json::value_from(report.observed)},
                      {"as_documented", report.as_documented()},
                      {"facts", report.facts},
                      {"differences", json::value_from(report.differences)},
                      {"duration_ms", report.duration_ms}};
  if (!report.sanitizer.empty()) object["sanitizer"] = report.sanitizer;
  if (!report.stacks.empty()) object["stacks"] = json::value_from(report.stacks);
  return object;
}

void write_json(std::ostream& out, const json::value& value) {
  const char* separator = "";
  if (const auto* object = value.if_object()) {
    out << '{';
    for (const auto& [key, member] : *object) {
      out << std::exchange(separator, ",") << json::serialize(key) << ':';
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
    const auto text = fmt::format("{}", value.get_double());
    out << text << (text.find_first_of(".e") == text.npos ? ".0" : "");
  } else {
    out << json::serialize(value);
  }
}

json::object as_json(const Program& program, json::array experiments) {
  return {{"program", program.name},
          {"version", project_version()},
          {"boost", boost_version()},
          {"experiments", std::move(experiments)}};
}

}  // namespace

std::vector<std::string> fact_lines(const json::value& value, std::size_t width) {
  const auto* array = value.if_array();
  if (array == nullptr) return wrap(fact_text(value), width);
  if (array->empty()) return {"none"};
  std::vector<std::string> texts;
  std::ranges::transform(*array, std::back_inserter(texts), fact_text);
  if (const auto joined = boost::algorithm::join(texts, ", "); columns(joined) <= width)
    return wrap(joined, width);
  std::vector<std::string> lines;
  for (const auto& text : texts) std::ranges::move(wrap(text, width), std::back_inserter(lines));
  return lines;
}

void print_list(std::ostream& out, const Program& program) {
  const auto experiments = program.experiments({});
  std::size_t name_column = 0;
  for (const auto& experiment : experiments)
    name_column = std::max(name_column, experiment.name.size());
  for (const auto& experiment : experiments) {
    const auto left =
        fmt::format("{:{}}  {:9}  ", experiment.name, name_column, to_string(experiment.expected));
    print_beside(out, left, wrap(experiment.summary, output_width() - left.size()));
  }
}

void print_head(std::ostream& out, const Program& program) {
  const auto head = fmt::format("{} {} · {}", program.name, project_version(), program.title);
  for (const auto& line : wrap(head, output_width())) out << line << '\n';
  out << std::flush;
}

void print_report(std::ostream& out, const Report& report) {
  out << '\n'
      << styled(Style::strong, report.experiment.name) << " · "
      << (report.observed ? to_string(*report.observed) : "did not run") << " · "
      << (report.as_documented() ? styled(Style::good, "as documented")
                                 : styled(Style::bad, "NOT as documented"))
      << '\n';
  print_beside(out, indent, wrap(report.experiment.summary, output_width() - indent.size()));
  print_facts(out, report.facts);
  if (!report.sanitizer.empty()) print_facts(out, {{"sanitizer", report.sanitizer}});
  for (const auto& difference : report.differences)
    print_beside(out, indent + styled(Style::bad, "!") + " ",
                 wrap(difference, output_width() - indent.size() - 2));
  if (!report.stacks.empty()) out << indent << "where its threads are:\n";
  for (const auto& line : report.stacks) out << indent << indent << line << '\n';
  out << std::flush;
}

void print_verdict(std::ostream& out, const std::vector<Report>& reports) {
  out << fmt::format("\n{} of {} experiment{} as documented.\n",
                     std::ranges::count_if(reports, &Report::as_documented), reports.size(),
                     reports.size() == 1 ? "" : "s");
}

void print_json(std::ostream& out, const json::value& value) {
  write_json(out, value);
  out << '\n' << std::flush;
}

json::object list_as_json(const Program& program, const Settings& settings) {
  json::array experiments;
  for (const auto& experiment : program.experiments(settings))
    experiments.push_back(json::object{{"name", experiment.name},
                                       {"expected", to_string(experiment.expected)},
                                       {"summary", experiment.summary},
                                       {"facts", to_json(experiment.facts)}});
  return as_json(program, std::move(experiments));
}

json::object to_json(const Program& program, const std::vector<Report>& reports) {
  json::array experiments;
  std::ranges::transform(reports, std::back_inserter(experiments), report_as_json);
  auto object = as_json(program, std::move(experiments));
  object["as_documented"] = std::ranges::all_of(reports, &Report::as_documented);
  return object;
}

std::size_t output_width() {
  const auto text = environment("COLUMNS");
  std::size_t width = 0;
  std::from_chars(text.data(), text.data() + text.size(), width);
  return width >= 40 && width <= 1000 ? width : 80;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::istringstream words{std::string(text)};
  std::vector<std::string> lines{""};
  for (std::string word; words >> word;) {
    word = one_line(word);
    if (columns(lines.back()) + 1 + columns(word) > width && !lines.back().empty())
      lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    for (; columns(word) > width; lines.emplace_back()) {
      lines.back() = fmt::format("{:.{}}", word, width);  // never half a code point
      word.erase(0, lines.back().size());
    }
    lines.back() += word;
  }
  return lines;
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(line, boost::algorithm::is_cntrl(std::locale::classic()), '?');
  return line;
}

std::string styled(Style style, const std::string& text) {
  const bool coloured = ::isatty(STDOUT_FILENO) == 1 && environment("TERM") != "dumb" &&
                        environment("NO_COLOR").empty();
  return coloured ? fmt::format("\033[{}m{}\033[0m", static_cast<int>(style), text) : text;
}

}  // namespace scenario
