#pragma once

#include "runtime_sharing/detail/handler_waiter.hpp"
#include "runtime_sharing/detail/scope_state.hpp"
#include "runtime_sharing/detail/serial_queue.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/execution.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace runtime_sharing::detail {

/// The first step of a task: its coroutine begins, or never will.
class Beginning : public Step {
 protected:
  ~Beginning() = default;

 private:
  void run() override;
  void discard() noexcept override;
};

/// The step of a task that interrupts it.
class Interruption : public Step {
 protected:
  ~Interruption() = default;

  std::atomic<bool> is_under_way_{false};

 private:
  void run() override;
  void discard() noexcept override;
};

/// A tracked coroutine. It is a strand, too: its steps run one after the other, on whatever thread
/// of the context. As a waiter it waits for its turn.
class CoroutineTask : public TaskRecord,
                      public Waiter,
                      public CurrentTask,
                      private Beginning,
                      private Interruption {
 public:
  using TaskRecord::TaskRecord;

  /// The one whose step runs on this thread; null outside of every task.
  static CoroutineTask* here() noexcept { return static_cast<CoroutineTask*>(CurrentTask::here()); }

  /// It has been admitted, and has taken its function.
  void start() noexcept;
  void interrupt() noexcept override;

  /// Appends a step. Thread-safe.
  void push(Step& step) noexcept;
  /// The same. Throws std::bad_alloc.
  template <typename Function>
  void post(Function&& function) {
    push(FunctionStep<std::decay_t<Function>>::make(std::forward<Function>(function)));
  }

  void coroutine_is_gone() noexcept override;

 private:
  friend class Beginning;
  friend class Interruption;
  class Turn;

  /// Calls the task's function. Throws what that throws.
  virtual asio::awaitable<void> make_coroutine() = 0;
  /// The coroutine's first step, here and now.
  void begin(asio::awaitable<void> coroutine, TaskGuard& guard);

  // A turn: run_steps() here, or the steps are destroyed, now and later.
  bool deliver() override;
  void drop() noexcept override;
  void run_steps();

  bool is_behind(const asio::any_io_executor& executor) const noexcept override;
  WakeQueue& queue() noexcept override { return scope->tree->line_here(); }
  void go_on_with(Step& step) override;
  void add_reference() noexcept override { intrusive_ptr_add_ref(this); }
  void release() noexcept override { intrusive_ptr_release(this); }

  SerialQueue queue_;
  asio::cancellation_signal signal_;  // what it is interrupted by; belongs to the strand
};

/// The executor that a task's coroutine runs on. Small, so that `any_io_executor` holds it without
/// an allocation.
class TaskExecutor {
 public:
  explicit TaskExecutor(CoroutineTask& task) noexcept : task_(&task) {}
  // An executor's copy throws nothing, which boost::intrusive_ptr does not promise in words.
  TaskExecutor(const TaskExecutor&) noexcept = default;
  TaskExecutor(TaskExecutor&&) noexcept = default;
  TaskExecutor& operator=(const TaskExecutor&) noexcept = default;
  TaskExecutor& operator=(TaskExecutor&&) noexcept = default;
  ~TaskExecutor() = default;

  CoroutineTask& task() const noexcept { return *task_; }

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
    if (may_run_inline_ && CoroutineTask::here() == task_.get()) {
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

/// A task with the function that makes its coroutine, and the function's arguments: kept for as
/// long as the coroutine.
template <typename F, typename... Args>
class SpawnedTask final : public CoroutineTask {
 public:
  using CoroutineTask::CoroutineTask;

  /// Takes the function and its arguments. Throws what moving them throws.
  template <typename... Values>
  void take(Values&&... values) {
    call_.emplace(std::forward<Values>(values)...);
  }

 private:
  asio::awaitable<void> make_coroutine() override {
    const auto call = [](F& function, Args&... arguments) {
      return std::invoke(std::move(function), std::move(arguments)...);
    };
    return std::apply(call, *call_);
  }
  void coroutine_is_gone() noexcept override {
    CoroutineTask::coroutine_is_gone();
    call_.reset();
  }

  std::optional<std::tuple<F, Args...>> call_;
};

}  // namespace runtime_sharing::detail
