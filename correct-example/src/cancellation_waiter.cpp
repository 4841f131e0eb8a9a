#include "runtime_sharing/cancellation_waiter.hpp"

#include <boost/asio/error.hpp>

#include <utility>
#include <vector>

namespace runtime_sharing::detail {

/// Those who are no tasks of a scope: each is posted to the executor of its own handler.
class LooseWaiters final : public WaiterGroup {
  void start_waking() override {
    while (CancellationWaiter* const waiter = take_woken()) {
      try {
        waiter->deliver();
      } catch (...) {
        put_back(*waiter);  // the next cancel() tries again
        throw;
      }
    }
  }
};

namespace {

/// Tells the groups of a context when that ends.
class WaiterService final : public asio::execution_context::service {
 public:
  using key_type = WaiterService;
  static inline asio::execution_context::id id;

  explicit WaiterService(asio::execution_context& context)
      : service(context), loose_(std::make_shared<LooseWaiters>()) {}

  const std::shared_ptr<WaiterGroup>& loose() const noexcept { return loose_; }

  void add(std::weak_ptr<WaiterGroup> group) {
    const std::lock_guard lock(mutex_);
    std::erase_if(groups_, [](const auto& other) { return other.expired(); });
    groups_.push_back(std::move(group));
  }

 private:
  void shutdown() override {
    std::vector<std::weak_ptr<WaiterGroup>> ending;
    {
      const std::lock_guard lock(mutex_);
      ending.swap(groups_);
    }
    for (const auto& one : ending) {
      if (const auto group = one.lock()) group->close();
    }
    loose_->close();
  }

  const std::shared_ptr<WaiterGroup> loose_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<WaiterGroup>> groups_;  // guarded by mutex_
};

}  // namespace

void CancellationWaiter::wait_on(std::shared_ptr<TokenState> token, WaiterGroup& group) {
  token_ = std::move(token);
  lane_ = &token_->lane_of(group);
  intrusive_ptr_add_ref(this);
  bool context_ended = false;
  {
    const std::lock_guard lock(group.mutex_);
    context_ended = group.closed_;
    if (!context_ended && !token_->is_cancelled()) {
      lane_->waiters.push_back(*this);
      return;
    }
  }
  // An initiating function may be called on any thread: the context must not end in the middle.
  const ContextGate::Entry entry(group.gate);
  context_ended || !entry ? discard() : deliver();
}

bool CancellationWaiter::unlink() noexcept {
  if (lane_ == nullptr) return false;  // the wait never began
  const std::lock_guard lock(lane_->group->mutex_);
  if (!hook_.is_linked()) return false;
  // The list is the lane's, or that of the woken ones: without a size it is all the same.
  lane_->waiters.erase(lane_->waiters.iterator_to(*this));
  return true;
}

void CancellationWaiter::stop_waiting() {
  if (!unlink()) return;
  error_ = asio::error::operation_aborted;
  deliver();
}

void CancellationWaiter::forget() noexcept {
  if (unlink()) intrusive_ptr_release(this);
}

std::shared_ptr<WaiterGroup> WaiterGroup::of(asio::execution_context& context) {
  return asio::use_service<WaiterService>(context).loose();
}

void WaiterGroup::close_with(asio::execution_context& context) {
  asio::use_service<WaiterService>(context).add(weak_from_this());
}

void WaiterGroup::close() noexcept {
  gate.close();
  CancellationWaiter::List ending;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    ending.swap(woken_);
    for (WaiterLane& lane : lanes_) ending.splice(ending.end(), lane.waiters);
  }
  for (;;) {
    // One at a time: what is destroyed here may stop the wait of another one.
    CancellationWaiter* waiter = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (ending.empty()) return;
      waiter = &ending.front();
      ending.pop_front();
    }
    waiter->discard();
  }
}

CancellationWaiter* WaiterGroup::take_woken() noexcept {
  const std::lock_guard lock(mutex_);
  CancellationWaiter* first = nullptr;
  if (!woken_.empty()) {
    first = &woken_.front();
    woken_.pop_front();
  }
  if (woken_.empty()) has_woken_ = false;  // also when those who were woken have left on their own
  return first;
}

void WaiterGroup::put_back(CancellationWaiter& waiter) noexcept {
  const std::lock_guard lock(mutex_);
  woken_.push_front(waiter);
  has_woken_ = true;
}

void WaiterGroup::wake(WaiterLane& lane, std::shared_ptr<WaiterGroup>& to_wake_up) noexcept {
  const std::lock_guard lock(mutex_);
  woken_.splice(woken_.end(), lane.waiters);
  if (woken_.empty()) return;
  has_woken_ = true;
  if (std::exchange(announced_, true)) return;
  next_to_wake_up_ = std::exchange(to_wake_up, lane.group);
}

void WaiterGroup::wake_up() {
  {
    const std::lock_guard lock(mutex_);
    announced_ = false;
  }
  if (const ContextGate::Entry entry(gate); entry) start_waking();
}

WaiterLane::WaiterLane(std::shared_ptr<WaiterGroup> its_group, WaiterLane* next_lane)
    : group(std::move(its_group)), next(next_lane) {
  const std::lock_guard lock(group->mutex_);
  group->lanes_.push_back(*this);
}

WaiterLane::~WaiterLane() {
  const std::lock_guard lock(group->mutex_);
  group->lanes_.erase(group->lanes_.iterator_to(*this));
}

}  // namespace runtime_sharing::detail
