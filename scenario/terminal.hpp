#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace scenario {

/// The width that all output for people keeps to, in columns.
inline constexpr std::size_t output_width = 80;

bool is_terminal(std::FILE* stream);

/// Columns that UTF-8 text takes, as long as each code point takes one.
std::size_t columns(std::string_view text);

/// `text`, followed by as many spaces as are missing to `width` columns.
std::string padded(std::string text, std::size_t width);

/// Breaks text between words into lines of at most `width` columns, a longer word inside it.
/// Control characters become '?'. At least one line, which may be empty.
std::vector<std::string> wrap(std::string_view text, std::size_t width);

/// Text that came from outside, fit to be part of one line: control characters become '?'.
std::string one_line(std::string_view text);

/// Colours for standard output: none unless it is a terminal and NO_COLOR is unset or empty.
class Palette {
 public:
  static Palette for_stdout();

  std::string good(const std::string& text) const { return in("32", text); }
  std::string bad(const std::string& text) const { return in("31", text); }
  std::string strong(const std::string& text) const { return in("1", text); }

 private:
  explicit Palette(bool coloured) : coloured_(coloured) {}
  std::string in(const char* code, const std::string& text) const;

  bool coloured_;
};

/// A line on standard error while something runs, erased by the destructor. Nothing at all when
/// standard error is not a terminal.
class ProgressLine {
 public:
  explicit ProgressLine(const std::string& text);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

 private:
  bool shown_;
};

}  // namespace scenario
