#pragma once

#include "runtime_sharing/detail/scope_state.hpp"
#include "runtime_sharing/detail/task_record.hpp"
#include "runtime_sharing/runtime_observer.hpp"

namespace runtime_sharing::detail {

/// While it lives, this thread is in a task's code. What else comes to the task when it has ended,
/// an interruption or a handler, is no turn of it. A task that ends by itself in the turn has told
/// so already: TaskGuard::ended().
class ObservedTurn {
 public:
  explicit ObservedTurn(const TaskRecord& task) noexcept
      : task_(task), observer_(task.scope->tree->observer) {
    if (observer_ != nullptr) begin();
  }
  ~ObservedTurn() {
    if (observer_ != nullptr) end();
  }
  ObservedTurn(const ObservedTurn&) = delete;
  ObservedTurn& operator=(const ObservedTurn&) = delete;

 private:
  void begin() noexcept {
    if (task_.ended) {
      observer_ = nullptr;
    } else {
      observer_->turn_begins({&task_, task_.name});
    }
  }
  void end() noexcept {
    if (!task_.ended || task_.destroyed) observer_->turn_ends({&task_, task_.name}, task_.ended);
  }

  const TaskRecord& task_;
  RuntimeObserver* observer_;  // null: nobody is told
};

}  // namespace runtime_sharing::detail
