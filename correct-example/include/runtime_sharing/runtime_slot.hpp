#pragma once

#include "runtime_sharing/runtime.hpp"

#include <boost/asio/post.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace runtime_sharing {

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

  /// Starts the next generation. Throws system_error with Errc::runtime_running or
  /// Errc::runtime_stopping while the present one has not been shut down to its end; what
  /// Runtime::start() throws.
  std::shared_ptr<Runtime> start();

  /// The runtime of the present generation; null before the first start() and after a shutdown.
  std::shared_ptr<Runtime> current() const;

  /// Shuts the present generation down and lets go of it, as Runtime::shutdown() does and with its
  /// errors; Errc::no_runtime if there is none.
  ShutdownReport shutdown(Deadlines deadlines = {});

  /// The same as an initiating function with the signature `void(error_code, ShutdownReport)`.
  /// The slot must live until it completes.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, ShutdownReport))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto async_shutdown(Deadlines deadlines = {},
                      CompletionToken&& completion_token = CompletionToken());

 private:
  void let_go_of(const std::shared_ptr<Runtime>& ended);

  mutable std::mutex mutex_;
  Runtime::Options next_;             // guarded by mutex_
  std::shared_ptr<Runtime> current_;  // guarded by mutex_
};

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code, ShutdownReport))
              CompletionToken>
auto RuntimeSlot::async_shutdown(Deadlines deadlines, CompletionToken&& completion_token) {
  return boost::asio::async_compose<CompletionToken,
                                    void(boost::system::error_code, ShutdownReport)>(
      [this, deadlines, runtime = std::shared_ptr<Runtime>(), started = false](
          auto& self, boost::system::error_code error = {},
          std::optional<ShutdownReport> report = {}) mutable {
        if (!std::exchange(started, true)) {
          runtime = current();
          // Shared, because moving `self` moves this lambda with its captures.
          const auto ending = runtime;
          ending ? ending->async_shutdown(deadlines, std::move(self))
                 : boost::asio::post(std::move(self));
          return;
        }
        if (!runtime) return self.complete(Errc::no_runtime, {});
        let_go_of(std::exchange(runtime, nullptr));
        self.complete(error, report ? *std::move(report) : ShutdownReport{});
      },
      completion_token);
}

}  // namespace runtime_sharing
