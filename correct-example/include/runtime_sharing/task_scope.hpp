#pragma once

#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/error.hpp"
#include "runtime_sharing/scope_state.hpp"
#include "runtime_sharing/task_executor.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
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

/// A handle on one task. Copies are handles on the same task; dropping them changes nothing.
/// All member functions are thread-safe. A default-constructed handle is on none: only assign to
/// it.
///
/// Called elsewhere: `tokio::task::JoinHandle` and `AbortHandle`, `folly::Future`.
class TaskHandle {
 public:
  TaskHandle() = default;

  /// The name that the task was spawned by.
  const std::string& name() const noexcept { return task_->name; }

  /// Cancels, terminally, what the task is suspended in, as the rung `interrupt` of a shutdown
  /// does. Returns at once; a task that disables cancellation goes on. Throws std::bad_alloc.
  void cancel() const { task_->interrupt(); }

  /// Initiating function, `void(std::exception_ptr)`: completes when the task's frame is gone, with
  /// the exception that left it. A task that was destroyed instead of finishing, and a wait that is
  /// itself cancelled, end by system_error with `operation_aborted`.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_join(CompletionToken&& completion_token = CompletionToken()) const;

 private:
  friend class TaskScope;
  explicit TaskHandle(boost::intrusive_ptr<detail::TaskRecord> task) noexcept
      : task_(std::move(task)) {}

  boost::intrusive_ptr<detail::TaskRecord> task_;
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
  /// A scope of its own on any executor. Its token is a child of `parent_token`. The context
  /// outlives its tasks or is destroyed with them in it, as with all of Asio. Throws
  /// std::bad_alloc.
  TaskScope(const std::string& name, const boost::asio::any_io_executor& executor,
            const CancellationToken& parent_token = CancellationToken(), ScopeLimits limits = {});

  /// A scope inside `parent`, on the same executor. Closed already if `parent` is. Throws
  /// std::bad_alloc.
  TaskScope(const std::string& name, TaskScope& parent, ScopeLimits limits = {});

  /// Closes and cancels. Await async_wait() before: a scope inside a runtime that still has tasks
  /// warns through Runtime::Options::on_warning and waits for them, for the default deadline and
  /// never on a thread of that runtime. A scope of its own cannot know who runs its executor, and
  /// so does not wait. In either case the tasks keep alive what they need.
  ~TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  /// Starts `task` on a strand of its own. Throws system_error with Errc::scope_closed or
  /// Errc::scope_full, having moved nothing out of `task`; std::bad_alloc, and then the scope is as
  /// it was. Exceptions that leave the task are kept for its handle and the report.
  template <TaskFunction F>
  TaskHandle spawn(std::string task_name, F&& task);

  /// The same, but returns nullopt instead of throwing when the scope is closed or full.
  template <TaskFunction F>
  std::optional<TaskHandle> try_spawn(std::string task_name, F&& task);

  /// The same, but waits for room: an initiating function, `void(error_code, TaskHandle)`. The
  /// error is Errc::scope_closed, `operation_aborted` if the wait was cancelled, or that of the
  /// system if there was no memory. Whoever has waited longest is first.
  template <TaskFunction F, typename CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_spawn(std::string task_name, F task,
                   CompletionToken&& completion_token = CompletionToken());

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
  template <TaskFunction F>
  static boost::system::error_code spawn_into(const std::shared_ptr<detail::ScopeState>& state,
                                              std::string task_name, F&& task, TaskHandle& handle);
  std::string unfinished_name() const;

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
      begin((*callable_)(), guard);
    } catch (...) {
      guard.ended(std::current_exception());
    }
  }
  void discard() noexcept override { guard_.reset(); }
  void coroutine_is_gone() noexcept override {
    signal.slot().clear();  // what a destroyed frame left there may hold this task
    callable_.reset();
  }

  std::optional<F> callable_;
  std::optional<TaskGuard> guard_;  // until the coroutine begins
};

}  // namespace detail

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr)) CompletionToken>
auto TaskHandle::async_join(CompletionToken&& completion_token) const {
  return boost::asio::async_compose<CompletionToken, void(std::exception_ptr)>(
      [task = task_, started = false](auto& self, boost::system::error_code error = {}) mutable {
        if (!std::exchange(started, true)) return task->end().cancelled(std::move(self));
        self.complete(error ? std::make_exception_ptr(boost::system::system_error(error))
                            : task->error());
      },
      completion_token);
}

template <TaskFunction F>
boost::system::error_code TaskScope::spawn_into(const std::shared_ptr<detail::ScopeState>& state,
                                                std::string task_name, F&& task,
                                                TaskHandle& handle) {
  const boost::intrusive_ptr record(
      new detail::SpawnedTask<std::decay_t<F>>(std::move(task_name), state));
  if (const auto refusal = state->admit(*record)) return refusal;
  record->start(std::forward<F>(task));
  handle = TaskHandle(record);
  return {};
}

template <TaskFunction F>
TaskHandle TaskScope::spawn(std::string task_name, F&& task) {
  TaskHandle handle;
  if (const auto refusal = spawn_into(state_, task_name, std::forward<F>(task), handle)) {
    state_->refuse(task_name, refusal);
  }
  return handle;
}

template <TaskFunction F>
std::optional<TaskHandle> TaskScope::try_spawn(std::string task_name, F&& task) {
  TaskHandle handle;
  if (spawn_into(state_, std::move(task_name), std::forward<F>(task), handle)) return std::nullopt;
  return handle;
}

template <TaskFunction F, typename CompletionToken>
auto TaskScope::async_spawn(std::string task_name, F task, CompletionToken&& completion_token) {
  return boost::asio::async_compose<CompletionToken, void(boost::system::error_code, TaskHandle)>(
      [state = state_, task_name = std::move(task_name), task = std::move(task),
       place = detail::PlaceInQueue(),
       started = false](auto& self, boost::system::error_code error = {}) mutable {
        if (!std::exchange(started, true)) return boost::asio::post(std::move(self));
        TaskHandle handle;
        std::optional<CancellationToken> turn;
        try {
          if (!error) error = spawn_into(state, task_name, std::move(task), handle);
          if (error == Errc::scope_full) turn = place.queue_for(state);
        } catch (const std::bad_alloc&) {
          error = make_error_code(boost::system::errc::not_enough_memory);
        }
        if (turn) return turn->cancelled(std::move(self));
        self.complete(error, std::move(handle));
      },
      completion_token);
}

}  // namespace runtime_sharing
