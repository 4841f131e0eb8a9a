#include "runtime_sharing/detail/handler_waiter.hpp"

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/detail/memory.hpp"

#include <mutex>
#include <utility>

namespace runtime_sharing::detail {
namespace {

// Here and not in headers: a thread has one of each, also among several shared objects.
thread_local CurrentTask* current_task = nullptr;
thread_local const HandlerWaiter* posted_here = nullptr;

/// Ends the queue with its context.
class HandlerQueueService final : public asio::execution_context::service {
 public:
  using key_type = HandlerQueueService;
  static inline asio::execution_context::id id;

  explicit HandlerQueueService(asio::execution_context& context)
      : service(context), queue(new HandlerQueue) {}
  /// A service that is made while its context ends is not shut down otherwise.
  ~HandlerQueueService() override { queue->shut_down(); }

  const boost::intrusive_ptr<HandlerQueue> queue;

 private:
  void shutdown() override { queue->shut_down(); }
};

}  // namespace

CurrentTask* CurrentTask::here() noexcept {
  return current_task;
}

CurrentTask* CurrentTask::enter(CurrentTask* task) noexcept {
  return std::exchange(current_task, task);
}

const HandlerWaiter*& Posted::being_posted() noexcept {
  return posted_here;
}

void OperationCanceller::wait(WakeQueue& queue) noexcept {
  // The operation goes on already, or is done.
  const auto attempt = [&] { return TokenWaiter::wait(queue); };
  if (finished_ || !once_there_is_memory(attempt)) intrusive_ptr_release(this);
}

/// It changes nothing, and is ordered with finish() all the same: one of the two sees that the
/// other has been there.
void OperationCanceller::leave_if_finished() noexcept {
  bool finished = false;
  if (!finished_.compare_exchange_strong(finished, false)) leave();
}

// The slot's owner and the handler's call are where the handler runs, one after the other. Only a
// handler that is destroyed elsewhere may meet the slot: for that there is a lock, of all of them.
static constinit ByteLock abandoned_lock;

OperationCanceller::InSlot::~InSlot() {
  if (canceller_.load() == nullptr) return;
  const std::lock_guard lock(abandoned_lock);
  if (auto* const canceller = canceller_.load()) canceller->in_slot_ = nullptr;
}

void OperationCanceller::InSlot::operator()(asio::cancellation_type type) const {
  boost::intrusive_ptr<OperationCanceller> canceller;  // the operation may complete at once
  {
    const std::lock_guard lock(abandoned_lock);
    canceller = canceller_.load();
  }
  if (canceller && type != asio::cancellation_type::none) canceller->emit(type);
}

void OperationCanceller::complete() noexcept {
  if (in_slot_ != nullptr) std::exchange(in_slot_, nullptr)->canceller_ = nullptr;
  finish();
}

void OperationCanceller::abandon() noexcept {
  {
    const std::lock_guard lock(abandoned_lock);
    if (in_slot_ != nullptr) std::exchange(in_slot_, nullptr)->canceller_ = nullptr;
  }
  finish();
}

void OperationCanceller::finish() noexcept {
  if (!finished_.exchange(true)) leave();
}

void OperationCanceller::leave() noexcept {
  if (!is_dropped_ && queue() != nullptr && queue()->remove(*this)) intrusive_ptr_release(this);
}

HandlerQueue& HandlerQueue::of(asio::execution_context& context) {
  return *asio::use_service<HandlerQueueService>(context).queue;
}

void HandlerQueue::shut_down() noexcept {
  gate_.close();
  close();
  drop_all();
}

void HandlerQueue::wake_up() noexcept {
  // What is dropped may be the last owner of the context, and needs that to the end.
  const boost::intrusive_ptr self(this);
  const auto owner = owner_.lock();
  Step* refused = nullptr;  // dropped last: that runs user code, which may wait for the others
  {
    const ContextGate::Entry entry(gate_);
    if (!entry) return;  // shut_down() has them
    while (Waiter* const waiter = take()) {
      if (waiter->deliver()) continue;
      Step& step = static_cast<HandlerWaiter&>(*waiter);
      step.next_ = std::exchange(refused, &step);
    }
  }
  while (refused != nullptr) std::exchange(refused, refused->next_)->discard();
}

}  // namespace runtime_sharing::detail
