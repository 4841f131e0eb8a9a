#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <semaphore>

namespace bench {

using Clock = std::chrono::steady_clock;

/// What the tasks tell about themselves, on any thread. Made to cost little and the same for every
/// program: a count for each task that runs, and on the way out a look at a flag, and a clock
/// reading by every 64th task.
class Observer {
 public:
  explicit Observer(std::size_t tasks) : tasks_(tasks) {}

  /// A task runs for the first time; its next step is to wait.
  void parked() {
    if (parked_.fetch_add(1, std::memory_order_relaxed) + 1 == tasks_) all_parked_.release();
  }

  /// A task goes on after its wait.
  void resumed(std::size_t index) {
    if (!someone_resumed_.load(std::memory_order_relaxed) && !someone_resumed_.exchange(true)) {
      first_resumed_ = Clock::now().time_since_epoch().count();
    }
    if (index % sampled == 0) last_resumed_ = Clock::now().time_since_epoch().count();
  }

  void wait_until_all_are_parked() { all_parked_.acquire(); }

  bool anyone_resumed() const { return someone_resumed_; }
  Clock::time_point first_resumed() const { return at(first_resumed_); }
  Clock::time_point last_resumed() const { return at(last_resumed_); }

 private:
  static constexpr std::size_t sampled = 64;
  static Clock::time_point at(Clock::rep ticks) {
    return Clock::time_point(Clock::duration(ticks));
  }

  const std::size_t tasks_;
  std::binary_semaphore all_parked_{0};
  alignas(64) std::atomic<std::size_t> parked_{0};
  alignas(64) std::atomic<bool> someone_resumed_{false};
  std::atomic<Clock::rep> first_resumed_{0};
  alignas(64) std::atomic<Clock::rep> last_resumed_{0};
};

}  // namespace bench
