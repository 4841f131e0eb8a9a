#pragma once

#include "runtime_sharing/scope_state.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/execution.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace runtime_sharing::detail {

/// A tracked coroutine. It is a strand, too: its steps run one after the other, on whatever thread
/// of the context. What interrupts it is one of these steps.
class CoroutineTask : public TaskRecord, public TurnHook {
 public:
  using TaskRecord::TaskRecord;

  void interrupt() override;

  /// Appends a step. Thread-safe. Throws what the executor of the scope throws.
  void push(QueuedOperation& operation) {
    if (queue_.push(operation)) scope->tree->submit(*this);
  }
  template <typename Function>
  void post(Function&& function) {
    push(*new FunctionOperation<std::decay_t<Function>>(std::forward<Function>(function)));
  }
  /// The same on a thread that runs the context: here and now, if the task is at rest.
  void run_or_push(QueuedOperation& operation) {
    queue_.begin_with(operation) ? run_steps() : push(operation);
  }
  /// This thread is inside a step of this task.
  bool runs_here() const noexcept { return task_of_this_thread == this; }

  asio::cancellation_signal signal;  // belongs to the strand

  /// A turn: runs the steps that are there. Called by who took the task out of the queue.
  void run_steps();
  /// The coroutine's first step, here and now; its completion handler takes the guard. Compiled
  /// once, in the library: Asio's co_spawn takes a compiler longer than all of a small caller.
  void begin(asio::awaitable<void> coroutine, TaskGuard& guard);
  /// Instead of a turn that will not come: the steps are destroyed, now and later.
  void close() noexcept { queue_.close(); }

 private:
  static inline thread_local const CoroutineTask* task_of_this_thread = nullptr;

  SerialQueue queue_;
};

/// The executor that a task's coroutine runs on. Small, so that `any_io_executor` holds it without
/// an allocation.
class TaskExecutor {
 public:
  explicit TaskExecutor(CoroutineTask* task) noexcept : task_(task) {}
  // An executor's copy throws nothing, which boost::intrusive_ptr does not promise in words.
  TaskExecutor(const TaskExecutor&) noexcept = default;
  TaskExecutor(TaskExecutor&&) noexcept = default;
  TaskExecutor& operator=(const TaskExecutor&) noexcept = default;
  TaskExecutor& operator=(TaskExecutor&&) noexcept = default;
  ~TaskExecutor() = default;

  CoroutineTask* task() const noexcept { return task_.get(); }

  asio::execution_context& query(asio::execution::context_t) const noexcept {
    return task_->scope->tree->context();
  }
  asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept {
    return may_run_inline_ ? asio::execution::blocking_t(asio::execution::blocking.possibly)
                           : asio::execution::blocking_t(asio::execution::blocking.never);
  }
  TaskExecutor require(asio::execution::blocking_t::possibly_t) const noexcept {
    return {task_, true};
  }
  TaskExecutor require(asio::execution::blocking_t::never_t) const noexcept {
    return {task_, false};
  }

  /// Inside the task's own code at once, if that is allowed; otherwise as a later step.
  template <typename Function>
  void execute(Function&& function) const {
    if (may_run_inline_ && task_->runs_here()) {
      std::decay_t<Function> called(std::forward<Function>(function));
      std::move(called)();
    } else {
      task_->post(std::forward<Function>(function));
    }
  }

  friend bool operator==(const TaskExecutor& a, const TaskExecutor& b) noexcept {
    return a.task_ == b.task_ && a.may_run_inline_ == b.may_run_inline_;
  }

 private:
  TaskExecutor(boost::intrusive_ptr<CoroutineTask> task, bool may_run_inline) noexcept
      : task_(std::move(task)), may_run_inline_(may_run_inline) {}

  boost::intrusive_ptr<CoroutineTask> task_;
  bool may_run_inline_ = true;
};

/// The completion handler of a task's co_spawn. It names a cancellation slot and no executor, so
/// that Asio emits directly, on the strand where we are, and keeps no executor in the signal.
class TaskCompletion {
 public:
  using cancellation_slot_type = asio::cancellation_slot;

  TaskCompletion(CoroutineTask& task, TaskGuard guard) noexcept
      : slot_(task.signal.slot()), guard_(std::move(guard)) {}

  cancellation_slot_type get_cancellation_slot() const noexcept { return slot_; }
  void operator()(const std::exception_ptr& error) noexcept { guard_.ended(error); }

 private:
  cancellation_slot_type slot_;
  TaskGuard guard_;
};

}  // namespace runtime_sharing::detail
