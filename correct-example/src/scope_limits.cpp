// How many tasks may be in a scope at a time, and who waits for a place.

#include "runtime_sharing/detail/scope_state.hpp"

#include <mutex>
#include <utility>

namespace runtime_sharing::detail {

void Places::tell(const std::list<Waiting>& called) noexcept {
  for (const auto& waiting : called) waiting.turn.cancel();
}

bool ScopeState::is_full() const noexcept {
  for (const Places* places = places_; places != nullptr; places = places->above) {
    if (places->taken >= places->max) return true;
  }
  return false;
}

error_code ScopeState::take_places() noexcept {
  if (places_ == nullptr) return {};
  const std::lock_guard lock(tree->mutex);
  if (closed_) return refusal_;
  if (is_full()) return Errc::scope_full;
  for (Places* places = places_; places != nullptr; places = places->above) ++places->taken;
  return {};
}

void ScopeState::give_places_back() noexcept {
  if (places_ == nullptr) return;
  std::list<Places::Waiting> called;
  {
    const std::lock_guard lock(tree->mutex);
    for (Places* places = places_; places != nullptr; places = places->above) --places->taken;
    call_next(places_, called);
  }
  Places::tell(called);
}

/// One out of each queue whose scope has room. With the mutex held.
void ScopeState::call_next(Places* places, std::list<Places::Waiting>& called) noexcept {
  for (; places != nullptr; places = places->above) {
    if (places->queue.empty() || places->taken >= places->max) continue;
    called.splice(called.end(), places->queue, places->queue.begin());
  }
}

CancellationToken PlaceInQueue::queue_for(const boost::intrusive_ptr<ScopeState>& full) {
  const bool was_here_before = turn_.has_value();
  const CancellationToken turn;
  std::list<Places::Waiting> place{{turn, full.get()}};
  std::list<Places::Waiting> called;
  bool is_your_turn = false;
  {
    const std::lock_guard lock(full->tree->mutex);
    Places* places = full->places_;
    while (places != nullptr && places->taken < places->max) places = places->above;
    is_your_turn = full->closed_ || places == nullptr;  // since it was asked
    if (!is_your_turn) {
      auto& queue = places->queue;
      queue.splice(was_here_before ? queue.begin() : queue.end(), place);
      // It was called and cannot come: the room may be in a scope above the one that is full.
      if (was_here_before) ScopeState::call_next(full->places_, called);
    }
  }
  turn_ = turn;
  scope_ = full;
  Places::tell(called);
  if (is_your_turn) turn.cancel();
  return turn;
}

PlaceInQueue::~PlaceInQueue() {
  if (!turn_) return;
  std::list<Places::Waiting> called;
  {
    const std::lock_guard lock(scope_->tree->mutex);
    std::size_t still_queued = 0;
    for (Places* places = scope_->places_; places != nullptr; places = places->above) {
      still_queued += std::erase_if(places->queue,
                                    [this](const auto& waiting) { return waiting.turn == *turn_; });
    }
    // It had its turn, even if it has not been told yet: whose is it now?
    if (still_queued == 0) ScopeState::call_next(scope_->places_, called);
  }
  Places::tell(called);
}

}  // namespace runtime_sharing::detail
