#pragma once

#include "benchmarks/observer.hpp"
#include "benchmarks/work.hpp"
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace bench {

/// One way to run many tasks on two threads, to end them and to wait for them. Constructed: the
/// threads run. Destroyed: they are joined.
class Program {
 public:
  virtual ~Program() = default;

  /// Whether its tasks can be told to end. Without that only the spawning can be measured.
  virtual bool can_cancel() const { return true; }
  /// Runs `function` on one of the two threads.
  virtual void run_inside(std::function<void()> function) = 0;
  /// Spawns the task of that number. Thread-safe.
  virtual void spawn(std::size_t index) = 0;
  /// Tells all tasks to end.
  virtual void cancel() = 0;
  /// Blocks until all have ended.
  virtual void wait() = 0;
};

using ProgramPointer = std::unique_ptr<Program>;

// Each gives null for a name that it does not know.
ProgramPointer make_our_program(const Work& work, Observer& observer);
ProgramPointer make_asio_program(const Work& work, Observer& observer);
ProgramPointer make_broken_program(const Work& work, Observer& observer);

/// Throws std::invalid_argument for a name that none of the three knows.
ProgramPointer make_program(const Work& work, Observer& observer);

}  // namespace bench
