#include "runtime_sharing/cancellation_token.hpp"

#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace runtime_sharing {
namespace detail {
/// Stops a std::stop_source when the token is cancelled.
class TokenState::StopBridge final : public CallbackNode {
 public:
  std::stop_source source;

 private:
  void call() noexcept override { source.request_stop(); }
};

TokenState::TokenState(std::shared_ptr<TokenState> parent)
    : tree_(parent ? parent->tree_ : std::make_shared<TokenTree>()), parent_(std::move(parent)) {
  if (!parent_) return;
  const std::lock_guard lock(tree_->mutex);
  if (parent_->is_cancelled()) {
    cancelled_.store(true, std::memory_order_release);
  } else {
    parent_->children_.push_back(*this);
  }
}

TokenState::~TokenState() {
  if (stop_bridge_) remove(*stop_bridge_);
  if (parent_) {
    const std::lock_guard lock(tree_->mutex);
    if (sibling_hook_.is_linked()) parent_->children_.erase(parent_->children_.iterator_to(*this));
  }
  for (const WaiterLane* lane = lanes_; lane != nullptr && lane != &*first_lane_;) {
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
  CallbackNode::List to_call;
  const auto tree = tree_;
  const bool was_first = mark_cancelled(to_wake_up, to_call);
  // From here on this token may be gone: somebody who is woken or called had the last handle.
  std::exception_ptr failure;
  while (to_wake_up) {
    const auto next = std::move(to_wake_up->next_to_wake_up_);
    try {
      to_wake_up->wake_up();
    } catch (...) {
      failure = std::current_exception();
    }
    to_wake_up = next;
  }
  call_all(*tree, to_call);
  if (failure) std::rethrow_exception(failure);
  return was_first;
}

void TokenState::call_all(TokenTree& tree, CallbackNode::List& to_call) noexcept {
  std::unique_lock lock(tree.mutex);
  while (!to_call.empty()) {
    CallbackNode& callback = to_call.front();
    to_call.pop_front();
    bool destroyed = false;
    callback.calling_ = true;
    callback.called_on_ = std::this_thread::get_id();
    callback.destroyed_ = &destroyed;
    lock.unlock();
    callback.call();
    lock.lock();
    if (destroyed) continue;
    callback.calling_ = false;
    tree.callback_returned.notify_all();
  }
}

void TokenState::add(CallbackNode& callback) {
  {
    const std::lock_guard lock(tree_->mutex);
    if (!is_cancelled()) return callbacks_.push_back(callback);
  }
  callback.call();
}

void TokenState::remove(CallbackNode& callback) noexcept {
  std::unique_lock lock(tree_->mutex);
  if (callback.hook_.is_linked()) {
    callbacks_.erase(
        callbacks_.iterator_to(callback));  // or out of a cancel()'s list: all the same
  } else if (callback.calling_ && callback.called_on_ == std::this_thread::get_id()) {
    *callback.destroyed_ = true;
  } else {
    tree_->callback_returned.wait(lock, [&] { return !callback.calling_; });
  }
}

std::stop_token TokenState::stop_token() {
  auto created = std::make_unique<StopBridge>();
  auto result = created->source.get_token();
  StopBridge* added = nullptr;
  {
    const std::lock_guard lock(tree_->mutex);
    if (stop_bridge_) return stop_bridge_->source.get_token();
    stop_bridge_ = std::move(created);
    added = stop_bridge_.get();
  }
  add(*added);
  return result;
}

bool TokenState::mark_cancelled(std::shared_ptr<WaiterGroup>& to_wake_up,
                                CallbackNode::List& to_call) noexcept {
  const auto wake_waiters_of = [&](TokenState& token) {
    for (WaiterLane* lane = token.lanes_; lane != nullptr; lane = lane->next) {
      lane->group->wake(*lane, to_wake_up);
    }
  };
  const std::lock_guard lock(tree_->mutex);
  if (is_cancelled()) {
    wake_waiters_of(*this);  // whom an earlier call could not wake
    return false;
  }
  Children to_visit;
  const auto visit = [&](TokenState& token) {
    token.cancelled_.store(true, std::memory_order_release);
    wake_waiters_of(token);
    to_call.splice(to_call.end(), token.callbacks_);
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
  const std::lock_guard lock(tree_->mutex);
  if (WaiterLane* const known = find()) return *known;
  WaiterLane* const others = lanes_;
  WaiterLane* const lane = others == nullptr
                               ? &first_lane_.emplace(group.shared_from_this(), nullptr)
                               : new WaiterLane(group.shared_from_this(), others);
  lanes_.store(lane, std::memory_order_release);
  return *lane;
}

const std::shared_ptr<TokenState>& state_of(const CancellationToken& token) noexcept {
  return token.state_;
}

}  // namespace detail

namespace {

/// A token that is cancelled by a std::stop_source.
class LinkedTokenState final : public detail::TokenState {
 public:
  void link(const std::stop_token& stop_token) { link_.emplace(stop_token, Cancel{this}); }

 private:
  struct Cancel {
    void operator()() const { state->cancel(); }
    LinkedTokenState* state;
  };
  std::optional<std::stop_callback<Cancel>> link_;
};

}  // namespace

CancellationToken::CancellationToken() : state_(std::make_shared<detail::TokenState>()) {}

CancellationToken::CancellationToken(const std::stop_token& stop_token) {
  auto linked = std::make_shared<LinkedTokenState>();
  linked->link(stop_token);
  state_ = std::move(linked);
}

CancellationToken CancellationToken::child_token() const {
  return CancellationToken(std::make_shared<detail::TokenState>(state_));
}

bool CancellationToken::cancel() const {
  const auto kept_alive = state_;  // whoever is woken or called may drop the last handle
  return kept_alive->cancel();
}

DropGuard::~DropGuard() {
  try {
    if (token_) token_->cancel();
  } catch (const std::bad_alloc&) {
    // The token is cancelled. Who could not be woken has the next cancel() to hope for.
  }
}

std::stop_token CancellationToken::stop_token() const {
  return state_->stop_token();
}

}  // namespace runtime_sharing
