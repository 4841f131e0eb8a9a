#pragma once

// A completion handler that waits for a token.
//
// Two ways lead back to a handler. In the code of a task it waits in the queue of the thread, and
// goes on in a step of the task: see CurrentTask. Any other one has an executor of somebody else's,
// and is posted to it; those that share an execution context wait in the same HandlerQueue.

#include "runtime_sharing/detail/context_gate.hpp"
#include "runtime_sharing/detail/memory.hpp"
#include "runtime_sharing/detail/serial_queue.hpp"
#include "runtime_sharing/detail/wake_queue.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace runtime_sharing::detail {

namespace asio = boost::asio;
using boost::system::error_code;

/// A waiter that goes on where its handler belongs: run() is called there. It belongs to itself:
/// run() and drop() let go of it.
class HandlerWaiter : public TokenWaiter, public Step {
 public:
  using TokenWaiter::TokenWaiter;

 private:
  void discard() noexcept final { drop(); }
};

/// The task whose step runs on this thread: what the layer of the tasks implements.
class CurrentTask {
 public:
  /// Null outside of every task.
  static CurrentTask* here() noexcept;

  /// Whether the executor is this task's: its handlers run in the steps of this task.
  virtual bool is_behind(const asio::any_io_executor& executor) const noexcept = 0;
  /// The queue of this thread.
  virtual WakeQueue& queue() noexcept = 0;
  /// Makes it a step of the task. Called in a turn.
  virtual void go_on_with(Step& step) = 0;

  virtual void add_reference() noexcept = 0;
  virtual void release() noexcept = 0;

 protected:
  ~CurrentTask() = default;
  /// Returns the one before.
  static CurrentTask* enter(CurrentTask* task) noexcept;
};

/// The task that runs here, if the executor is its own.
inline CurrentTask* task_behind(const asio::any_io_executor& executor) noexcept {
  CurrentTask* const task = CurrentTask::here();
  return task != nullptr && task->is_behind(executor) ? task : nullptr;
}
template <typename Executor>
CurrentTask* task_behind(const Executor&) noexcept {
  return nullptr;
}

/// All handlers that wait in one execution context, for whatever token, on whatever executor.
class HandlerQueue final : public WakeQueue {
 public:
  /// Throws std::bad_alloc.
  static HandlerQueue& of(asio::execution_context& context);
  /// The context lives as long as `owner`. Called before anybody waits.
  void belongs_to(std::weak_ptr<void> owner) noexcept { owner_ = std::move(owner); }
  /// The context ends: destroys the handlers that wait, as Asio does with all that is pending.
  void shut_down() noexcept;

 private:
  void wake_up() noexcept override;

  std::weak_ptr<void> owner_;

  ContextGate gate_;  // whoever delivers is inside: the context does not end meanwhile
};

/// A waiter on its way to its executor. Destroyed there without a call, it drops the waiter.
class Posted {
 public:
  explicit Posted(HandlerWaiter& waiter) noexcept : waiter_(&waiter) {}
  Posted(Posted&& other) noexcept : waiter_(std::exchange(other.waiter_, nullptr)) {}
  ~Posted() {
    if (waiter_ != nullptr && !came_back(*waiter_)) waiter_->drop();
  }
  void operator()() { std::exchange(waiter_, nullptr)->run(); }

  /// Posts it, once there is memory for that. False: the executor drops it without a word, or
  /// refuses it by some other exception, as one does that has ended.
  template <typename Executor>
  static bool post(const Executor& executor, HandlerWaiter& waiter) noexcept {
    const auto attempt = [&] {
      const auto* const before = std::exchange(being_posted(), &waiter);
      try {
        asio::post(executor, Posted(waiter));
      } catch (...) {
        // A strand has no memory for its second step when it has taken the function already.
        if (std::exchange(being_posted(), before) == nullptr) throw;
        return true;
      }
      return std::exchange(being_posted(), before) != nullptr;
    };
    try {
      return once_there_is_memory(attempt);
    } catch (...) {
      return false;
    }
  }

 private:
  static const HandlerWaiter*& being_posted() noexcept;
  /// Destroyed by an executor that has not taken it.
  static bool came_back(const HandlerWaiter& waiter) noexcept {
    if (being_posted() != &waiter) return false;
    being_posted() = nullptr;
    return true;
  }

  HandlerWaiter* waiter_;
};

/// The way back to a handler in the code of a task.
class ByTask {
 public:
  explicit ByTask(CurrentTask& task) noexcept : task_(&task) { task.add_reference(); }

  WakeQueue& queue() const noexcept { return task_->queue(); }
  /// The operation's context may end meanwhile, elsewhere, and the handler with it.
  template <typename Waiting>
  void begin(boost::intrusive_ptr<Waiting> waiting) const noexcept {
    const auto kept_alive = waiting;
    waiting.detach()->wait(queue());
    kept_alive->leave_if_finished();
  }
  bool go_on_with(HandlerWaiter& waiter) {
    const auto task = std::move(task_);  // the waiter, and this with it, may be gone at once
    task->go_on_with(waiter);
    return true;
  }

