#pragma once

#include "scenario/recording.hpp"

#include <boost/thread/mutex.hpp>

#include <atomic>
#include <thread>

namespace mutex_problem {

/// A boost::mutex that remembers who locked it. It changes nothing: like the mutex inside, it says
/// nothing when another thread unlocks it.
class ObservedMutex {
 public:
  void lock() {
    blocked_in_lock_ = std::this_thread::get_id();
    ++waiting_;
    if (!mutex_.try_lock()) {
      const scenario::recording::LockWait wait(this);
      mutex_.lock();
    }
    note_lock();
    --waiting_;
  }

  bool try_lock() {
    if (!mutex_.try_lock()) return false;
    note_lock();
    return true;
  }

  void unlock() {
    if (locked_by_ != std::this_thread::get_id()) ++unlocks_on_another_thread_;
    ++unlocks_;
    scenario::recording::lock_released(this, "guard");
    mutex_.unlock();
  }

  /// Of the last lock.
  std::thread::id locked_by() const noexcept { return locked_by_; }
  /// The last thread that called lock().
  std::thread::id blocked_in_lock() const noexcept { return blocked_in_lock_; }
  int unlocks_on_another_thread() const noexcept { return unlocks_on_another_thread_; }

  /// Threads that wait in lock() while somebody holds the mutex: certain, as both counts only grow
  /// and are the same before and after.
  int waiting_for_its_holder() const noexcept {
    const int locks = locks_;
    const int waiting = waiting_;
    return unlocks_ < locks && locks_ == locks ? waiting : 0;
  }
  bool is_held() const noexcept {
    const int locks = locks_;
    return unlocks_ < locks && locks_ == locks;
  }

 private:
  void note_lock() noexcept {
    scenario::recording::lock_taken(this, "guard");
    locked_by_ = std::this_thread::get_id();
    ++locks_;
  }

  boost::mutex mutex_;
  std::atomic<std::thread::id> locked_by_{};
  std::atomic<std::thread::id> blocked_in_lock_{};
  std::atomic<int> locks_{0};
  std::atomic<int> unlocks_{0};
  std::atomic<int> waiting_{0};
  std::atomic<int> unlocks_on_another_thread_{0};
};

}  // namespace mutex_problem
