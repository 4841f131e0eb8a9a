#pragma once

#include "runtime_sharing/adapted_executor.hpp"
#include "runtime_sharing/shutdown_report.hpp"
#include "runtime_sharing/task_scope.hpp"

#include <boost/asio/compose.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace runtime_sharing {

namespace detail {

class RuntimeCore;

/// Posts from outside a runtime pass the gate of its context; after a shutdown they are dropped.
struct GatePolicy {
  template <typename Inner, typename Function>
  void execute(const Inner& inner, Function&& function) const {
    if (const ContextGate::Entry entry(*gate); entry) {
      inner.execute(std::forward<Function>(function));
    }
  }

  friend bool operator==(const GatePolicy&, const GatePolicy&) = default;

  ContextGate* gate;  // valid as long as the context
};

}  // namespace detail

/// *Shared:* an execution context with its threads, held by as many `shared_ptr`s as there are
/// components. Holding one keeps the object valid, never the work alive: memory lifetime and
/// running lifetime are two different things. One call ends the work, whoever makes it.
///
/// After a shutdown everything may still be called: spawn() is refused, what is posted to the
/// executor is destroyed instead of run, and I/O objects made on it may be destroyed. Holding the
/// executor alone is not enough for that: hold the Runtime.
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

  /// Spawns into the root scope. Throws system_error with Errc::runtime_shut_down, naming the
  /// generation, once a shutdown has begun.
  template <TaskFunction F>
  TaskHandle spawn(std::string task_name, F&& task) {
    return scope().spawn(std::move(task_name), std::forward<F>(task));
  }

  /// Runs a blocking `function` on a Boost.Thread of its own and completes on the handler's
  /// executor: an initiating function with the signature `void(std::exception_ptr, Result)` (Result
  /// default-constructible, as for co_spawn), or `void(std::exception_ptr)` for a function without
  /// result. It is a task of the root scope; if it is refused like one, or gets no thread, that is
  /// its result. When a shutdown interrupts, it
  /// is interrupted at Boost.Thread's interruption points. Cancelling the wait leaves the call
  /// running.
  ///
  /// Called elsewhere: `tokio::task::spawn_blocking`.
  template <std::invocable Function, typename CompletionToken = boost::asio::use_awaitable_t<>>
  auto spawn_blocking(std::string task_name, Function function,
                      CompletionToken&& completion_token = CompletionToken());

  /// Climbs the ladder, only as far as it must, and says what it found. Blocks at most for the sum
  /// of the deadlines. Idempotent: whoever calls gets the same report; a later call during the
  /// shutdown can shorten its deadlines, never lengthen them.
  /// Throws system_error with std::errc::resource_deadlock_would_occur on a thread of this runtime,
  /// having changed nothing; std::bad_alloc, and then it can be called again.
  ShutdownReport shutdown(Deadlines deadlines = {});

  /// The same without blocking, from anywhere, the runtime's own threads included: an initiating
  /// function with the signature `void(error_code, ShutdownReport)`. The ladder stands on a thread
  /// of its own; without one the error is that of the system, and nothing has changed. Cancelling
  /// the wait leaves the shutdown going on.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, ShutdownReport))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_shutdown(Deadlines deadlines = {},
                      CompletionToken&& completion_token = CompletionToken());

  /// Cancelled when a shutdown is over and its report is there: for those who did not ask for it.
  const CancellationToken& ended() const noexcept;

  /// A shutdown has begun, or is over.
  bool is_shutting_down() const noexcept;
  /// A shutdown is over: the report is there, and no task runs, except those it calls abandoned.
  bool has_shut_down() const noexcept;

  /// Whether the calling thread is one of this runtime's, worker or blocking.
  bool running_in_this_thread() const noexcept;

 private:
  explicit Runtime(std::shared_ptr<detail::RuntimeCore> core);

  const std::shared_ptr<detail::RuntimeCore> core_;
};

namespace detail {

// What the initiating functions below need of the core, which outlives the Runtime that they were
// called on.
void start_blocking(const std::shared_ptr<RuntimeCore>& core, std::string task_name,
                    std::function<void()> call);
/// The error: there is no thread, or no memory, for the ladder.
boost::system::error_code begin_shutdown(const std::shared_ptr<RuntimeCore>& core,
                                         Deadlines deadlines);
/// Cancelled when the ladder is done; then the report is there.
const CancellationToken& shutdown_done(const RuntimeCore& core) noexcept;
ShutdownReport report_of(const RuntimeCore& core);

/// Where a blocking call leaves its result for the one who awaits it.
template <typename Result>
struct BlockingResult {
  CancellationToken done;
  std::exception_ptr error;
  std::conditional_t<std::is_void_v<Result>, std::monostate, Result> value{};
};

template <typename Result>
struct BlockingSignature {
  using type = void(std::exception_ptr, Result);
};
template <>
struct BlockingSignature<void> {
  using type = void(std::exception_ptr);
};

}  // namespace detail

template <std::invocable Function, typename CompletionToken>
auto Runtime::spawn_blocking(std::string task_name, Function function,
                             CompletionToken&& completion_token) {
  using Result = std::invoke_result_t<Function&>;
  const auto result = std::make_shared<detail::BlockingResult<Result>>();
  // std::function wants a copyable callable.
  const auto callable = std::make_shared<Function>(std::move(function));
  auto call = [result, callable] {
    try {
      if constexpr (std::is_void_v<Result>) {
        (*callable)();
      } else {
        result->value = (*callable)();
      }
    } catch (...) {
      result->error = std::current_exception();
    }
    result->done.cancel();
  };
  return boost::asio::async_compose<CompletionToken,
                                    typename detail::BlockingSignature<Result>::type>(
      [core = core_, result, task_name = std::move(task_name), call = std::move(call),
       started = false](auto& self, boost::system::error_code error = {}) mutable {
        if (!std::exchange(started, true)) {
          try {
            detail::start_blocking(core, std::move(task_name), std::move(call));
          } catch (...) {
            // A coroutine cannot catch what is thrown while it is being suspended: told as a
            // result.
            result->error = std::current_exception();
            result->done.cancel();
          }
          result->done.cancelled(std::move(self));
          return;
        }
        const auto failure =
            error ? std::make_exception_ptr(boost::system::system_error(error)) : result->error;
        if constexpr (std::is_void_v<Result>) {
          self.complete(failure);
        } else {
          self.complete(failure, failure ? Result{} : std::move(result->value));
        }
      },
      completion_token);
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, ShutdownReport))
              CompletionToken>
auto Runtime::async_shutdown(Deadlines deadlines, CompletionToken&& completion_token) {
  return boost::asio::async_compose<CompletionToken,
                                    void(boost::system::error_code, ShutdownReport)>(
      [core = core_, deadlines, refusal = boost::system::error_code(), started = false](
          auto& self, boost::system::error_code error = {}) mutable {
        if (!std::exchange(started, true)) {
          refusal = detail::begin_shutdown(core, deadlines);
          if (refusal) return boost::asio::post(std::move(self));
          detail::shutdown_done(*core).cancelled(std::move(self));
          return;
        }
        if (refusal) error = refusal;
        self.complete(error, error ? ShutdownReport{} : detail::report_of(*core));
      },
      completion_token);
}

}  // namespace runtime_sharing