 private:
  struct Release {
    void operator()(CurrentTask* task) const noexcept { task->release(); }
  };
  std::unique_ptr<CurrentTask, Release> task_;  // a counted reference
};

/// The way back to a handler on any executor.
template <typename Executor>
class ByPost {
 public:
  /// Throws std::bad_alloc.
  explicit ByPost(const Executor& executor)
      : executor_(tracked(executor)),
        queue_(HandlerQueue::of(asio::query(executor, asio::execution::context))) {}

  WakeQueue& queue() const noexcept { return queue_; }
  /// Perhaps beside the handler, which may be done meanwhile.
  template <typename Waiting>
  void begin(boost::intrusive_ptr<Waiting> waiting) const noexcept {
    const auto kept_alive = waiting;
    waiting.detach()->wait(queue());
    kept_alive->leave_if_finished();
  }
  bool go_on_with(HandlerWaiter& waiter) noexcept {
    const auto executor =
        std::move(executor_);  // the waiter, and this with it, may be gone at once
    return Posted::post(executor, waiter);
  }

 private:
  static auto tracked(const Executor& executor) {
    return asio::prefer(executor, asio::execution::outstanding_work.tracked);
  }
  std::decay_t<decltype(tracked(std::declval<const Executor&>()))> executor_;
  WakeQueue& queue_;
};

/// Stands for a waiter in its handler's cancellation slot. Either of the two may go first; both
/// belong to where the handler runs.
template <typename Waiting>
struct BySlot {
  explicit BySlot(Waiting& its_waiter) noexcept : waiter(&its_waiter) { waiter->by_slot = this; }
  BySlot(const BySlot&) = delete;
  BySlot& operator=(const BySlot&) = delete;
  ~BySlot() {
    if (waiter != nullptr) waiter->by_slot = nullptr;
  }
  void operator()(asio::cancellation_type type) const {
    if (waiter != nullptr && type != asio::cancellation_type::none) waiter->emitted(type);
  }
  Waiting* waiter;
};

template <typename Handler, typename WayBack>
class WaitingHandler final : public HandlerWaiter {
 public:
  static void start(Handler&& handler, boost::intrusive_ptr<TokenState> token, WayBack way_back) {
    WakeQueue& queue = way_back.queue();
    auto allocator = allocator_of(handler);
    auto* const memory = Traits::allocate(allocator, 1);
    std::unique_ptr<WaitingHandler, Destroy> waiter(::new (static_cast<void*>(
        memory)) WaitingHandler(std::move(handler), std::move(token), std::move(way_back)));
    if (auto slot = asio::get_associated_cancellation_slot(waiter->handler_); slot.is_connected())
      slot.template emplace<BySlot<WaitingHandler>>(*waiter);
    if (waiter->wait(queue)) static_cast<void>(waiter.release());
  }
  ~WaitingHandler() override {
    if (by_slot != nullptr) by_slot->waiter = nullptr;
  }

  void emitted(asio::cancellation_type) noexcept { queue()->stop(*this); }
  BySlot<WaitingHandler>* by_slot = nullptr;

 private:
  using Allocator = typename std::allocator_traits<asio::associated_allocator_t<
      Handler, asio::recycling_allocator<void>>>::template rebind_alloc<WaitingHandler>;
  using Traits = std::allocator_traits<Allocator>;

  struct Destroy {
    void operator()(WaitingHandler* waiter) const noexcept { waiter->drop(); }
  };

  WaitingHandler(Handler&& handler, boost::intrusive_ptr<TokenState>&& token,
                 WayBack&& way_back) noexcept
      : HandlerWaiter(std::move(token)),
        handler_(std::move(handler)),
        way_back_(std::move(way_back)) {}

  static Allocator allocator_of(const Handler& handler) noexcept {
    return Allocator(asio::get_associated_allocator(handler, asio::recycling_allocator<void>()));
  }
  /// Memory first: the handler may need it at once, or have an allocator that dies with it.
  Handler take_out() noexcept {
    auto allocator = allocator_of(handler_);
    Handler handler(std::move(handler_));
    Traits::destroy(allocator, this);
    Traits::deallocate(allocator, this, 1);
    return handler;
  }

  bool deliver() override { return way_back_.go_on_with(*this); }
  void drop() noexcept override { static_cast<void>(take_out()); }
  void run() override {
    const error_code result = was_stopped() ? asio::error::operation_aborted : error_code();
    take_out()(result);
  }

  Handler handler_;
  WayBack way_back_;
};

struct InitiateCancelled {
  template <typename Handler>
  void operator()(Handler&& handler, boost::intrusive_ptr<TokenState> token) const {
    using Decayed = std::decay_t<Handler>;
    const auto executor = asio::get_associated_executor(handler);
    if (CurrentTask* const task = task_behind(executor)) {
      WaitingHandler<Decayed, ByTask>::start(std::forward<Handler>(handler), std::move(token),
                                             ByTask(*task));
    } else {
      using WayBack = ByPost<std::decay_t<decltype(executor)>>;
      WaitingHandler<Decayed, WayBack>::start(std::forward<Handler>(handler), std::move(token),
                                              WayBack(executor));
    }
  }
};

}  // namespace runtime_sharing::detail
