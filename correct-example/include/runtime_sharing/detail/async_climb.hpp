#pragma once

#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/shutdown_report.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>

#include <memory>
#include <new>
#include <utility>

namespace runtime_sharing::detail {

class Ladder;

// What async_shutdown() needs of a ladder. The error: there is no thread, or no memory, for it; or
// it would wait for the task that has this executor.
error_code begin_shutdown(Ladder& ladder, Deadlines deadlines,
                          const asio::any_io_executor& waits_on) noexcept;
/// Cancelled when the ladder is done; then the report is there.
const CancellationToken& shutdown_done(const Ladder& ladder) noexcept;
ShutdownReport report_of(const Ladder& ladder) noexcept;

/// The executor, if it may be that of a task.
inline asio::any_io_executor erased(const asio::any_io_executor& executor) {
  return executor;
}
template <typename Executor>
asio::any_io_executor erased(const Executor&) {
  return {};
}

/// `get_ladder()` returns a shared pointer to it. Throws what that throws as the operation's error.
template <typename GetLadder, typename CompletionToken>
auto async_climb(GetLadder get_ladder, Deadlines deadlines, CompletionToken&& completion_token) {
  return asio::async_compose<CompletionToken, void(error_code, ShutdownReport)>(
      [get_ladder, deadlines, ladder = std::shared_ptr<Ladder>(), refusal = error_code(),
       started = false](auto& self, error_code error = {}) mutable {
        if (!std::exchange(started, true)) {
          try {
            ladder = get_ladder();
            refusal = begin_shutdown(*ladder, deadlines, erased(self.get_executor()));
          } catch (const std::bad_alloc&) {
            refusal = make_error_code(boost::system::errc::not_enough_memory);
          }
          if (refusal) return asio::post(std::move(self));
          const auto done = shutdown_done(*ladder);
          return done.cancelled(std::move(self));
        }
        if (refusal) error = refusal;
        self.complete(error, error ? ShutdownReport{} : report_of(*ladder));
      },
      completion_token);
}

}  // namespace runtime_sharing::detail
