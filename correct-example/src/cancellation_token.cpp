// Explored in every order of its steps: cancellation_token.pml.

#include "runtime_sharing/cancellation_token.hpp"

#include "callback_queue.hpp"
#include <memory>
#include <mutex>
#include <optional>

namespace runtime_sharing {
namespace detail {

// ---- Tokens

bool TokenState::is_cancelled_or_above() const noexcept {
  const TokenState* token = this;
  while (!token->cancelled_.load(std::memory_order_acquire)) {
    token = token->parent_;
    if (token == nullptr) return false;
  }
  // For whoever looks next: in a deep tree the way up is long.
  for (const TokenState* below = this; below != token; below = below->parent_) {
    below->cancelled_.store(true, std::memory_order_release);
  }
  return true;
}

bool TokenState::cancel() noexcept {
  if (is_cancelled() || cancelled_.exchange(true)) return false;
  Lane* callbacks = nullptr;
  for (Lane* lane = &first_lane_; lane != nullptr; lane = lane->next.load()) {
    const auto queue = queue_of(*lane);
    if (queue == &CallbackQueue::instance()) {
      callbacks = lane;
    } else if (queue) {
      queue->wake(*lane);
    }
  }
  if (callbacks != nullptr) CallbackQueue::instance().call(*callbacks);
  return true;
}

bool TokenWaiter::wait(WakeQueue& queue) {
  switch (token_->enter(*this, queue)) {
    case TokenState::Entered::yes:
      return true;
    case TokenState::Entered::is_cancelled:
      return queue.push(*this);
    case TokenState::Entered::queue_is_closed:
      break;
  }
  return false;
}

TokenState::Entered TokenState::enter(TokenWaiter& waiter, WakeQueue& queue) {
  waiter.queue_.store(&queue, std::memory_order_relaxed);
  for (;;) {
    TokenState* missing = nullptr;
    {
      const std::lock_guard lock(queue.mutex_);
      if (queue.is_closed()) return Entered::queue_is_closed;
      missing = first_without_lane_in(queue);
      if (missing == nullptr) {
        Lane& lane = *find_lane_in(queue);
        // A lane that is linked will be moved by whoever cancels; another one might have been.
        if (!lane.is_linked()) {
          if (is_cancelled()) return Entered::is_cancelled;
          link_lane_in(queue);
        }
        lane.entries.push_back(waiter);
        return Entered::yes;
      }
    }
    for (; missing != nullptr && missing->find_lane_in(queue) == nullptr;
         missing = missing->parent_) {
      missing->make_lane_in(queue);
    }
  }
}

/// This token or the nearest above it, as far as the first whose lane stands in the lists already.
TokenState* TokenState::first_without_lane_in(const WakeQueue& queue) noexcept {
  for (TokenState* token = this; token != nullptr; token = token->parent_) {
    const Lane* const lane = token->find_lane_in(queue);
    if (lane == nullptr) return token;
    if (lane->is_linked()) return nullptr;
  }
  return nullptr;
}

/// Each lane into the lane above. They are all there; with the queue locked.
void TokenState::link_lane_in(WakeQueue& queue) noexcept {
  for (TokenState* token = this;; token = token->parent_) {
    Lane& lane = *token->find_lane_in(queue);
    if (lane.is_linked()) return;
    if (token->parent_ == nullptr) return queue.lanes_.push_back(lane);
    token->parent_->find_lane_in(queue)->entries.push_back(lane);
  }
}

/// Without a lock: a lane is never freed before its token, and never leaves a queue that is open.
Lane* TokenState::find_lane_in(const WakeQueue& queue) noexcept {
  Lane* lane = &first_lane_;
  while (lane != nullptr && lane->queue.load() != &queue) {
    lane = lane->next.load();
  }
  return lane;
}

/// Takes over a lane whose queue was closed, if there is one: so a token that many short-lived
/// contexts listened to has as many lanes as there were contexts at one time.
void TokenState::make_lane_in(WakeQueue& queue) {
  std::unique_ptr<Lane> created;
  boost::intrusive_ptr<WakeQueue> closed;  // goes after the lock
  const auto give_to_queue = [&](Lane& lane) {
    intrusive_ptr_add_ref(&queue);
    closed.reset(lane.queue.exchange(&queue), false);
  };
  for (;;) {
    {
      const std::lock_guard lock(lock_);
      if (find_lane_in(queue) != nullptr) return;
      Lane* last = nullptr;
      for (Lane* lane = &first_lane_; lane != nullptr; lane = lane->next.load()) {
        const WakeQueue* const other = lane->queue.load();
        if (other == nullptr || other->is_closed()) return give_to_queue(*lane);
        last = lane;
      }
      if (created) {
        give_to_queue(*created);
        return last->next.store(created.release());
      }
    }
    created = std::make_unique<Lane>();
  }
}

boost::intrusive_ptr<WakeQueue> TokenState::queue_of(const Lane& lane) noexcept {
  const std::lock_guard lock(lock_);
  return lane.queue.load();
}

std::stop_token TokenState::stop_token() {
  auto& callbacks = CallbackQueue::instance();
  if (auto known = callbacks.known_stop_token(find_lane_in(callbacks))) return *std::move(known);
  auto bridge = std::make_unique<StopBridge>();
  auto result = bridge->source.get_token();
  if (enter(*bridge, callbacks) == Entered::yes) {
    static_cast<void>(bridge.release());  // NOLINT(bugprone-unused-return-value): the lane's
  } else {
    bridge->source.request_stop();
  }
  return result;
}

namespace {

/// A token that is cancelled by a std::stop_source.
class LinkedTokenState final : public TokenState {
 public:
  explicit LinkedTokenState(const std::stop_token& stop_token)
      : TokenState(nullptr, true), link_(stop_token, Cancel{this}) {}

 private:
  struct Cancel {
    void operator()() const noexcept {
      // A callback may drop the last handle. If that is gone, the destructor waits for this call.
      const bool is_kept = token->try_add_reference();
      token->cancel();
      if (is_kept) intrusive_ptr_release(token);
    }
    LinkedTokenState* token;
  };
  std::stop_callback<Cancel> link_;
};

}  // namespace

TokenState::~TokenState() {
  for (Lane* lane = &first_lane_; lane != nullptr;) {
    if (const boost::intrusive_ptr queue(lane->queue.load(), false); queue) queue->forget(*lane);
    Lane* const next = lane->next.load();
    if (lane != &first_lane_) delete lane;
    lane = next;
  }
}

bool TokenState::try_add_reference() noexcept {
  auto count = references_.load();
  while (count != 0 && !references_.compare_exchange_weak(count, count + 1)) {
  }
  return count != 0;
}

/// One ancestor after the other: a long chain whose last handle goes must not recurse.
void intrusive_ptr_release(TokenState* token) noexcept {
  while (token != nullptr && token->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    TokenState* const parent = token->parent_;
    token->is_linked_ ? delete static_cast<LinkedTokenState*>(token) : delete token;
    token = parent;
  }
}

}  // namespace detail

CancellationToken::CancellationToken() : state_(new detail::TokenState) {}

CancellationToken::CancellationToken(const std::stop_token& stop_token)
    : state_(new detail::LinkedTokenState(stop_token)) {}

CancellationToken CancellationToken::child_token() const {
  return CancellationToken(boost::intrusive_ptr(new detail::TokenState(state_)));
}

bool CancellationToken::cancel() const noexcept {
  const auto kept_alive = state_;  // whoever is woken or called may drop the last handle
  return kept_alive->cancel();
}

std::stop_token CancellationToken::stop_token() const {
  return state_->stop_token();
}

}  // namespace runtime_sharing
