#include "scenario/ui_loop.hpp"

#include "scenario/recording.hpp"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace scenario {
namespace {

/// The steady clock, less the time in which this thread was ready to run and the system ran others:
/// a busy machine is not a blocked window. Known on Linux only; elsewhere it is the steady clock.
UiLoop::Clock::time_point own_time() {
  std::ifstream file("/proc/thread-self/schedstat");
  std::int64_t on_cpu_ns = 0;
  std::int64_t waited_for_cpu_ns = 0;
  if (!(file >> on_cpu_ns >> waited_for_cpu_ns)) waited_for_cpu_ns = 0;
  return UiLoop::Clock::now() - std::chrono::nanoseconds(waited_for_cpu_ns);
}

}  // namespace

namespace asio = boost::asio;

void UiLoop::run(asio::awaitable<void> work) {
  recording::name_thread("window");
  // Empty: the work goes on. Shared: a stranger's handler may leave run_one() by an exception.
  const auto ending = std::make_shared<std::optional<std::exception_ptr>>();
  asio::co_spawn(context_, std::move(work),
                 [ending](std::exception_ptr failure) { *ending = std::move(failure); });
  context_.restart();
  running_ = true;
  last_beat_ = own_time();  // the time between two runs is no freeze
  await_next_beat();
  try {
    while (!ending->has_value())
      if (context_.run_one() == 0) throw std::logic_error("the UI loop was stopped under its work");
  } catch (...) {
    *ending = std::current_exception();
  }
  close_gap();
  running_ = false;
  heartbeat_.cancel();
  if (ending->value()) std::rethrow_exception(ending->value());
}

asio::awaitable<void> UiLoop::until(std::function<bool()> condition) {
  while (!condition()) co_await beat_done_.async_wait(asio::as_tuple(asio::use_awaitable));
}

double UiLoop::longest_freeze_ms() const {
  // The gap that is open now counts: a blocked loop asks before it beats again.
  const auto open_gap = running_ ? own_time() - last_beat_ : Clock::duration::zero();
  const auto gap = std::max(longest_gap_, open_gap);
  const auto freeze = std::max(gap - heartbeat_period, Clock::duration::zero());
  return std::chrono::duration<double, std::milli>(freeze).count();
}

void UiLoop::forget_freezes() {
  longest_gap_ = {};
  last_beat_ = own_time();
}

void UiLoop::await_next_beat() {
  // Setting the expiry cancels an earlier wait, so there is never a second chain of beats.
  heartbeat_.expires_after(heartbeat_period);
  heartbeat_.async_wait([this](const boost::system::error_code& error) {
    if (error || !running_) return;
    close_gap();
    ++beats_;
    recording::heartbeat();
    beat_done_.cancel();
    await_next_beat();
  });
}

void UiLoop::close_gap() {
  const auto now = own_time();
  longest_gap_ = std::max(longest_gap_, now - last_beat_);
  last_beat_ = now;
}

}  // namespace scenario
