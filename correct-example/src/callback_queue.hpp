#pragma once

#include "runtime_sharing/detail/wake_queue.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <stop_token>

namespace runtime_sharing::detail {

/// Stops a std::stop_source when the token is cancelled. Belongs to the lane that it stands in, and
/// to itself once it was taken out.
class StopBridge final : public CallbackNode {
 public:
  StopBridge() : CallbackNode(nullptr) {}  // one that kept the token would keep itself
  ~StopBridge() override { end(); }

  std::stop_source source;

 private:
  bool deliver() noexcept override {
    auto kept_alive = std::move(source);  // what it calls may drop all there is
    delete this;
    kept_alive.request_stop();
    return true;
  }
};

/// The queue of all callbacks, of all tokens: its owner is cancel() itself. Never closed.
class CallbackQueue final : public WakeQueue {
 public:
  static CallbackQueue& instance() noexcept;

  /// Calls all that are in the lane and in the lanes in it.
  void call(Lane& lane) noexcept;
  /// Returns when the callback is not being called, or is on this very thread.
  void end(CallbackNode& callback) noexcept;
  /// Of the bridge that is there already; nullopt if there is none.
  std::optional<std::stop_token> known_stop_token(const Lane* lane) noexcept;

 private:
  void wake_up() noexcept override {}
  void forget(Lane& lane) noexcept override;

  std::atomic<std::uint32_t> returns_{0};  // a condition variable would want memory
};

}  // namespace runtime_sharing::detail
