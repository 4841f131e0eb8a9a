#pragma once

#include "runtime_sharing/cancellation_token.hpp"

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <concepts>
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
class OperationCanceller : public CancellationWaiter {
 public:
  asio::cancellation_slot slot() noexcept { return signal_.slot(); }
  void emit(asio::cancellation_type type) {
    if (!finished_) signal_.emit(type);
  }
  void begin(std::shared_ptr<TokenState> token, WaiterGroup& group) {
    if (!finished_) wait_on(std::move(token), group);
  }
  void finish() noexcept {
    finished_ = true;
    forget();
  }

 protected:
  void run() override {
    const boost::intrusive_ptr self(this, false);
    emit(asio::cancellation_type::terminal);
  }
  void discard() noexcept override { const boost::intrusive_ptr self(this, false); }

 private:
  asio::cancellation_signal signal_;
  bool finished_ = false;
};

/// Beside an operation in a task's code.
class TaskOperationCanceller final : public OperationCanceller {
 public:
  explicit TaskOperationCanceller(CoroutineTask& task) noexcept : task_(&task) {}

 private:
  void deliver() override {
    const auto task = task_;  // the canceller may be gone before the call returns
    push_to(*task, *this);
  }
  CoroutineTask* task() const noexcept override { return task_.get(); }

  const boost::intrusive_ptr<CoroutineTask> task_;
};

/// Beside any other.
template <typename Executor>
class LooseOperationCanceller final : public OperationCanceller {
 public:
  explicit LooseOperationCanceller(const Executor& executor) : executor_(executor) {}

 private:
  void deliver() override {
    const auto executor = *executor_;
    asio::post(executor, [self = boost::intrusive_ptr(this)] {
      self->emit(asio::cancellation_type::terminal);
    });
    intrusive_ptr_release(this);
  }
  void discard() noexcept override {
    executor_.reset();  // a strand's executor must not outlive the strand's context
    intrusive_ptr_release(this);
  }

  std::optional<Executor> executor_;
};

/// The executor of a handler that may have none of its own: then it is `fallback`.
template <typename Handler, typename Fallback>
struct ExecutorOfHandler {
  using type = asio::associated_executor_t<Handler, Fallback>;

  ExecutorOfHandler(const Handler&, const Fallback& its_fallback) : fallback(its_fallback) {}
  type of(const Handler& handler) const { return asio::get_associated_executor(handler, fallback); }
  Fallback fallback;
};
template <typename Handler, typename Fallback>
  requires(!std::same_as<asio::associated_executor_t<Handler, asio::system_executor>,
                         asio::system_executor>)
struct ExecutorOfHandler<Handler, Fallback> {
  using type = asio::associated_executor_t<Handler>;

  ExecutorOfHandler(const Handler&, const Fallback&) noexcept {}
  type of(const Handler& handler) const { return asio::get_associated_executor(handler); }
};

/// The operation's handler, with the canceller's slot in place of its own.
template <typename Handler, typename Fallback>
class CancelOnHandler {
 public:
  using executor_type = typename ExecutorOfHandler<Handler, Fallback>::type;
  using allocator_type = asio::associated_allocator_t<Handler>;
  using cancellation_slot_type = asio::cancellation_slot;

  CancelOnHandler(Handler handler, const Fallback& fallback)
      : handler_(std::move(handler)), executor_(handler_, fallback) {
    const auto executor = get_executor();
    if (CoroutineTask* const task = task_of(executor)) {
      canceller_ = new TaskOperationCanceller(*task);
    } else {
      canceller_ = new LooseOperationCanceller<executor_type>(executor);
    }
    if (auto outer = asio::get_associated_cancellation_slot(handler_); outer.is_connected()) {
      outer.assign(
          [canceller = canceller_](asio::cancellation_type type) { canceller->emit(type); });
    }
  }

  executor_type get_executor() const noexcept { return executor_.of(handler_); }
  allocator_type get_allocator() const noexcept { return asio::get_associated_allocator(handler_); }
  cancellation_slot_type get_cancellation_slot() const noexcept { return canceller_->slot(); }
  const boost::intrusive_ptr<OperationCanceller>& canceller() const noexcept { return canceller_; }

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
  [[no_unique_address]] ExecutorOfHandler<Handler, Fallback> executor_;
  boost::intrusive_ptr<OperationCanceller> canceller_;
};

/// Starts the operation first and the wait second: an emit before the operation has begun is lost.
template <typename Initiation>
struct InitiateCancelOn {
  Initiation initiation;
  CancellationToken token;

  template <typename Handler, typename... Arguments>
  void operator()(Handler&& handler, Arguments&&... arguments) {
    const auto fallback = asio::get_associated_executor(initiation);
    CancelOnHandler<std::decay_t<Handler>, std::decay_t<decltype(fallback)>> bound(
        std::forward<Handler>(handler), fallback);
    const auto canceller = bound.canceller();
    if (CoroutineTask* const task = canceller->task(); task && runs_here(*task)) {
      std::move(initiation)(std::move(bound), std::forward<Arguments>(arguments)...);
      canceller->begin(state_of(token), waiters_of(*task));
    } else {
      const auto executor = bound.get_executor();
      std::move(initiation)(std::move(bound), std::forward<Arguments>(arguments)...);
      asio::dispatch(executor, [canceller, executor, token = state_of(token)] {
        CoroutineTask* const its_task = canceller->task();
        canceller->begin(token, its_task ? waiters_of(*its_task) : *loose_waiters_of(executor));
      });
    }
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
