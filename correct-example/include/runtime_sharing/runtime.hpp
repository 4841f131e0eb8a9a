#pragma once

#include "runtime_sharing/detail/adapted_executor.hpp"
#include "runtime_sharing/detail/async_climb.hpp"
#include "runtime_sharing/detail/blocking_call.hpp"
#include "runtime_sharing/detail/gate_policy.hpp"
#include "runtime_sharing/runtime_observer.hpp"
#include "runtime_sharing/shutdown_report.hpp"
#include "runtime_sharing/task_scope.hpp"

#include <boost/asio/compose.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace runtime_sharing {

namespace detail {

class RuntimeCore;
struct SlotState;

}  // namespace detail

/// *Shared:* an execution context with its threads, held by as many `shared_ptr`s as there are
/// components. Holding one keeps the object valid, never the work alive: memory lifetime and
/// running lifetime are two different things. One call ends the work, whoever makes it.
///
/// After a shutdown everything may still be called: spawn() is refused, what is posted to the
/// executor is destroyed instead of run. Holding the executor alone is not enough for that: hold
/// the Runtime.
///
/// What is no task but stands on the executor is its owner's affair: timers and sockets, and the
/// handlers of their operations. When all tasks end once told, a shutdown touches nothing of it:
/// any thread may make, use, cancel and destroy such objects at any time; one whose operation is
/// bound by cancel_on lives until that operation's handler has gone. But nothing runs any more:
/// operations that are pending, or begun later, never complete, and are destroyed with the last
/// owner of the Runtime, on its thread. A handler that owns the Runtime would keep it for ever: let
/// it hold a `weak_ptr`, or make it a task.
///
/// The rung `stop` destroys frames, and with them whatever is pending on the executor. Meanwhile,
/// until ended() is cancelled, only threads of this runtime may use I/O objects on it, and no
/// thread may destroy them. Owners with threads of their own close theirs when token() is
/// cancelled, or use them in tasks. A task that is abandoned in an operation of another context may
/// outlive the runtime: whoever lets that happen gives it no I/O object of this one.
///
/// All member functions are thread-safe, and posting to the executor is.
///
/// Called elsewhere: `tokio::runtime::Runtime` (whose `shutdown_timeout` ends the work without
/// waiting for it), `folly::CPUThreadPoolExecutor`, `boost::asio::thread_pool`.
class Runtime {
 public:
  /// What its owners post to: an executor of Asio, whose posts after a shutdown are dropped.
  using executor_type =
      detail::AdaptedExecutor<boost::asio::io_context::executor_type, detail::GatePolicy>;

  /// What a runtime is started with.
  struct Options {
    std::string name = "runtime";                ///< for log lines, errors and the report
    std::uint64_t generation = 1;                ///< set by RuntimeSlot
    int threads = 2;                             ///< at least 1
    std::function<void()> on_thread_start = {};  ///< on each thread, first thing; must not throw
    std::function<void()> on_thread_stop = {};   ///< on each thread, last thing; must not throw
    /// Takes the few lines that nobody asked for: a runtime dropped without shutdown, an exception
    /// out of a raw handler. Empty: they go nowhere. Called on any thread.
    std::function<void(std::string_view)> on_warning = {};
    /// Is told of the turns of all tasks and of each shutdown. Null, and free of cost: nobody is.
    std::shared_ptr<RuntimeObserver> observer = {};
  };

  /// Starts the threads. Throws boost::thread_resource_error if the system gives none, having
  /// ended those that it had started.
  static std::shared_ptr<Runtime> start(Options options);

  /// A runtime that was not shut down is, now, with default deadlines: here if that may block, in
  /// the background if this is one of its own threads. With a warning: somebody forgot.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Options::name.
  const std::string& name() const noexcept;
  /// Options::generation.
  std::uint64_t generation() const noexcept;

  /// For I/O objects, and for work that no scope tracks.
  executor_type get_executor() noexcept;
  /// Cancelled by the shutdown's `tell`.
  const CancellationToken& token() const noexcept;
  /// The root scope: whatever is spawned on the runtime is in it or below.
  TaskScope& scope() noexcept;

  /// Spawns into the root scope: see TaskScope::spawn(). Throws system_error with
  /// Errc::runtime_shut_down, naming the generation, once a shutdown has begun.
  template <typename F, typename... Args>
  TaskHandle spawn(std::string task_name, F&& function, Args&&... arguments) {
    return scope().spawn(std::move(task_name), std::forward<F>(function),
                         std::forward<Args>(arguments)...);
  }

