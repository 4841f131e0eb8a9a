#include "runtime_sharing/cancellation_token.hpp"

#include <boost/asio/error.hpp>

namespace runtime_sharing {
namespace detail {
namespace {

/// Tells the waiter list of a context when that context ends.
class WaiterService final : public asio::execution_context::service {
 public:
  using key_type = WaiterService;
  static inline asio::execution_context::id id;

  explicit WaiterService(asio::execution_context& context)
      : service(context), list_(std::make_shared<WaiterList>()) {}

  const std::shared_ptr<WaiterList>& list() const noexcept { return list_; }

 private:
  void shutdown() override { list_->close(); }

  const std::shared_ptr<WaiterList> list_;
};

}  // namespace

void CancellationWaiter::wait_on(std::shared_ptr<TokenState> token,
                                 asio::execution_context& context) {
  const boost::intrusive_ptr self(this);
  list_ = asio::use_service<WaiterService>(context).list();
  token_ = std::move(token);
  if (!list_->add(*this)) {
    discard();
  } else if (!token_->add(*this)) {
    list_->wake(*this, {});
  }
}

void CancellationWaiter::stop_waiting() {
  const boost::intrusive_ptr self(this);
  if (!list_) return;  // the wait never began
  token_->remove(*this);
  list_->wake(*this, asio::error::operation_aborted);
}

bool WaiterList::add(CancellationWaiter& waiter) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  waiters_.push_back(waiter);
  intrusive_ptr_add_ref(&waiter);
  return true;
}

void WaiterList::wake(CancellationWaiter& waiter, error_code error) {
  boost::intrusive_ptr<CancellationWaiter> reference;  // released after the lock
  const std::lock_guard lock(mutex_);
  if (waiter.claimed_) return;
  waiter.claimed_ = true;
  waiters_.erase(waiters_.iterator_to(waiter));
  reference.reset(&waiter, false);
  waiter.post_completion(error);
}

void WaiterList::close() noexcept {
  CancellationWaiter::InList ending;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (auto& waiter : waiters_) waiter.claimed_ = true;
    ending.swap(waiters_);
  }
  while (!ending.empty()) {
    const boost::intrusive_ptr<CancellationWaiter> waiter(&ending.front(), false);
    ending.pop_front();
    waiter->token_->remove(*waiter);
    waiter->discard();
  }
}

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
  // One ancestor after the other: a long chain whose last handle goes must not recurse.
  auto ancestor = std::move(parent_);
  while (ancestor && ancestor.use_count() == 1) {
    auto next = ancestor->parent_;
    ancestor.reset();
    ancestor = std::move(next);
  }
}

bool TokenState::cancel() {
  CancellationWaiter::InToken woken;
  {
    const std::lock_guard lock(*tree_mutex_);
    if (cancelled_.load(std::memory_order_relaxed)) return false;

    Children to_visit;
    const auto visit = [&](TokenState& token) {
      token.cancelled_.store(true, std::memory_order_release);
      woken.splice(woken.end(), token.waiters_);
      to_visit.splice(to_visit.end(), token.children_);
    };
    if (sibling_hook_.is_linked()) parent_->children_.erase(parent_->children_.iterator_to(*this));
    visit(*this);
    while (!to_visit.empty()) {
      TokenState& token = to_visit.front();
      to_visit.pop_front();
      visit(token);
    }
    for (auto& waiter : woken) waiter.in_token_ = false;
  }
  while (!woken.empty()) {
    const boost::intrusive_ptr<CancellationWaiter> waiter(&woken.front(), false);
    woken.pop_front();
    waiter->list_->wake(*waiter, {});
  }
  return true;
}

bool TokenState::add(CancellationWaiter& waiter) {
  const std::lock_guard lock(*tree_mutex_);
  if (cancelled_.load(std::memory_order_relaxed)) return false;
  waiters_.push_back(waiter);
  waiter.in_token_ = true;
  intrusive_ptr_add_ref(&waiter);
  return true;
}

void TokenState::remove(CancellationWaiter& waiter) noexcept {
  boost::intrusive_ptr<CancellationWaiter> reference;  // released after the lock
  const std::lock_guard lock(*tree_mutex_);
  if (!waiter.in_token_) return;
  waiter.in_token_ = false;
  waiters_.erase(waiters_.iterator_to(waiter));
  reference.reset(&waiter, false);
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
