#pragma once

#include <boost/thread/mutex.hpp>

#include <atomic>
#include <thread>

namespace mutex_problem {

/// A boost::mutex that remembers who locked it. It changes nothing: like the mutex inside, it says
/// nothing when another thread unlocks it.
class ObservedMutex {
 public:
  void lock() {
    ++waiting_;
    mutex_.lock();
    --waiting_;
    locked_by_ = std::this_thread::get_id();
  }

  void unlock() {
    if (locked_by_ != std::this_thread::get_id()) ++unlocks_on_another_thread_;
    mutex_.unlock();
  }

  /// Of the last lock.
  std::thread::id locked_by() const noexcept { return locked_by_; }
  /// Threads that are blocked in lock() at this moment, or about to be.
  int waiting() const noexcept { return waiting_; }
  int unlocks_on_another_thread() const noexcept { return unlocks_on_another_thread_; }

 private:
  boost::mutex mutex_;
  std::atomic<std::thread::id> locked_by_{};
  std::atomic<int> waiting_{0};
  std::atomic<int> unlocks_on_another_thread_{0};
};

}  // namespace mutex_problem
