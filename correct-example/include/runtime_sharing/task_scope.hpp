#pragma once

#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/error.hpp"
#include "runtime_sharing/scope_state.hpp"
#include "runtime_sharing/task_executor.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace runtime_sharing {

namespace detail {
class RuntimeCore;
}

/// A callable that makes a task's coroutine. It may be a lambda with captures: the scope keeps it
/// alive for as long as the coroutine.
template <typename F>
concept TaskFunction = std::move_constructible<std::decay_t<F>> && requires(std::decay_t<F>& task) {
  { task() } -> std::same_as<boost::asio::awaitable<void>>;
};

/// *Stop accepting* and *wait*: a named set of tasks. Every task that it accepts is waited for,
/// every task that it cannot wait for is refused.
///
/// Scopes nest: closing or cancelling a scope reaches the scopes below it, and a scope is empty
/// only when they are. All member functions are thread-safe.
///
/// Called elsewhere: `tokio_util::task::TaskTracker` with its `CancellationToken`,
/// `folly::coro::AsyncScope`, `stdexec::counting_scope` (P3149), `seastar::gate`.
class TaskScope {
 public:
  /// A scope of its own on any executor. Its token is a child of `parent_token`.
  TaskScope(const std::string& name, const boost::asio::any_io_executor& executor,
            const CancellationToken& parent_token = CancellationToken());

  /// A scope inside `parent`, on the same executor. Closed already if `parent` is.
  TaskScope(const std::string& name, TaskScope& parent);

  /// Closes and cancels. Does not wait, because it may run where waiting would block the tasks:
  /// they end on their own and keep alive what they need. Await async_wait() before.
  ~TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  /// Starts `task` on a strand of its own. Throws system_error with Errc::scope_closed, having
  /// moved nothing out of `task`, when the scope is closed; std::bad_alloc.
  /// Exceptions that leave the task are kept for the report and do not disturb other tasks.
  template <TaskFunction F>
  void spawn(std::string task_name, F&& task);

  /// The same, but returns false instead of throwing when the scope is closed.
  template <TaskFunction F>
  bool try_spawn(std::string task_name, F&& task);

  /// From now on spawn() is refused, here and in all scopes below.
  void close();
  /// Whether close() was called, here or on a scope above.
  bool is_closed() const;

  /// What the tasks of this scope shall listen to.
  const CancellationToken& token() const noexcept;

  /// Initiating function, `void(error_code)`: completes when the scope is closed and the last frame
  /// of a task is gone, with `operation_aborted` if the wait itself is cancelled.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_wait(CompletionToken&& completion_token = CompletionToken()) const {
    return state_->drained.cancelled(std::forward<CompletionToken>(completion_token));
  }

  /// Blocks the calling thread, which must not be one of the scope's own, until the scope is
  /// closed and empty. False if that was not so by the deadline.
  bool wait_until(std::chrono::steady_clock::time_point deadline) const;

  /// Tasks that have not ended, those of the scopes below included.
  std::size_t size() const;
  /// The names of the same tasks, for a log line. Throws std::bad_alloc.
  std::vector<std::string> unfinished() const;

 private:
  friend class detail::RuntimeCore;
  explicit TaskScope(std::shared_ptr<detail::ScopeState> state) noexcept;

  const std::shared_ptr<detail::ScopeState> state_;
};

namespace detail {

/// A task with the callable that makes its coroutine. Its first step starts the coroutine.
template <typename F>
class SpawnedTask final : public CoroutineTask, private QueuedOperation {
 public:
  SpawnedTask(std::string task_name, std::shared_ptr<ScopeState> owner)
      : CoroutineTask(std::move(task_name), std::move(owner)) {}

  /// Takes the callable. If it throws, the scope is as if nothing had been spawned.
  template <typename Callable>
  void start(Callable&& callable) {
    try {
      guard_.emplace(boost::intrusive_ptr<TaskRecord>(this));
      callable_.emplace(std::forward<Callable>(callable));
      push(*this);
    } catch (...) {
      guard_.reset();
      scope->forget();
      throw;
    }
  }

 private:
  void run() override {
    TaskGuard guard = *std::exchange(guard_, std::nullopt);
    // The strand runs an interruption either before this, and then nothing has begun that could be
    // cancelled, or after it, and then the signal has its slot.
    if (interrupted) return;
    try {
      auto coroutine = (*callable_)();
      asio::co_spawn(TaskExecutor(this), std::move(coroutine),
                     TaskCompletion(*this, std::move(guard)));
    } catch (...) {
      guard.ended(std::current_exception());
    }
  }
  void discard() noexcept override { guard_.reset(); }
  void destroy_callable() noexcept override { callable_.reset(); }

  std::optional<F> callable_;
  std::optional<TaskGuard> guard_;  // until the coroutine begins
};

}  // namespace detail

template <TaskFunction F>
void TaskScope::spawn(std::string task_name, F&& task) {
  if (!try_spawn(task_name, std::forward<F>(task))) state_->refuse(task_name);
}

template <TaskFunction F>
bool TaskScope::try_spawn(std::string task_name, F&& task) {
  const boost::intrusive_ptr record(
      new detail::SpawnedTask<std::decay_t<F>>(std::move(task_name), state_));
  if (!state_->admit(*record)) return false;
  record->start(std::forward<F>(task));
  return true;
}

}  // namespace runtime_sharing
