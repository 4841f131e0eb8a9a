#pragma once

#include "runtime_sharing/cancellation_waiter.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>

#include <concepts>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace runtime_sharing {

class CancellationToken;

namespace detail {
const std::shared_ptr<TokenState>& state_of(const CancellationToken& token) noexcept;
}  // namespace detail

/// *Tell:* a copyable handle on one "please end", which cannot be taken back.
///
/// Copies are one token. A child token is cancelled with its parent, never the other way round.
/// All member functions are thread-safe. Dropping handles never cancels.
///
/// Called elsewhere: `tokio_util::sync::CancellationToken`, `folly::CancellationToken`,
/// `std::stop_token` (stdexec), `seastar::abort_source`.
class CancellationToken {
 public:
  /// A new root token, not cancelled. Throws std::bad_alloc.
  CancellationToken();

  /// A token that is cancelled when somebody requests the stop, on the thread of that request; born
  /// cancelled if somebody has. Throws std::bad_alloc.
  explicit CancellationToken(const std::stop_token& stop_token);

  /// A token that is cancelled with this one; born cancelled if this one is. Cancelling the child
  /// reaches neither this token nor its other children. Throws std::bad_alloc.
  CancellationToken child_token() const;

  /// Cancels this token and all its descendants; all of them are cancelled when it returns. Wakes
  /// every waiter on the waiter's own executor: no handler runs inside the call.
  /// Returns whether this call did it: false when it was cancelled before.
  ///
  /// For tasks of a Runtime it allocates nothing, however many wait. For other handlers it posts
  /// each, and throws what their executor throws (std::bad_alloc): the token is cancelled then, and
  /// calling again wakes those that are left.
  bool cancel() const;

  /// Costs one atomic load: for loops that compute and never suspend.
  bool is_cancelled() const noexcept { return state_->is_cancelled(); }

  /// Initiating function with the signature `void(error_code)`. Completes without an error when the
  /// token is cancelled, at once if it already is; with `asio::error::operation_aborted` when the
  /// wait itself is cancelled through the handler's cancellation slot (emitted, as everywhere in
  /// Asio, where the handler runs). Completes on the handler's executor, never inline.
  /// Awaited as it is, it needs no coroutine frame of its own; operators like `||` want
  /// `cancelled(asio::use_awaitable)`.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code))
                CompletionToken = boost::asio::deferred_t>
  auto cancelled(CompletionToken&& completion_token = CompletionToken()) const;

  /// For code that knows std::stop_token only: its stop is requested when this token is cancelled,
  /// for as long as a handle of this token, or a waiter on it, lives. Throws std::bad_alloc.
  std::stop_token stop_token() const;

  /// Identity: true for copies of one token only.
  friend bool operator==(const CancellationToken&, const CancellationToken&) = default;

 private:
  friend const std::shared_ptr<detail::TokenState>& detail::state_of(
      const CancellationToken& token) noexcept;

  explicit CancellationToken(std::shared_ptr<detail::TokenState> state) noexcept
      : state_(std::move(state)) {}

  std::shared_ptr<detail::TokenState> state_;
};

namespace detail {

/// The task that a handler with this executor belongs to; null if it is none of a scope's.
CoroutineTask* task_of(const asio::any_io_executor& executor) noexcept;
template <typename Executor>
CoroutineTask* task_of(const Executor&) noexcept {
  return nullptr;
}
void intrusive_ptr_add_ref(const CoroutineTask* task) noexcept;
void intrusive_ptr_release(const CoroutineTask* task) noexcept;
/// The calling thread is inside a step of the task.
bool runs_here(const CoroutineTask& task) noexcept;
/// Queues a step of the task.
void push_to(CoroutineTask& task, QueuedOperation& operation);
WaiterGroup& waiters_of(const CoroutineTask& task) noexcept;
template <typename Executor>
std::shared_ptr<WaiterGroup> loose_waiters_of(const Executor& executor) {
  return WaiterGroup::of(asio::query(executor, asio::execution::context));
}

/// A waiter that calls a completion handler.
template <typename Handler>
class HandlerWaiter : public CancellationWaiter {
 public:
  explicit HandlerWaiter(Handler handler) : handler_(std::move(handler)) {}

  void start(std::shared_ptr<TokenState> token, WaiterGroup& group) {
    if (auto slot = asio::get_associated_cancellation_slot(*handler_); slot.is_connected()) {
      slot.assign([self = boost::intrusive_ptr(this)](asio::cancellation_type type) {
        if (type != asio::cancellation_type::none) self->stop_waiting();
      });
    }
    wait_on(std::move(token), group);
  }

 protected:
  void run() override {
    boost::intrusive_ptr self(this, false);
    Handler handler = std::move(*handler_);
    handler_.reset();
    if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
      slot.clear();
    }
    const error_code result = error();
    self.reset();  // before the call, which may need the memory at once
    std::move(handler)(result);
  }
  void discard() noexcept override {
    const boost::intrusive_ptr self(this, false);
    [[maybe_unused]] const auto handler = std::exchange(handler_, std::nullopt);
  }

 private:
  std::optional<Handler> handler_;  // belongs to whoever took the waiter out of its list
};

