#include "runtime_sharing/detail/handler_waiter.hpp"

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/detail/memory.hpp"

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

void OperationCanceller::finish() noexcept {
  if (!finished_.exchange(true)) leave();
}

void OperationCanceller::leave() noexcept {
  if (queue() != nullptr && queue()->remove(*this)) intrusive_ptr_release(this);
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
  for (;;) {
    Waiter* refused = nullptr;
    {
      const ContextGate::Entry entry(gate_);
      if (!entry) return;  // shut_down() has them
      while (refused == nullptr) {
        Waiter* const waiter = take();
        if (waiter == nullptr) return;
        if (!waiter->deliver()) refused = waiter;
      }
    }
    refused->drop();
  }
}

}  // namespace runtime_sharing::detail
