#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace runtime_sharing {

/// The ladder of a shutdown, from the gentlest rung to the last.
///
/// Called elsewhere: nothing; `tokio::runtime::Runtime::shutdown_timeout` has the last two rungs.
enum class Rung {
  stop_accepting,  ///< new tasks are refused
  tell,            ///< the cancellation token is cancelled
  wait,            ///< every task may end by itself, until the first deadline
  interrupt,       ///< terminal cancellation of the operations that deaf tasks are suspended in
  stop,            ///< the context is stopped, what is still suspended is destroyed
  abandon,         ///< what does not end by then is left behind, and named
};

/// The rung's word in log lines and reports, such as "wait"; lives as long as the program.
std::string_view to_string(Rung rung) noexcept;
/// The rung's word.
std::ostream& operator<<(std::ostream& stream, Rung rung);

/// How long the ladder stays on a rung before it climbs to the next; `max()` waits for ever, and a
/// negative one is zero. The clock is the steady one; it runs on the thread of the ladder, not on
/// the threads that are being shut down.
struct Deadlines {
  std::chrono::milliseconds wait{2000};      ///< for the tasks to end by themselves
  std::chrono::milliseconds interrupt{500};  ///< for those that were interrupted to end
  std::chrono::milliseconds stop{500};       ///< for the threads to come back from user code

  /// Forces: every rung at once.
  static constexpr Deadlines immediate() noexcept {
    return {{}, {}, std::chrono::milliseconds{100}};
  }
};

/// A task that did not end by itself once told.
struct Straggler {
  std::string name;               ///< the name that it was spawned with
  Rung needed = Rung::interrupt;  ///< the rung that ended it, or `abandon`
  bool destroyed = false;         ///< its frame was destroyed instead of finishing
};

/// A task that ended by an exception. Cancellation is not a failure.
struct Failure {
  std::string name;  ///< the name that it was spawned with
  std::string what;  ///< what() of the exception
};

/// What a shutdown found, the same for everyone who asked for it.
///
/// Called elsewhere: nothing; the shutdowns of tokio, folly and Seastar give no account of the
/// tasks.
struct ShutdownReport {
  std::string runtime;                ///< Runtime::name(); empty for a scope
  std::uint64_t generation = 0;       ///< Runtime::generation()
  std::string scope;                  ///< the scope's name; empty for a runtime
  Rung reached = Rung::wait;          ///< `wait` is the graceful path
  std::vector<Straggler> stragglers;  ///< empty on the graceful path; the first `max_names` of them
  std::size_t stragglers_total = 0;   ///< all of them
  std::vector<Failure> failures;      ///< of the whole life, the first `max_names` of them
  std::size_t failures_total = 0;     ///< all of them
  std::size_t tasks_total = 0;        ///< ever accepted
  std::size_t threads_abandoned = 0;  ///< still inside user code, detached
  std::chrono::duration<double, std::milli> took{};  ///< from the first call to the report

  /// How many stragglers, and how many failures, are kept with their names.
  static constexpr std::size_t max_names = 100;

  /// Whether every task ended by itself once told.
  bool graceful() const noexcept { return stragglers_total == 0 && threads_abandoned == 0; }
};

/// A few lines for a person, the last one without its end: the rung reached and the time it took,
/// and stragglers and failures by name.
std::ostream& operator<<(std::ostream& stream, const ShutdownReport& report);

}  // namespace runtime_sharing
