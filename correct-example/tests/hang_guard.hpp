// A test that hangs ends its process, with a failure. No test passes because of it.
#pragma once

#include <chrono>
#include <unistd.h>

/// Ends the process by SIGALRM unless it is destroyed in time.
class [[nodiscard]] HangGuard {
 public:
  explicit HangGuard(std::chrono::seconds limit = std::chrono::seconds(40)) {
    ::alarm(static_cast<unsigned>(limit.count()));
  }
  ~HangGuard() { ::alarm(0); }
  HangGuard(const HangGuard&) = delete;
  HangGuard& operator=(const HangGuard&) = delete;
};
