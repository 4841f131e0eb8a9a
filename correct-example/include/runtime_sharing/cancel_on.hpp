#pragma once

#include "runtime_sharing/cancellation_token.hpp"

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/dispatch.hpp>

#include <type_traits>

namespace runtime_sharing {

/// Binds one operation to a token: `co_await socket.async_read_some(buffer, cancel_on(token))`.
/// When the token is cancelled, the pending operation itself is, and ends with
/// `asio::error::operation_aborted`; an operation whose result is ready by then may still succeed,
/// so look at the token too. A token cancelled earlier ends the operation after its initiation.
///
/// Needs what Asio's own cancellation needs: the handler's executor is a strand, or its context
/// runs on one thread. Every task of a TaskScope has that.
///
/// Called elsewhere: `asio::cancel_after` (Boost 1.86) has this shape for a time-out,
/// `tokio_util::future::FutureExt::with_cancellation_token`, `folly::coro::co_withCancellation`.
template <typename CompletionToken>
struct CancelOn {
  CancellationToken token;           ///< what cancels the operation
  CompletionToken completion_token;  ///< how the operation completes
};

/// Makes a CancelOn, as in the line above. Throws what copying the completion token throws.
template <typename CompletionToken = boost::asio::use_awaitable_t<>>
CancelOn<std::decay_t<CompletionToken>> cancel_on(
    CancellationToken token, CompletionToken&& completion_token = CompletionToken()) {
  return {std::move(token), std::forward<CompletionToken>(completion_token)};
}

namespace detail {

/// Waits beside one operation and cancels that if the token is cancelled first. Everything but
/// construction happens on the executor of the operation's handler.
template <typename Executor>
class OperationCanceller final : public CancellationWaiter {
 public:
  explicit OperationCanceller(const Executor& executor)
      : executor_(executor), task_(task_of(executor)) {}

  asio::cancellation_slot slot() noexcept { return signal_.slot(); }
  void emit(asio::cancellation_type type) {
    if (!finished_) signal_.emit(type);
  }
  void start(std::shared_ptr<TokenState> token) {
    if (task_ && runs_here(*task_)) return begin(std::move(token));
    asio::dispatch(*executor_, [self = boost::intrusive_ptr(this), token = std::move(token)] {
      self->begin(token);
    });
  }
  void finish() {
    finished_ = true;
    stop_waiting();
  }

 private:
  void begin(std::shared_ptr<TokenState> token) {
    if (finished_) return;
    wait_on(std::move(token), task_ ? waiters_of(*task_) : *loose_waiters_of(*executor_));
  }
  void deliver() override {
    if (error()) {
      intrusive_ptr_release(this);  // the operation ended first
    } else if (const auto task = task_) {
      push_to(*task, *this);
    } else {
      const auto executor = *executor_;
      asio::post(executor, [self = boost::intrusive_ptr(this)] {
        self->emit(asio::cancellation_type::terminal);
      });
      intrusive_ptr_release(this);
    }
  }
  CoroutineTask* task() const noexcept override { return task_.get(); }
  void run() override {
    const boost::intrusive_ptr self(this, false);
    emit(asio::cancellation_type::terminal);
  }
  void discard() noexcept override {
    const boost::intrusive_ptr self(this, false);
    executor_.reset();  // a strand's executor must not outlive the strand's context
  }

  std::optional<Executor> executor_;
  const boost::intrusive_ptr<CoroutineTask> task_;
  asio::cancellation_signal signal_;
  bool finished_ = false;
};

/// The operation's handler, with the canceller's slot in place of its own.
template <typename Handler, typename Executor>
class CancelOnHandler {
 public:
  using executor_type = Executor;
  using allocator_type = asio::associated_allocator_t<Handler>;
  using cancellation_slot_type = asio::cancellation_slot;
  using Canceller = OperationCanceller<Executor>;

  CancelOnHandler(Handler handler, const Executor& executor)
      : handler_(std::move(handler)), executor_(executor), canceller_(new Canceller(executor)) {
    if (auto outer = asio::get_associated_cancellation_slot(handler_); outer.is_connected()) {
      outer.assign(
          [canceller = canceller_](asio::cancellation_type type) { canceller->emit(type); });
    }
  }

  executor_type get_executor() const noexcept { return executor_; }
  allocator_type get_allocator() const noexcept { return asio::get_associated_allocator(handler_); }
  cancellation_slot_type get_cancellation_slot() const noexcept { return canceller_->slot(); }
  const boost::intrusive_ptr<Canceller>& canceller() const noexcept { return canceller_; }

  template <typename... Results>
  void operator()(Results&&... results) {
    canceller_->finish();
    if (auto outer = asio::get_associated_cancellation_slot(handler_); outer.is_connected()) {
      outer.clear();
    }
    std::move(handler_)(std::forward<Results>(results)...);
  }

 private:
  Handler handler_;
  Executor executor_;
  boost::intrusive_ptr<Canceller> canceller_;
};

/// Starts the operation first and the wait second: an emit before the operation has begun is lost.
template <typename Initiation>
struct InitiateCancelOn {
  Initiation initiation;
  CancellationToken token;

  template <typename Handler, typename... Arguments>
  void operator()(Handler&& handler, Arguments&&... arguments) {
    const auto executor =
        asio::get_associated_executor(handler, asio::get_associated_executor(initiation));
    CancelOnHandler bound(std::forward<Handler>(handler), executor);
    const auto canceller = bound.canceller();
    std::move(initiation)(std::move(bound), std::forward<Arguments>(arguments)...);
    canceller->start(state_of(token));
  }
};

}  // namespace detail
}  // namespace runtime_sharing

template <typename CompletionToken, typename... Signatures>
struct boost::asio::async_result<runtime_sharing::CancelOn<CompletionToken>, Signatures...> {
  template <typename Initiation, typename Token, typename... Arguments>
  static auto initiate(Initiation&& initiation, Token&& token, Arguments&&... arguments) {
    return async_initiate<CompletionToken, Signatures...>(
        runtime_sharing::detail::InitiateCancelOn<std::decay_t<Initiation>>{
            std::forward<Initiation>(initiation), token.token},
        token.completion_token, std::forward<Arguments>(arguments)...);
  }
};
