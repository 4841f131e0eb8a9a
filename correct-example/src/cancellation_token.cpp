#include "runtime_sharing/cancellation_token.hpp"

#include <exception>
#include <utility>

namespace runtime_sharing {
namespace detail {
TokenState::TokenState(std::shared_ptr<TokenState> parent)
    : tree_mutex_(parent ? parent->tree_mutex_ : std::make_shared<std::mutex>()),
      parent_(std::move(parent)) {
  if (!parent_) return;
  const std::lock_guard lock(*tree_mutex_);
  if (parent_->is_cancelled()) {
    cancelled_.store(true, std::memory_order_release);
  } else {
    parent_->children_.push_back(*this);
  }
}

TokenState::~TokenState() {
  if (parent_) {
    const std::lock_guard lock(*tree_mutex_);
    if (sibling_hook_.is_linked()) parent_->children_.erase(parent_->children_.iterator_to(*this));
  }
  for (const WaiterLane* lane = lanes_; lane != nullptr;) {
    delete std::exchange(lane, lane->next);
  }
  // One ancestor after the other: a long chain whose last handle goes must not recurse.
  auto ancestor = std::move(parent_);
  while (ancestor && ancestor.use_count() == 1) {
    auto next = ancestor->parent_;
    ancestor.reset();
    ancestor = std::move(next);
  }
}

bool TokenState::cancel() {
  std::shared_ptr<WaiterGroup> to_wake_up;
  const bool was_first = mark_cancelled(to_wake_up);
  std::exception_ptr failure;
  while (to_wake_up) {
    auto group = std::exchange(to_wake_up, std::move(to_wake_up->next_to_wake_up_));
    try {
      group->wake_up();
    } catch (...) {
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
  return was_first;
}

bool TokenState::mark_cancelled(std::shared_ptr<WaiterGroup>& to_wake_up) noexcept {
  const auto wake_waiters_of = [&](TokenState& token) {
    for (WaiterLane* lane = token.lanes_; lane != nullptr; lane = lane->next) {
      lane->group->wake(*lane, to_wake_up);
    }
  };
  const std::lock_guard lock(*tree_mutex_);
  if (is_cancelled()) {
    wake_waiters_of(*this);  // whom an earlier call could not wake
    return false;
  }
  Children to_visit;
  const auto visit = [&](TokenState& token) {
    token.cancelled_.store(true, std::memory_order_release);
    wake_waiters_of(token);
    to_visit.splice(to_visit.end(), token.children_);
  };
  if (sibling_hook_.is_linked()) parent_->children_.erase(parent_->children_.iterator_to(*this));
  visit(*this);
  while (!to_visit.empty()) {
    TokenState& token = to_visit.front();
    to_visit.pop_front();
    visit(token);
  }
  return true;
}

WaiterLane& TokenState::lane_of(WaiterGroup& group) {
  const auto find = [&]() -> WaiterLane* {
    for (auto* lane = lanes_.load(std::memory_order_acquire); lane != nullptr; lane = lane->next) {
      if (lane->group.get() == &group) return lane;
    }
    return nullptr;
  };
  if (WaiterLane* const known = find()) return *known;
  const std::lock_guard lock(*tree_mutex_);
  if (WaiterLane* const known = find()) return *known;
  auto* const lane = new WaiterLane(group.shared_from_this(), lanes_.load());
  lanes_.store(lane, std::memory_order_release);
  return *lane;
}

const std::shared_ptr<TokenState>& state_of(const CancellationToken& token) noexcept {
  return token.state_;
}

}  // namespace detail

CancellationToken::CancellationToken() : state_(std::make_shared<detail::TokenState>()) {}

CancellationToken CancellationToken::child_token() const {
  return CancellationToken(std::make_shared<detail::TokenState>(state_));
}

bool CancellationToken::cancel() const {
  return state_->cancel();
}

bool CancellationToken::is_cancelled() const noexcept {
  return state_->is_cancelled();
}

}  // namespace runtime_sharing
