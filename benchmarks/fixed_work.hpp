#pragma once

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/task_scope.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace bench {

/// The life of a thousand tasks in steps, on the calling thread: no other thread, no time, so that
/// every run executes the same instructions. The steps are taken once each, in this order.
class FixedWork {
 public:
  static constexpr int tasks = 1000;

  /// A task that waits for cancellation and one whose timer is bound to the token, both under way
  /// and again done: what is allocated only once is.
  FixedWork();

  [[gnu::noinline]] void spawn();      ///< a named, tracked task; it has not run
  [[gnu::noinline]] void wait();       ///< it runs, and waits for its token
  [[gnu::noinline]] void cancel();     ///< the call alone
  [[gnu::noinline]] void finish();     ///< it resumes and ends, its frame is gone
  [[gnu::noinline]] void cancel_on();  ///< one operation bound to the token, begun and completed

  /// All steps were taken and every task ended.
  bool done() const { return scope_.size() == 0; }

 private:
  using Awaitable = boost::asio::awaitable<void>;

  void run_what_is_ready();
  Awaitable take_steps(int steps);

  boost::asio::io_context context_{1};
  runtime_sharing::TaskScope scope_{"fixed work", context_.get_executor()};
  runtime_sharing::CancellationToken steps_may_begin_;
};

}  // namespace bench
