#pragma once

#include "runtime_sharing/adapted_executor.hpp"
#include "runtime_sharing/scope_state.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>

#include <memory>
#include <utility>

namespace runtime_sharing::detail {

/// A tracked coroutine: its strand, and the signal that interrupts it there.
class CoroutineTask final : public TaskRecord {
 public:
  using TaskRecord::TaskRecord;
  void interrupt() override;

  const asio::strand<asio::any_io_executor> strand{asio::make_strand(scope->executor)};
  asio::cancellation_signal signal;  // belongs to the strand
};

/// Marks the task as running while a thread is inside its code. That is how a shutdown knows whom a
/// thread that does not return belongs to.
struct TaskPolicy {
  class Running {
   public:
    explicit Running(TaskRecord& record) noexcept : record_(record) { ++record_.running; }
    ~Running() { --record_.running; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    TaskRecord& record_;
  };

  template <typename Inner, typename Function>
  void execute(const Inner& inner, Function&& function) const {
    inner.execute([task = task, function = std::forward<Function>(function)]() mutable {
      const Running running(*task);
      std::move(function)();
    });
  }

  friend bool operator==(const TaskPolicy&, const TaskPolicy&) = default;

  std::shared_ptr<CoroutineTask> task;
};

/// The executor that a task's coroutine runs on.
using TaskExecutor = AdaptedExecutor<asio::strand<asio::any_io_executor>, TaskPolicy>;

/// The completion handler of a task's co_spawn. It names a cancellation slot and no executor, so
/// that Asio emits directly, on the strand where we are, and keeps no executor in the signal.
struct TaskCompletion {
  using cancellation_slot_type = asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const noexcept { return task->signal.slot(); }
  void operator()(std::exception_ptr) const noexcept {}  // run_task() lets none out

  std::shared_ptr<CoroutineTask> task;
};

}  // namespace runtime_sharing::detail
