#include "scenario/terminal.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <unistd.h>

namespace scenario {
namespace {

bool starts_code_point(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
}

bool is_control(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return value < 0x20 || value == 0x7F;
}

/// Takes from the front of `text` what fits into `width` columns, never half a code point.
std::string take_front(std::string& text, std::size_t width) {
  std::size_t end = 0;
  for (std::size_t taken = 0; end < text.size(); ++end)
    if (starts_code_point(text[end]) && ++taken > width) break;
  std::string front = text.substr(0, end);
  text.erase(0, end);
  return front;
}

}  // namespace

bool is_terminal(std::FILE* stream) {
  return ::isatty(::fileno(stream)) == 1;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_code_point));
}

std::string padded(std::string text, std::size_t width) {
  const auto used = columns(text);
  if (used < width) text.append(width - used, ' ');
  return text;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::istringstream words{std::string(text)};
  std::vector<std::string> lines{""};
  for (std::string word; words >> word;) {
    word = one_line(word);
    if (columns(lines.back()) + 1 + columns(word) > width && !lines.back().empty())
      lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    for (; columns(word) > width; lines.emplace_back()) lines.back() = take_front(word, width);
    lines.back() += word;
  }
  return lines;
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(line, is_control, '?');
  return line;
}

Palette Palette::for_stdout() {
  const char* no_color = std::getenv("NO_COLOR");
  const bool refused = no_color != nullptr && *no_color != '\0';
  return Palette(is_terminal(stdout) && !refused);
}

std::string Palette::in(const char* code, const std::string& text) const {
  if (!coloured_) return text;
  return std::string("\033[") + code + "m" + text + "\033[0m";
}

ProgressLine::ProgressLine(const std::string& text) : shown_(is_terminal(stderr)) {
  if (shown_) std::fprintf(stderr, "\r\033[K%s ", text.c_str());
}

ProgressLine::~ProgressLine() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

}  // namespace scenario