  /// Calls a blocking function with arguments, both kept by value as std::thread does, on a
  /// Boost.Thread of its own, and completes on the handler's executor: an initiating function with
  /// the signature `void(std::exception_ptr, Result)` (Result default-constructible, as for
  /// co_spawn, and movable), or `void(std::exception_ptr)` for a function without result. The
  /// completion token is the last argument; without one it is use_awaitable.
  ///
  /// It is a task of the root scope; if it is refused like one, or gets no thread, that is its
  /// result. When a shutdown interrupts, it is interrupted at Boost.Thread's interruption points
  /// and ends with `operation_aborted`. Cancelling the wait leaves the call running: if that fails
  /// when nobody waits any more, it is in the report. Function and arguments are destroyed before
  /// the completion.
  ///
  /// Called elsewhere: `tokio::task::spawn_blocking`.
  template <typename F, typename... Args>
  auto spawn_blocking(std::string task_name, F&& function, Args&&... arguments) {
    return detail::with_completion_token<F>(
        [&]<typename Token, typename... Values>(Token&& token, Values&&... values) {
          return start_blocking(std::move(task_name), std::forward<Token>(token),
                                std::forward<F>(function), std::forward<Values>(values)...);
        },
        std::forward<Args>(arguments)...);
  }

  /// Climbs the ladder, only as far as it must, and says what it found. Blocks at most for the sum
  /// of the deadlines. Idempotent: whoever calls gets the same report; a later call during the
  /// shutdown can shorten its deadlines, never lengthen them.
  /// Throws system_error with std::errc::resource_deadlock_would_occur where it would wait for
  /// itself, on a thread of this runtime or in a callback that the shutdown has called, having
  /// changed nothing. Waits for memory for the caller's copy of the report.
  ShutdownReport shutdown(Deadlines deadlines = {});

  /// The same without blocking, from anywhere, the runtime's own threads included: an initiating
  /// function with the signature `void(error_code, ShutdownReport)`. The ladder stands on a thread
  /// of its own; without one the error is that of the system, and nothing has changed. Cancelling
  /// the wait leaves the shutdown going on.
  ///
  /// A task of this runtime that awaited it would wait for its own end: there the error is
  /// std::errc::resource_deadlock_would_occur, and nothing has changed. Let somebody outside await
  /// it, or begin it from the task with a completion handler of another executor.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, ShutdownReport))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_shutdown(Deadlines deadlines = {},
                      CompletionToken&& completion_token = CompletionToken());
  /// Does not compile, and says why.
  template <typename Rep, typename Period, typename... Rest>
  void async_shutdown(std::chrono::duration<Rep, Period>, Rest&&...) {
    static_assert(detail::never<Rep>, "a shutdown has three deadlines: {.wait = 2s}");
  }

  /// Cancelled when a shutdown is over: the report is there, and no task runs, except those it
  /// calls abandoned. For those who did not ask for it.
  const CancellationToken& ended() const noexcept;

  /// Whether the calling thread is one of this runtime's, worker or blocking.
  bool running_in_this_thread() const noexcept;

 private:
  friend struct detail::SlotState;

  explicit Runtime(std::shared_ptr<detail::RuntimeCore> core);
  bool is_shutting_down() const noexcept;
  template <typename Token, typename F, typename... Args>
  auto start_blocking(std::string task_name, Token&& token, F&& function, Args&&... arguments);

  const std::shared_ptr<detail::RuntimeCore> core_;
};

namespace detail {

// What the initiating functions below need of the core, which outlives the Runtime that they were
// called on.
void start_blocking(const std::shared_ptr<RuntimeCore>& core, std::string task_name,
                    std::shared_ptr<BlockingCall> call);
std::shared_ptr<Ladder> ladder_of(const std::shared_ptr<RuntimeCore>& core) noexcept;

}  // namespace detail

template <typename Token, typename F, typename... Args>
auto Runtime::start_blocking(std::string task_name, Token&& token, F&& function,
                             Args&&... arguments) {
  static_assert(std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>,
                "the blocking function cannot be called with these arguments");
  using Result = std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>;
  using Call = detail::BlockingCallOf<Result, std::decay_t<F>, std::decay_t<Args>...>;
  detail::AwaitedCall<Call> call(
      std::make_shared<Call>(std::forward<F>(function), std::forward<Args>(arguments)...));
  return boost::asio::async_compose<Token, typename detail::BlockingSignature<Result>::type>(
      [core = core_, call = std::move(call), task_name = std::move(task_name), started = false](
          auto& self, boost::system::error_code error = {}) mutable {
        if (!std::exchange(started, true)) {
          try {
            detail::start_blocking(core, std::move(task_name), call.get());
          } catch (...) {
            // A coroutine cannot catch what is thrown while it is being suspended: told as a
            // result.
            call->end(std::current_exception());
          }
          const auto done = call->done;
          return done.cancelled(std::move(self));
        }
        if (error) {
          const auto aborted = std::make_exception_ptr(boost::system::system_error(error));
          if constexpr (std::is_void_v<Result>) return self.complete(aborted);
          if constexpr (!std::is_void_v<Result>) return self.complete(aborted, Result{});
        }
        const auto ended = call.take();
        if constexpr (std::is_void_v<Result>) {
          self.complete(ended->error());
        } else {
          self.complete(ended->error(), std::move(ended->value));
        }
      },
      token);
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, ShutdownReport))
              CompletionToken>
auto Runtime::async_shutdown(Deadlines deadlines, CompletionToken&& completion_token) {
  return detail::async_climb([core = core_] { return detail::ladder_of(core); }, deadlines,
                             std::forward<CompletionToken>(completion_token));
}

}  // namespace runtime_sharing
