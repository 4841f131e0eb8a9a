#include "runtime_sharing/task_executor.hpp"

#include <boost/asio/co_spawn.hpp>

namespace runtime_sharing::detail {

CoroutineTask* task_of(const asio::any_io_executor& executor) noexcept {
  const auto* const found = executor.target<TaskExecutor>();
  return found != nullptr ? found->task() : nullptr;
}

void intrusive_ptr_add_ref(const CoroutineTask* task) noexcept {
  intrusive_ptr_add_ref(static_cast<const TaskRecord*>(task));
}

void intrusive_ptr_release(const CoroutineTask* task) noexcept {
  intrusive_ptr_release(static_cast<const TaskRecord*>(task));
}

bool runs_here(const CoroutineTask& task) noexcept {
  return task.runs_here();
}

void push_to(CoroutineTask& task, QueuedOperation& operation) {
  task.push(operation);
}

WaiterGroup& waiters_of(const CoroutineTask& task) noexcept {
  return task.scope->tree->waiters_here();
}

void CoroutineTask::interrupt() {
  post([self = boost::intrusive_ptr(this)] {
    self->interrupted = true;
    self->signal.emit(asio::cancellation_type::terminal);
  });
}

void CoroutineTask::begin(asio::awaitable<void> coroutine, TaskGuard& guard) {
  asio::co_spawn(TaskExecutor(this), std::move(coroutine), TaskCompletion(*this, std::move(guard)));
}

void CoroutineTask::run_steps() {
  /// Marks the task as running while a thread is inside its code. That is how a shutdown knows whom
  /// a thread that does not return belongs to.
  struct Turn {
    explicit Turn(CoroutineTask& its_task)
        : task(its_task), before(std::exchange(task_of_this_thread, &its_task)) {
      task.running.store(true, std::memory_order_release);
    }
    ~Turn() {
      task.running.store(false, std::memory_order_release);
      task_of_this_thread = before;
    }
    CoroutineTask& task;
    const CoroutineTask* const before;
  };

  bool more = true;
  const auto go_on_later = [&] {
    if (more) scope->tree->submit(*this);
  };
  try {
    const Turn turn(*this);
    more = queue_.run();
  } catch (...) {
    go_on_later();
    throw;
  }
  go_on_later();
}

}  // namespace runtime_sharing::detail
