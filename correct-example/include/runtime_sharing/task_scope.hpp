#pragma once

#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/detail/async_climb.hpp"
#include "runtime_sharing/detail/scope_state.hpp"
#include "runtime_sharing/detail/task.hpp"
#include "runtime_sharing/detail/task_function.hpp"
#include "runtime_sharing/error.hpp"
#include "runtime_sharing/scope_limits.hpp"
#include "runtime_sharing/shutdown_report.hpp"

#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
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
}  // namespace detail

/// A handle on one task. Copies are handles on the same task; dropping them changes nothing.
/// All member functions are thread-safe. A default-constructed handle is on none, and so is one
/// that was moved from: only assign to it.
///
/// Called elsewhere: `tokio::task::JoinHandle` and `AbortHandle`, `folly::Future`.
class TaskHandle {
 public:
  TaskHandle() = default;

  /// The name that the task was spawned by.
  const std::string& name() const noexcept { return task_->name; }

  /// Ends what the task is suspended in, as the rung `interrupt` of a shutdown does: by terminal
  /// cancellation. Returns at once. The task may wait again afterwards, to clean up or to go on.
  /// One that disables cancellation, or is suspended in something that cannot be cancelled, such as
  /// a post, or in an operation that has its result already, does not notice; and nobody asks
  /// again.
  void interrupt() const noexcept { task_->interrupt(); }

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

  /// Closes and cancels. Await async_join() or async_shutdown() before: a scope inside a runtime
  /// that still has tasks warns through Runtime::Options::on_warning and waits for them, for the
  /// default deadline and never on a thread of a runtime. The task that destroys it from inside
  /// does not count, and after async_shutdown() there is nothing to wait for. A scope of its own
  /// cannot know who runs its executor, and so does not wait. In either case the tasks keep alive
  /// what they need.
  ~TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  /// Starts a task on a strand of its own: the coroutine that `function` makes when it is called
  /// with the arguments. Both are kept by value for as long as the coroutine, and the function is
  /// called with the kept ones moved, as std::thread does it: what the coroutine takes by value it
  /// owns, a reference is given by std::ref. With g++ 12, do not write a lambda with captures
  /// inside of a `co_await` expression (the compiler destroys its captures twice): give arguments,
  /// or name it first.
  ///
  /// Throws system_error with Errc::scope_closed or Errc::scope_full, having moved nothing out of
  /// `function` and arguments; std::bad_alloc, and then the scope is as it was. Exceptions that
  /// leave the task are kept for its handle and the report.
  template <typename F, typename... Args>
  TaskHandle spawn(std::string task_name, F&& function, Args&&... arguments);

  /// The same, but returns nullopt instead of throwing when the scope is closed or full.
  template <typename F, typename... Args>
  std::optional<TaskHandle> try_spawn(std::string task_name, F&& function, Args&&... arguments);

  /// The same, but waits for room: an initiating function, `void(error_code, TaskHandle)`. The
  /// completion token is the last argument; without one it is use_awaitable. The error is
  /// Errc::scope_closed, `operation_aborted` if the wait was cancelled, or that of the system if
  /// there was no memory. Whoever has waited longest is first. Throws what keeping function and
  /// arguments throws.
  template <typename F, typename... Args>
  auto async_spawn(std::string task_name, F&& function, Args&&... arguments) {
    return detail::with_completion_token<F>(
        [&]<typename Token, typename... Values>(Token&& token, Values&&... values) {
          return start_waiting(std::move(task_name), std::forward<Token>(token),
                               std::forward<F>(function), std::forward<Values>(values)...);
        },
        std::forward<Args>(arguments)...);
  }

  /// From now on spawn() is refused, here and in all scopes below.
  void close() noexcept;
  /// Whether close() was called, here or on a scope above.
  bool is_closed() const noexcept;

  /// What the tasks of this scope shall listen to.
  const CancellationToken& token() const noexcept;

