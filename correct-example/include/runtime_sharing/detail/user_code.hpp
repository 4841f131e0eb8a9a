#pragma once

#include <atomic>

namespace runtime_sharing::detail {

/// While it lives, this thread is inside code of the user's: only there it can be held up. Counted
/// for threads that are watched.
class UserCode {
 public:
  UserCode() noexcept;
  ~UserCode();
  UserCode(const UserCode&) = delete;
  UserCode& operator=(const UserCode&) = delete;

  /// From now on this thread counts there.
  static void watch(std::atomic<int>& depth) noexcept;

 private:
  std::atomic<int>* const depth_;
};

}  // namespace runtime_sharing::detail
