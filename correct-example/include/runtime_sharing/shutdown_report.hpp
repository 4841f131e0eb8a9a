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
enum class Rung {
  stop_accepting,  ///< new tasks are refused
  tell,            ///< the cancellation token is cancelled
  wait,            ///< every task may end by itself, until the first deadline
  interrupt,       ///< terminal cancellation of the operations that deaf tasks are suspended in
  stop,            ///< the context is stopped, what is still suspended is destroyed
  abandon,         ///< a thread that never returns from user code is left behind, and named
};

std::string_view to_string(Rung rung) noexcept;

/// How long the ladder stays on a rung before it climbs to the next. The clock is the steady one;
/// it runs on the thread of the ladder, not on the threads that are being shut down.
struct Deadlines {
  std::chrono::milliseconds wait{2000};
  std::chrono::milliseconds interrupt{500};
  std::chrono::milliseconds stop{500};

  /// Forces: every rung at once.
  static constexpr Deadlines immediate() noexcept {
    return {{}, {}, std::chrono::milliseconds{100}};
  }
};

/// A task that did not end by itself once told.
struct Straggler {
  std::string name;
  Rung needed = Rung::interrupt;  ///< the rung that ended it, or `abandon`
  bool destroyed = false;         ///< its frame was destroyed instead of finishing
};

/// A task that ended by an exception. Cancellation is not a failure.
struct Failure {
  std::string name;
  std::string what;  ///< what() of the exception
};

/// What a shutdown found, the same for everyone who asked for it.
struct ShutdownReport {
  std::string runtime;
  std::uint64_t generation = 0;
  Rung reached = Rung::wait;  ///< `wait` is the graceful path
  std::vector<Straggler> stragglers;
  std::vector<Failure> failures;  ///< of the whole life, the first `max_failures` of them
  std::size_t failures_total = 0;
  std::size_t tasks_total = 0;        ///< ever accepted
  std::size_t threads_abandoned = 0;  ///< still inside user code, detached
  std::chrono::duration<double, std::milli> took{};

  static constexpr std::size_t max_failures = 100;

  bool graceful() const noexcept { return stragglers.empty() && threads_abandoned == 0; }
};

/// A few lines for a person: the rung reached, and each straggler and failure by name.
std::ostream& operator<<(std::ostream& stream, const ShutdownReport& report);

}  // namespace runtime_sharing