  /// Closes, and waits: an initiating function, `void(error_code)`, that completes when the last
  /// frame of a task is gone, with `operation_aborted` if the wait itself is cancelled. Tells
  /// nobody: for that, cancel token() before. Not to be awaited in a task of the scope.
  ///
  /// Called elsewhere: `join` of stdexec's `counting_scope` and of folly's `AsyncScope`,
  /// `tokio_util::task::TaskTracker::wait`.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_join(CompletionToken&& completion_token = CompletionToken()) {
    close();
    return async_wait(std::forward<CompletionToken>(completion_token));
  }

  /// The same without closing: for those who wait for the end that somebody else brings about. A
  /// scope that nobody closes is never waited for successfully.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_wait(CompletionToken&& completion_token = CompletionToken()) const {
    return state_->drained.cancelled(std::forward<CompletionToken>(completion_token));
  }

  /// Shuts the scope down as Runtime::async_shutdown() does a runtime, while the runtime lives on:
  /// an initiating function, `void(error_code, ShutdownReport)`. Stops accepting, tells, waits,
  /// interrupts; tasks that have not ended then are left behind and named (`abandon`). Blocks
  /// nobody: the ladder stands on a thread of its own. Idempotent, like the other one, and refused
  /// in a task of the scope with std::errc::resource_deadlock_would_occur.
  ///
  /// Called elsewhere: nothing.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, ShutdownReport))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_shutdown(Deadlines deadlines = {},
                      CompletionToken&& completion_token = CompletionToken());
  /// Does not compile, and says why.
  template <typename Rep, typename Period, typename... Rest>
  void async_shutdown(std::chrono::duration<Rep, Period>, Rest&&...) {
    static_assert(detail::never<Rep>, "a shutdown has three deadlines: {.wait = 2s}");
  }

  /// Blocks the calling thread, which must not be one of the scope's own, until the scope is
  /// closed and empty. False if that was not so by the deadline.
  bool wait_until(std::chrono::steady_clock::time_point deadline) const;

  /// Tasks that have not ended, those of the scopes below included.
  std::size_t size() const noexcept;
  /// The names of the same tasks, for a log line. Throws std::bad_alloc.
  std::vector<std::string> unfinished() const;

 private:
  friend class detail::RuntimeCore;
  explicit TaskScope(boost::intrusive_ptr<detail::ScopeState> state) noexcept;

  template <typename F, typename... Args>
  boost::system::error_code spawn_into(TaskHandle& handle, std::string task_name, F&& function,
                                       Args&&... arguments);
  template <typename Token, typename F, typename... Args>
  auto start_waiting(std::string task_name, Token&& token, F&& function, Args&&... arguments);

  const boost::intrusive_ptr<detail::ScopeState> state_;
};

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

template <typename F, typename... Args>
boost::system::error_code TaskScope::spawn_into(TaskHandle& handle, std::string task_name,
                                                F&& function, Args&&... arguments) {
  if constexpr (detail::is_task_function<std::decay_t<F>, std::decay_t<Args>...>()) {
    using Task = detail::SpawnedTask<std::decay_t<F>, std::decay_t<Args>...>;
    const boost::intrusive_ptr<Task> task(new Task(std::move(task_name), state_));
    if (const auto refusal = state_->admit(*task)) return refusal;
    try {
      task->take(std::forward<F>(function), std::forward<Args>(arguments)...);
    } catch (...) {
      detail::TaskGuard(task).forget();
      throw;
    }
    task->start();
    handle = TaskHandle(task);
  }
  return {};
}

template <typename F, typename... Args>
TaskHandle TaskScope::spawn(std::string task_name, F&& function, Args&&... arguments) {
  TaskHandle handle;
  if (const auto refusal = spawn_into(handle, task_name, std::forward<F>(function),
                                      std::forward<Args>(arguments)...)) {
    state_->refuse(task_name, refusal);
  }
  return handle;
}

template <typename F, typename... Args>
std::optional<TaskHandle> TaskScope::try_spawn(std::string task_name, F&& function,
                                               Args&&... arguments) {
  TaskHandle handle;
  if (spawn_into(handle, std::move(task_name), std::forward<F>(function),
                 std::forward<Args>(arguments)...)) {
    return std::nullopt;
  }
  return handle;
}

/// A scope is no token.
template <typename... Rest>
void cancel_on(const TaskScope&, Rest&&...) {
  static_assert(detail::never<Rest...>, "cancel_on() takes a token: cancel_on(scope.token())");
}

template <typename Token, typename F, typename... Args>
auto TaskScope::start_waiting(std::string task_name, Token&& token, F&& function,
                              Args&&... arguments) {
  static_assert(detail::is_task_function<std::decay_t<F>, std::decay_t<Args>...>());
  using Task = detail::SpawnedTask<std::decay_t<F>, std::decay_t<Args>...>;
  boost::intrusive_ptr<Task> made(new Task(std::move(task_name), state_));
  made->take(std::forward<F>(function), std::forward<Args>(arguments)...);
  return boost::asio::async_compose<Token, void(boost::system::error_code, TaskHandle)>(
      [task = std::move(made), place = detail::PlaceInQueue(), started = false](
          auto& self, boost::system::error_code error = {}) mutable {
        if (!std::exchange(started, true)) return boost::asio::post(std::move(self));
        std::optional<CancellationToken> turn;
        try {
          if (!error) error = task->scope->admit(*task);
          if (error == Errc::scope_full) turn = place.queue_for(task->scope);
        } catch (const std::bad_alloc&) {
          error = make_error_code(boost::system::errc::not_enough_memory);
        }
        if (turn) return turn->cancelled(std::move(self));
        if (!error) task->start();
        self.complete(error, error ? TaskHandle() : TaskHandle(task));
      },
      token);
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, ShutdownReport))
              CompletionToken>
auto TaskScope::async_shutdown(Deadlines deadlines, CompletionToken&& completion_token) {
  return detail::async_climb([state = state_] { return state->ladder(); }, deadlines,
                             std::forward<CompletionToken>(completion_token));
}

}  // namespace runtime_sharing
