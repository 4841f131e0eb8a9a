#pragma once

#include "runtime_sharing/runtime.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

namespace runtime_sharing {

namespace detail {

/// What a slot shares with the operations that were started on it.
struct SlotState {
  /// Null, or why not: the error, and the runtime to wait for if that is Errc::runtime_stopping.
  std::shared_ptr<Runtime> try_start(boost::system::error_code& error,
                                     std::shared_ptr<Runtime>& stopping);
  std::shared_ptr<Runtime> current() const;
  void let_go_of(const std::shared_ptr<Runtime>& ended);

  mutable std::mutex mutex;
  std::condition_variable started;
  bool closed = false;       // guarded by mutex, like all below
  bool is_starting = false;  // somebody starts the next one, without the mutex
  Runtime::Options next;
  std::shared_ptr<Runtime> present;
};

}  // namespace detail

/// The application's one place for "the runtime of now". Each start is a new generation: a fresh
/// runtime with a fresh scope and token. A handle of an older generation stays valid and is
/// refused.
///
/// All member functions are thread-safe. Called elsewhere: nothing; a Rust `OnceLock<Runtime>` or a
/// `std::once_flag` can be filled only once, which is why a global of that kind cannot restart.
class RuntimeSlot {
 public:
  /// `options` is the pattern of every generation; its `generation` is the first one's number.
  explicit RuntimeSlot(Runtime::Options options);

  /// What start() does while the present generation is being shut down.
  enum class WhileStopping {
    refuse,  ///< throws Errc::runtime_stopping
    wait,    ///< waits for the end of that shutdown
  };

  /// Starts the next generation. Throws system_error with Errc::runtime_running while the present
  /// one runs, Errc::runtime_stopping as chosen, Errc::slot_closed after close(), and with
  /// std::errc::resource_deadlock_would_occur if it would wait on a thread of the runtime that it
  /// waits for; what Runtime::start() throws.
  std::shared_ptr<Runtime> start(WhileStopping policy = WhileStopping::refuse);

  /// The same as an initiating function with the signature `void(error_code,
  /// std::shared_ptr<Runtime>)`: waits without blocking, and works on any thread. The slot must
  /// live until it completes. Without a thread, or memory, the error is that of the system.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code,
                                                 std::shared_ptr<Runtime>))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_start(CompletionToken&& completion_token = CompletionToken());

  /// From now on no generation is started; who waits for that is refused. The present one goes on:
  /// shut it down.
  void close();

  /// The runtime of the present generation; null before the first start() and after shutdown()
  /// of the slot.
  std::shared_ptr<Runtime> current() const;

  /// Shuts the present generation down and lets go of it, as Runtime::shutdown() does and with its
  /// errors; Errc::no_runtime if there is none.
  ShutdownReport shutdown(Deadlines deadlines = {});

  /// The same as an initiating function with the signature `void(error_code, ShutdownReport)`.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, ShutdownReport))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_shutdown(Deadlines deadlines = {},
                      CompletionToken&& completion_token = CompletionToken());

 private:
  const std::shared_ptr<detail::SlotState> state_;
};

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, ShutdownReport))
              CompletionToken>
auto RuntimeSlot::async_shutdown(Deadlines deadlines, CompletionToken&& completion_token) {
  return boost::asio::async_compose<CompletionToken,
                                    void(boost::system::error_code, ShutdownReport)>(
      [state = state_, deadlines, runtime = std::shared_ptr<Runtime>(), started = false](
          auto& self, boost::system::error_code error = {},
          std::optional<ShutdownReport> report = {}) mutable {
        if (!std::exchange(started, true)) {
          runtime = state->current();
          // Shared, because moving `self` moves this lambda with its captures.
          const auto ending = runtime;
          ending ? ending->async_shutdown(deadlines, std::move(self))
                 : boost::asio::post(std::move(self));
          return;
        }
        if (!runtime) return self.complete(Errc::no_runtime, {});
        state->let_go_of(std::exchange(runtime, nullptr));
        self.complete(error, report ? *std::move(report) : ShutdownReport{});
      },
      completion_token);
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, std::shared_ptr<Runtime>))
              CompletionToken>
auto RuntimeSlot::async_start(CompletionToken&& completion_token) {
  return boost::asio::async_compose<CompletionToken,
                                    void(boost::system::error_code, std::shared_ptr<Runtime>)>(
      [state = state_, begun = false](auto& self, boost::system::error_code error = {}) mutable {
        if (!std::exchange(begun, true)) return boost::asio::post(std::move(self));
        std::shared_ptr<Runtime> stopping;
        std::shared_ptr<Runtime> started;
        try {
          if (!error) started = state->try_start(error, stopping);
        } catch (const boost::system::system_error& failure) {
          error = failure.code();
        } catch (const std::bad_alloc&) {
          error = make_error_code(boost::system::errc::not_enough_memory);
        }
        if (stopping) return stopping->ended().cancelled(std::move(self));
        self.complete(error, std::move(started));
      },
      completion_token);
}

}  // namespace runtime_sharing
