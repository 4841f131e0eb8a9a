// What a recorded half or step tells beside its tasks. It is told by RECORDING where to.
#include "scenario/recording.hpp"

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <iostream>
#include <streambuf>
#include <string>
#include <string_view>

namespace recording = scenario::recording;

namespace recorded {

std::string task_name(std::string_view arguments) {
  arguments.remove_prefix(std::min(arguments.find(',') + 1, arguments.size()));
  arguments = arguments.substr(0, arguments.find('('));
  std::string name(arguments.substr(arguments.find_last_of(" .>:") + 1));
  std::ranges::replace(name, '_', ' ');
  return name;
}

/// A turn may begin several. That a handler is in a queue is no reason to wait.
void operation(const char* name) noexcept {
  static thread_local std::string begun;
  constexpr std::string_view queue[] = {"post", "dispatch", "defer", "execute"};
  if (std::ranges::find(queue, std::string_view(name)) != std::end(queue)) return;
  begun = name;
  recording::waits_for(begun);
}

namespace {

/// What goes to standard output, line by line.
class Facts : public std::streambuf {
 public:
  Facts() : out_(std::cout.rdbuf(this)) {}
  ~Facts() override { std::cout.rdbuf(out_); }
  Facts(const Facts&) = delete;
  Facts& operator=(const Facts&) = delete;

 private:
  int overflow(int c) override {
    if (c == '\n') {
      recording::detail::mark("fact", line_);
      line_.clear();
    } else {
      line_ += static_cast<char>(c);
    }
    return out_->sputc(static_cast<char>(c));
  }
  int sync() override { return out_->pubsync(); }

  std::streambuf* const out_;
  std::string line_;
};

struct Start {
  Start() {
    const char* const file = std::getenv("RECORDING");
    if (file == nullptr) return;
    recording::start(file, 150);  // more than a picture shows
    recording::name_thread("main");
    if (recording::is_on()) static Facts facts;
  }
} start;

/// What a function is as a span, by its name in the program; empty: none.
std::string_view span_of(void* function) noexcept {
  Dl_info found;
  if (::dladdr(function, &found) == 0 || found.dli_sname == nullptr) return "";
  const std::string_view name = found.dli_sname;
  if (name.starts_with("_Z7log_out") || name.starts_with("_Z6logoutR7Session")) return "logout";
  return name.starts_with("_Z10on_sigterm") ? "shutdown" : "";
}

}  // namespace
}  // namespace recorded

// The compiler calls these in what it compiles with -finstrument-functions.
extern "C" void __cyg_profile_func_enter(void* function, void*) {
  if (const auto span = recorded::span_of(function); !span.empty())
    recording::span_begins(function, span);
}
extern "C" void __cyg_profile_func_exit(void* function, void*) {
  if (const auto span = recorded::span_of(function); !span.empty())
    recording::span_ends(function, span);
}
