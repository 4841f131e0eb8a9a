#pragma once

#include <boost/asio.hpp>

#include <chrono>
#include <functional>

namespace scenario {

/// The main thread's event loop, as a window has one: it must never be blocked. A heartbeat every
/// 5 ms records the longest gap between two beats; whatever blocks the loop shows there.
/// Everything but executor() belongs to the thread that calls run().
class UiLoop {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds heartbeat_period{5};

  boost::asio::io_context::executor_type executor() noexcept { return context_.get_executor(); }

  /// Runs the loop until `work` has ended; rethrows what it throws. May be called again.
  void run(boost::asio::awaitable<void> work);

  /// Awaited on the loop: goes on when `condition` holds, now or at a later heartbeat. The
  /// condition is the state of the other side; there is no time-out here, the watchdog has it.
  boost::asio::awaitable<void> until(std::function<bool()> condition);

  /// By how much the longest gap between two beats exceeded the period, in milliseconds,
  /// since the start or since forget_freezes(). Time in which the thread was ready and the system
  /// ran others does not count (on Linux, where that is known): the window was not blocked by us.
  double longest_freeze_ms() const;
  void forget_freezes();

  /// Heartbeats so far, over all runs.
  int beats() const noexcept { return beats_; }

 private:
  void await_next_beat();
  void close_gap();

  boost::asio::io_context context_{1};
  boost::asio::steady_timer heartbeat_{context_};
  // Never expires; each beat cancels it to wake until().
  boost::asio::steady_timer beat_done_{context_, Clock::time_point::max()};
  bool running_ = false;
  int beats_ = 0;
  Clock::time_point last_beat_;
  Clock::duration longest_gap_{};
};

}  // namespace scenario
