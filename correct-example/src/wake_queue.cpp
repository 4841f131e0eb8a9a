#include "runtime_sharing/detail/wake_queue.hpp"

#include "callback_queue.hpp"
#include <mutex>

namespace runtime_sharing::detail {

bool WakeQueue::enter_ready(Waiter& waiter) noexcept {
  const std::lock_guard lock(mutex_);
  if (is_closed()) return false;
  ready_.push_back(waiter);
  has_ready_ = true;
  return true;
}

Waiter* WakeQueue::take() noexcept {
  constexpr int unfolded_at_once = 64;  // then others get the mutex: lanes may be empty
  for (;;) {
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < unfolded_at_once; ++i) {
      if (ready_.empty()) {
        has_ready_ = false;
        return nullptr;
      }
      Entry& first = ready_.front();
      first.unlink();
      if (Lane* const lane = first.as_lane()) {
        ready_.splice(ready_.end(), lane->entries);
      } else {
        if (ready_.empty()) has_ready_ = false;
        return static_cast<Waiter*>(&first);
      }
    }
  }
}

void WakeQueue::stop(TokenWaiter& waiter) noexcept {
  if (!remove(waiter)) return;
  waiter.was_stopped_ = true;
  if (!push(waiter)) waiter.drop();  // closed in between
}

bool WakeQueue::remove(Entry& waiter) noexcept {
  const std::lock_guard lock(mutex_);
  if (!waiter.is_linked()) return false;
  waiter.unlink();
  return true;
}

/// A step of cancel(): takes the lane, and all that is in it, out of the lane above.
void WakeQueue::wake(Lane& lane) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (is_closed()) return;  // the lane may be in another queue by now
    lane.unlink();
    if (lane.entries.empty()) return;
    ready_.push_back(lane);
    has_ready_ = true;
  }
  wake_up();
}

void WakeQueue::forget(Lane& lane) noexcept {
  const std::lock_guard lock(mutex_);
  if (!is_closed()) lane.unlink();
}

void WakeQueue::close() noexcept {
  const std::lock_guard lock(mutex_);
  EntryList waiters;
  ready_.splice(ready_.end(), lanes_);
  while (!ready_.empty()) {
    Entry& first = ready_.front();
    first.unlink();
    if (Lane* const lane = first.as_lane()) {
      ready_.splice(ready_.begin(), lane->entries);
    } else {
      waiters.push_back(first);
    }
  }
  ready_.swap(waiters);
  closed_.store(true, std::memory_order_release);  // last: from here on the lanes are not ours
}

void WakeQueue::drop_all() noexcept {
  while (Waiter* const waiter = take()) waiter->drop();
}

// ---- Callbacks: those who go on in cancel() itself

CallbackQueue& CallbackQueue::instance() noexcept {
  static union Eternal {  // no destructor: a static object may cancel as the process ends
    Eternal() noexcept : queue() { intrusive_ptr_add_ref(&queue); }
    ~Eternal() {}
    CallbackQueue queue;
  } eternal;
  return eternal.queue;
}

void CallbackQueue::call(Lane& lane) noexcept {
  EntryList to_call;
  std::unique_lock lock(mutex_);
  lane.unlink();
  to_call.splice(to_call.end(), lane.entries);
  while (!to_call.empty()) {
    Entry& first = to_call.front();
    first.unlink();
    if (Lane* const child = first.as_lane()) {
      to_call.splice(to_call.begin(), child->entries);
      continue;
    }
    auto& callback = static_cast<CallbackNode&>(first);
    bool destroyed = false;
    callback.destroyed_ = &destroyed;
    callback.called_on_ = std::this_thread::get_id();
    lock.unlock();
    callback.deliver();
    lock.lock();
    if (destroyed) continue;
    callback.destroyed_ = nullptr;
    ++returns_;
    returns_.notify_all();
  }
}

void CallbackQueue::end(CallbackNode& callback) noexcept {
  std::unique_lock lock(mutex_);
  if (callback.is_linked()) {
    callback.unlink();
  } else if (callback.destroyed_ != nullptr && callback.called_on_ == std::this_thread::get_id()) {
    *callback.destroyed_ = true;
  } else {
    while (callback.destroyed_ != nullptr) {
      const auto seen = returns_.load();
      lock.unlock();
      returns_.wait(seen);
      lock.lock();
    }
  }
}

std::optional<std::stop_token> CallbackQueue::known_stop_token(const Lane* lane) noexcept {
  if (lane == nullptr) return std::nullopt;
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : lane->entries) {
    if (const auto* bridge = dynamic_cast<const StopBridge*>(&entry))
      return bridge->source.get_token();
  }
  return std::nullopt;
}

void CallbackQueue::forget(Lane& lane) noexcept {
  EntryList bridges;  // what else could be there would keep the token
  {
    const std::lock_guard lock(mutex_);
    lane.unlink();
    bridges.splice(bridges.end(), lane.entries);
  }
  while (!bridges.empty()) delete &bridges.front();
}

void CallbackNode::begin() {
  if (token_->enter(*this, CallbackQueue::instance()) != TokenState::Entered::yes) deliver();
}

void CallbackNode::end() noexcept {
  CallbackQueue::instance().end(*this);
}

}  // namespace runtime_sharing::detail
