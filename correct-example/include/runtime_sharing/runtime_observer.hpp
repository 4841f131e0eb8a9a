#pragma once

#include "runtime_sharing/shutdown_report.hpp"

#include <cstdint>
#include <string_view>

namespace runtime_sharing {

/// A task as an observer is told of it. Valid during the call.
struct ObservedTask {
  const void* id;         ///< no other task has it before this one has ended or is destroyed
  std::string_view name;  ///< the name that it was spawned with
};

/// Is told what a runtime does, while it does it: to draw it, to count it, to find what takes long.
/// Give it to Runtime::Options::observer. Each function does nothing until it is overridden.
///
/// Called on whatever thread does it, by several at once, the runtime's own and that of whoever
/// shuts it down; at any time until the last thread and the last task of the runtime have gone. A
/// call holds up what it tells of: be short, and do not call the runtime or its scopes.
///
/// Called elsewhere: tokio's unstable `Builder::on_before_task_poll`, `on_after_task_poll` and
/// `on_task_terminate`; Asio's handler tracking, which knows handlers and no tasks.
class RuntimeObserver {
 public:
  virtual ~RuntimeObserver() = default;

  /// Before its threads start.
  virtual void runtime_begins(std::uint64_t generation) noexcept { static_cast<void>(generation); }

  /// A thread enters the code of a task. On one thread turns may nest, of one task they follow each
  /// other. A blocking call is one turn.
  virtual void turn_begins(const ObservedTask& task) noexcept { static_cast<void>(task); }
  /// And leaves it: suspended, or for ever. Of the end of a coroutine that finishes the observer
  /// hears before its scope does: so whoever has waited for it ends after it, here too. Not so of a
  /// blocking call, nor of a coroutine that is destroyed in its own turn.
  virtual void turn_ends(const ObservedTask& task, bool ended) noexcept {
    static_cast<void>(task);
    static_cast<void>(ended);
  }
  /// The task's frame is destroyed instead of finishing, or was never run. Perhaps within a turn of
  /// another task.
  virtual void task_destroyed(const ObservedTask& task) noexcept { static_cast<void>(task); }

  /// The ladder of the runtime, or of one of its scopes, comes to a rung. First to `wait`, told
  /// before it stops accepting; then to those of the others that somebody needs.
  virtual void rung_reached(std::string_view scope, Rung rung) noexcept {
    static_cast<void>(scope);
    static_cast<void>(rung);
  }
  /// Before anybody gets the report.
  virtual void shutdown_ended(std::string_view scope, const ShutdownReport& report) noexcept {
    static_cast<void>(scope);
    static_cast<void>(report);
  }
};

}  // namespace runtime_sharing
