#pragma once

#include <cstddef>
#include <mutex>

namespace runtime_sharing::detail {

/// What one thread writes all the time shall not stand beside what another one reads: so far apart.
/// std::hardware_destructive_interference_size depends on compiler flags, which a header must not.
inline constexpr std::size_t cache_line = 64;

/// For sections of a few instructions that several threads want at once: tries a while before it
/// puts the thread to sleep, which costs a hundred times as much.
class AdaptiveMutex {
 public:
  void lock() {
    for (int i = 0; i < 200; ++i) {
      if (mutex_.try_lock()) return;
    }
    mutex_.lock();
  }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

}  // namespace runtime_sharing::detail
