#pragma once

#include <chrono>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace scenario {

/// How a child process ended and what it said.
struct ChildResult {
  std::optional<int> exit_code;          ///< empty: it was ended by a signal
  int signal = 0;                        ///< 0: it ended by itself
  bool timed_out = false;                ///< the watchdog ended it
  std::string out = {};                  ///< its standard output
  std::string err = {};                  ///< its standard error
  std::vector<std::string> stacks = {};  ///< where its threads were at the time-out, if asked for
  std::chrono::duration<double, std::milli> duration{};
};

struct ChildOptions {
  std::chrono::milliseconds time_limit{30'000};  ///< the watchdog: then the child is killed
  bool collect_stacks = false;                   ///< at the time-out, unless it was done before
  std::string input = {};                        ///< written to its standard input, then closed
  bool keep_input_open = false;                  ///< do not close it
};

/// A running child, as seen by the callback that watches what it prints.
class RunningChild {
 public:
  virtual ~RunningChild() = default;
  virtual void signal(int number) = 0;
  virtual void end_after(std::chrono::milliseconds time) = 0;  ///< a new limit, from its start
  virtual void collect_stacks() = 0;  ///< now; by gdb, where that is present
};

/// While it lives, SIGINT, SIGTERM and SIGHUP do not end this process: run_child() sees them, and
/// those that it did not see take their course afterwards, when everything is cleaned up. In a
/// process of one thread.
class SignalsHeld {
 public:
  SignalsHeld() noexcept;
  ~SignalsHeld();
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
};

/// This process was told to end by a signal that was held. The child was told the same, and has
/// ended.
struct Interrupted : std::exception {
  explicit Interrupted(int number) noexcept : signal(number) {}
  const char* what() const noexcept override { return "interrupted by a signal"; }
  const int signal;
};

/// Called with everything printed so far on standard output, each time there is more.
using OnOutput = std::function<void(const std::string& printed, RunningChild&)>;

/// Runs a program until it ends or the time limit kills it (with all its own children). Throws
/// std::system_error, naming the program, if it cannot be started, and Interrupted.
ChildResult run_child(const std::filesystem::path& program,
                      const std::vector<std::string>& arguments, const ChildOptions& options = {},
                      const OnOutput& on_output = {});

/// In words: "ended by signal 9 (Killed)".
std::string ending_of(const ChildResult& child);

std::filesystem::path this_program();

/// In a child, first thing: it ends together with its parent, even a killed one, and lets a
/// debugger look at it, which Linux allows only to an ancestor. Both on Linux only.
void depend_on_parent(int parent_process);

/// Ends this process as if the signal had never been caught.
[[noreturn]] void end_by(int signal);

/// Of gdb's "thread apply all bt": a line for each thread, then those of its frames that are in the
/// programs of this repository or in a mutex, innermost first.
std::vector<std::string> thin_stacks(std::string_view gdb_output);

/// The first finding of a sanitizer in what a process wrote to its standard error, for example
/// "AddressSanitizer: heap-use-after-free"; nullopt: no finding.
std::optional<std::string> sanitizer_finding(std::string_view standard_error);

/// Whether this build has the sanitizer that such a report comes from.
bool sanitizer_of_this_build(std::string_view report);

}  // namespace scenario