/// The waiter in a task's code: its completion is a step of that task.
template <typename Handler>
class TaskWaiter final : public HandlerWaiter<Handler> {
 public:
  TaskWaiter(Handler handler, CoroutineTask& task)
      : HandlerWaiter<Handler>(std::move(handler)), task_(&task) {}

 private:
  void deliver() override {
    const auto task = task_;  // the waiter may be gone before the call returns
    push_to(*task, *this);
  }
  CoroutineTask* task() const noexcept override { return task_.get(); }

  const boost::intrusive_ptr<CoroutineTask> task_;
};

/// Any other: its completion is posted to the handler's executor.
template <typename Handler>
class LooseWaiter final : public HandlerWaiter<Handler> {
 public:
  using Executor = asio::associated_executor_t<Handler>;

  LooseWaiter(Handler handler, const Executor& executor)
      : HandlerWaiter<Handler>(std::move(handler)), work_(std::in_place, executor) {}

 private:
  /// Discards the handler where the context destroys what it does not run.
  struct Delivery {
    explicit Delivery(LooseWaiter* delivered) : waiter(delivered) {}
    Delivery(Delivery&&) noexcept = default;
    ~Delivery() {
      if (waiter && waiter->posted_) waiter.detach()->discard();
    }
    void operator()() { waiter.detach()->run(); }

    boost::intrusive_ptr<LooseWaiter> waiter;
  };

  void deliver() override {
    const auto executor = work_->get_executor();
    asio::post(executor, Delivery(this));
    posted_ = true;  // the context, which alone could read it now, waits for us
    intrusive_ptr_release(this);
  }
  void run() override {
    const auto work = std::exchange(work_, std::nullopt);
    HandlerWaiter<Handler>::run();
  }
  void discard() noexcept override {
    // A strand's executor must not outlive the strand's context.
    const auto work = std::exchange(work_, std::nullopt);
    HandlerWaiter<Handler>::discard();
  }

  std::optional<asio::executor_work_guard<Executor>> work_;
  bool posted_ = false;
};

struct InitiateCancelled {
  template <typename Handler>
  void operator()(Handler&& handler, std::shared_ptr<TokenState> token) const {
    using Waiting = std::decay_t<Handler>;
    const auto executor = asio::get_associated_executor(handler);
    if (CoroutineTask* const task = task_of(executor)) {
      const boost::intrusive_ptr waiter(
          new TaskWaiter<Waiting>(std::forward<Handler>(handler), *task));
      waiter->start(std::move(token), waiters_of(*task));
    } else {
      const auto group = loose_waiters_of(executor);
      const boost::intrusive_ptr waiter(
          new LooseWaiter<Waiting>(std::forward<Handler>(handler), executor));
      waiter->start(std::move(token), *group);
    }
  }
};

}  // namespace detail

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code)) CompletionToken>
auto CancellationToken::cancelled(CompletionToken&& completion_token) const {
  return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
      detail::InitiateCancelled(), completion_token, state_);
}

/// Calls a function when the token is cancelled: on the thread of cancel(), outside of any lock, so
/// it may cancel, register, or destroy this object. If the token is cancelled already, it is called
/// in the constructor. The function throws nothing (std::terminate otherwise), and does little: a
/// logout waits for it.
///
/// The destructor waits while another thread is inside the function. Thread-safe.
///
/// Called elsewhere: `std::stop_callback`, `folly::CancellationCallback`,
/// `seastar::abort_source::subscribe`.
template <std::invocable Function>
class [[nodiscard]] CancellationCallback final : private detail::CallbackNode {
 public:
  /// Throws what moving `function` throws.
  template <std::convertible_to<Function> Callable>
  CancellationCallback(const CancellationToken& token, Callable&& function)
      : token_(token), function_(std::forward<Callable>(function)) {
    detail::state_of(token_)->add(*this);
  }
  ~CancellationCallback() override { detail::state_of(token_)->remove(*this); }

 private:
  void call() noexcept override { std::forward<Function>(function_)(); }

  const CancellationToken token_;
  Function function_;
};

/// Deduces the type of the function.
template <typename Callable>
CancellationCallback(const CancellationToken&, Callable) -> CancellationCallback<Callable>;

/// Cancels its token when it goes out of scope, unless it was disarmed. For a scope that is left by
/// an exception. Not thread-safe itself; movable, and a moved-from guard is disarmed.
///
/// Called elsewhere: `tokio_util::sync::DropGuard`.
class [[nodiscard]] DropGuard {
 public:
  /// Will cancel `token`.
  explicit DropGuard(CancellationToken token) noexcept : token_(std::move(token)) {}
  /// Takes the duty over; `other` is disarmed.
  DropGuard(DropGuard&& other) noexcept : token_(std::exchange(other.token_, std::nullopt)) {}
  DropGuard& operator=(DropGuard&&) = delete;
  ~DropGuard();

  /// The token will not be cancelled by this guard.
  void disarm() noexcept { token_.reset(); }

 private:
  std::optional<CancellationToken> token_;
};

}  // namespace runtime_sharing

/// Tokens hash by identity, as they compare.
template <>
struct std::hash<runtime_sharing::CancellationToken> {
  std::size_t operator()(const runtime_sharing::CancellationToken& token) const noexcept {
    return std::hash<std::shared_ptr<runtime_sharing::detail::TokenState>>()(
        runtime_sharing::detail::state_of(token));
  }
};
