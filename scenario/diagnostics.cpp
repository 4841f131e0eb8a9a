#include "scenario/diagnostics.hpp"

#include "scenario/terminal.hpp"

#include <boost/algorithm/string/predicate.hpp>
#include <boost/algorithm/string/split.hpp>

#include <algorithm>
#include <array>
#include <cctype>

namespace scenario {
namespace {

constexpr std::size_t most_frames = 12;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  boost::split(lines, text, [](char c) { return c == '\n'; });
  return lines;
}

/// "a<b<c>, d>::e" becomes "a::e": a template's arguments hide its name. Not an operator's own
/// brackets, and not "<lambda...>", which is a name.
std::string without_template_arguments(std::string_view name) {
  std::string result;
  int depth = 0;
  for (const char c : name) {
    const bool is_name = result.empty() || result.ends_with(':') || result.ends_with("operator") ||
                         result.ends_with("operator<") || result.ends_with("operator-");
    if (c == '<' && (depth > 0 || !is_name)) ++depth;
    if (depth == 0) result += c;
    if (c == '>' && depth > 0) --depth;
  }
  return result;
}

/// "f(int)::g() const" becomes "f::g": gdb's frame arguments and the parameters in the name.
std::string without_parameters(std::string_view name) {
  constexpr std::string_view anonymous = "(anonymous namespace)";
  std::string result;
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (depth == 0 && name.substr(i).starts_with(anonymous)) {
      i += anonymous.size() + 1;  // and the "::" behind it
      continue;
    }
    if (depth == 0 && name.substr(i).starts_with("()") && result.ends_with("operator")) {
      result += "()";
      ++i;
      continue;
    }
    if (name[i] == '(') ++depth;
    if (depth == 0) result += name[i];
    if (name[i] == ')') --depth;
  }
  return result;
}

struct Frame {
  std::string function;
  std::string place;  // file:line, or empty
};

/// "#1  0x0000 in f<int> (x=1) at /a/b.cpp:12" becomes {f, b.cpp:12}.
Frame parse_frame(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_of(' '), line.size()));
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  if (const auto in = line.find(" in "); line.starts_with("0x") && in != line.npos)
    line.remove_prefix(in + 4);
  Frame frame;
  if (const auto at = line.rfind(" at "); at != line.npos) {
    frame.place = line.substr(at + 4);
    frame.place.erase(0, frame.place.rfind('/') + 1);
    line = line.substr(0, at);
  } else if (const auto from = line.rfind(" from "); from != line.npos) {
    line = line.substr(0, from);
  }
  // A return type in front of a template's name is separated by a blank, as "const" behind is.
  frame.function = without_parameters(without_template_arguments(line));
  if (const auto end = frame.function.find_last_not_of(' '); end != std::string::npos)
    frame.function.erase(end + 1);
  for (const std::string_view noise : {"void ", "bool ", " const"})
    if (const auto found = frame.function.find(noise); found != std::string::npos)
      frame.function.erase(found, noise.size());
  return frame;
}

bool is_inside_a_library(const Frame& frame) {
  constexpr std::array<std::string_view, 5> insides{"boost::asio::", "boost_asio_",
                                                    "std::", "__gnu_cxx::", "??"};
  return std::ranges::any_of(
      insides, [&](std::string_view inside) { return frame.function.starts_with(inside); });
}

std::string to_line(const Frame& frame) {
  const std::string indent = "    ";
  const std::string place = frame.place.empty() ? "" : "  " + frame.place;
  std::string function = frame.function;
  const std::size_t room = output_width - indent.size() - std::min<std::size_t>(place.size(), 40);
  if (function.size() > room) function = "..." + function.substr(function.size() - room + 3);
  return indent + function + place.substr(0, 40);
}

/// "Thread 2 (Thread 0x7f (LWP 12) \"name\"):" becomes "  thread 2".
std::string thread_line(std::string_view line) {
  return "  thread " + std::string(line.substr(7, line.find(' ', 7) - 7));
}

bool is_thread(std::string_view line) {
  return line.starts_with("Thread ");
}

bool is_frame(std::string_view line) {
  return line.size() > 1 && line[0] == '#' && std::isdigit(static_cast<unsigned char>(line[1]));
}

constexpr std::array<std::string_view, 3> sanitizers{
    "AddressSanitizer: ", "LeakSanitizer: ", "ThreadSanitizer: "};

std::optional<std::string> finding_in(std::string_view line) {
  constexpr std::string_view undefined = "runtime error: ";
  if (const auto found = line.find(undefined); found != line.npos)
    return "UndefinedBehaviorSanitizer: " + std::string(line.substr(found + undefined.size()));
  for (const auto sanitizer : sanitizers) {
    const auto found = line.find(sanitizer);
    if (found == line.npos) continue;
    const auto before = line.substr(0, found);
    if (!before.ends_with("ERROR: ") && !before.ends_with("WARNING: ")) continue;
    const auto finding = line.substr(found);
    return std::string(finding.substr(0, std::min(finding.find(" on "), finding.find(" ("))));
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> thin_stacks(std::string_view gdb_output) {
  std::vector<std::string> thin;
  std::size_t frames = 0;
  bool left_out = false;
  for (const auto& line : lines_of(gdb_output)) {
    if (is_thread(line)) {
      thin.push_back(thread_line(line));
      frames = 0;
      left_out = false;
    }
    if (!is_frame(line) || frames == most_frames) continue;
    const auto frame = parse_frame(line);
    const bool leave_out = is_inside_a_library(frame);
    if (!leave_out) thin.push_back(to_line(frame));
    if (!leave_out) ++frames;
    if (leave_out && !left_out) thin.push_back("    ...");
    left_out = leave_out;
  }
  return thin;
}

std::optional<std::string> sanitizer_finding(std::string_view standard_error) {
  for (const auto& line : lines_of(standard_error))
    if (auto finding = finding_in(line)) return finding;
  return std::nullopt;
}

}  // namespace scenario
