#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace scenario {

/// How a child process ended and what it said.
struct ChildResult {
  std::optional<int> exit_code;  ///< empty: it was ended by a signal
  int signal = 0;                ///< 0: it ended by itself
  bool timed_out = false;        ///< the watchdog ended it
  std::string out;               ///< its standard output
  std::string err;               ///< its standard error
  std::string stacks;            ///< of all threads at the time-out, if asked for and gdb is here
  std::chrono::duration<double, std::milli> duration{};
};

struct ChildOptions {
  std::chrono::milliseconds time_limit{30'000};  ///< the watchdog: then the child is killed
  bool collect_stacks = false;                   ///< at the time-out, by gdb
  std::string input = {};                        ///< written to its standard input, then closed
  bool keep_input_open = false;                  ///< do not close it: send() may write more
  bool inherit_stderr = false;                   ///< pass through instead of collecting in `err`
  std::vector<std::string> environment = {};     ///< "NAME=value", added to this process's own
};

/// A running child, as seen by the callback that watches what it prints.
class RunningChild {
 public:
  virtual ~RunningChild() = default;
  virtual void send(std::string_view input) = 0;  ///< to its standard input
  virtual void signal(int number) = 0;
};

/// Runs a program until it ends or the time limit kills it (with all its own children). Throws
/// std::system_error, naming the program, if it cannot be started. `on_output` is called on the
/// calling thread with everything printed so far on standard output, each time there is more.
ChildResult run_child(const std::filesystem::path& program,
                      const std::vector<std::string>& arguments, const ChildOptions& options = {},
                      const std::function<void(std::string_view, RunningChild&)>& on_output = {});

/// Where this program's own binary is.
std::filesystem::path this_program();

/// Linux lets only an ancestor attach a debugger; a child that shall be looked at says so itself.
void allow_debugger();

}  // namespace scenario
