#pragma once

#include "runtime_sharing/cancellation_token.hpp"

#include <boost/asio/associator.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <concepts>
#include <type_traits>

namespace runtime_sharing {

/// Binds one operation to a token: `co_await socket.async_read_some(buffer, cancel_on(token))`.
/// When the token is cancelled, the pending operation itself is, and ends with
/// `asio::error::operation_aborted`; an operation whose result is ready by then may still succeed,
/// so look at the token too. A token cancelled earlier ends the operation after its initiation.
///
/// Needs what Asio's own cancellation needs: the handler's executor is a strand, or its context
/// runs on one thread. Every task of a TaskScope has that. And as what an operation leaves in its
/// slot refers to its I/O object, that must live until the handler has been called or destroyed: in
/// a coroutine it does; beside one, let the handler own it. `token.cancel(); timer.reset();` with a
/// wait pending is a use after free, because the cancellation is on its way when the timer goes.
///
/// Stands outermost: `cancel_on(token, as_tuple(...))`. What binds an executor stands inside; in
/// `bind_executor(strand, cancel_on(token, f))` nobody tells it of the strand.
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
    const CancellationToken& token, CompletionToken&& completion_token = CompletionToken()) {
  return {token, std::forward<CompletionToken>(completion_token)};
}

namespace detail {

/// What redirect_error of Boost 1.81 asks for, where the completion token has it.
template <typename CompletionToken, typename... Signatures>
struct ReturnType {};
template <typename CompletionToken, typename... Signatures>
  requires requires { typename asio::async_result<CompletionToken, Signatures...>::return_type; }
struct ReturnType<CompletionToken, Signatures...> {
  using return_type = typename asio::async_result<CompletionToken, Signatures...>::return_type;
};

/// Waits beside one operation and cancels that if the token is cancelled first, where the
/// operation's handler runs. The handler has one reference, and the queue that it waits in another.
class OperationCanceller : public HandlerWaiter,
                           public boost::intrusive_ref_counter<OperationCanceller> {
 public:
  using HandlerWaiter::HandlerWaiter;

  /// Stands for it in the slot of its handler, as long as the handler is there.
  class InSlot {
   public:
    explicit InSlot(OperationCanceller& canceller) noexcept : canceller_(&canceller) {
      canceller.in_slot_ = this;
    }
    InSlot(const InSlot&) = delete;
    InSlot& operator=(const InSlot&) = delete;
    ~InSlot();
    void operator()(asio::cancellation_type type) const;

   private:
    friend class OperationCanceller;
    std::atomic<OperationCanceller*> canceller_;
  };

  asio::cancellation_slot slot() noexcept { return signal_.slot(); }
  /// Begins to wait, once the operation has begun: by then nothing may fail. Takes over a
  /// reference.
  virtual void begin() noexcept = 0;
  void wait(WakeQueue& queue) noexcept;
  /// Leaves the queue if the operation was over before it was entered.
  void leave_if_finished() noexcept;
  /// The operation completes, where its handler runs.
  void complete() noexcept;
  /// The handler is destroyed without a call, on any thread: its context ends, or the operation's.
  void abandon() noexcept;

 protected:
  void run() override {
    const boost::intrusive_ptr self(this, false);
    emit(asio::cancellation_type::terminal);
  }
  void drop() noexcept override {
    is_dropped_ = true;
    intrusive_ptr_release(this);
  }

 private:
  void emit(asio::cancellation_type type) {
    if (!finished_) signal_.emit(type);
  }
  void finish() noexcept;
  void leave() noexcept;

  asio::cancellation_signal signal_;
  InSlot* in_slot_ = nullptr;
  std::atomic<bool> finished_{false};    // what the operation has left in the slot is not touched
  std::atomic<bool> is_dropped_{false};  // its queue is not asked any more
};

template <typename WayBack>
class OperationCancellerBy final : public OperationCanceller {
 public:
  OperationCancellerBy(boost::intrusive_ptr<TokenState> token, WayBack way_back)
      : OperationCanceller(std::move(token)), way_back_(std::move(way_back)) {}

  void begin() noexcept override { way_back_.begin(boost::intrusive_ptr(this, false)); }

  // One comes and goes with each bound operation: from the memory that Asio keeps for that.
  static void* operator new(std::size_t) { return Allocator().allocate(1); }
  static void operator delete(void* memory) {
    Allocator().deallocate(static_cast<OperationCancellerBy*>(memory), 1);
  }

 private:
  using Allocator = asio::recycling_allocator<OperationCancellerBy>;

  bool deliver() override { return way_back_.go_on_with(*this); }
  void drop() noexcept override {
    static_cast<void>(WayBack(std::move(way_back_)));  // the handler may outlive its context
    OperationCanceller::drop();
  }

  WayBack way_back_;
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
  using cancellation_slot_type = asio::cancellation_slot;

  CancelOnHandler(Handler handler, const Fallback& fallback, boost::intrusive_ptr<TokenState> token)
      : handler_(std::move(handler)), executor_(handler_, fallback) {
    const auto executor = get_executor();
    if (CurrentTask* const task = task_behind(executor)) {
      canceller_ = new OperationCancellerBy<ByTask>(std::move(token), ByTask(*task));
    } else {
      using WayBack = ByPost<std::decay_t<executor_type>>;
      canceller_ = new OperationCancellerBy<WayBack>(std::move(token), WayBack(executor));
    }
    if (auto outer = asio::get_associated_cancellation_slot(handler_); outer.is_connected())
      outer.template emplace<OperationCanceller::InSlot>(*canceller_);
  }

  CancelOnHandler(CancelOnHandler&&) = default;
  ~CancelOnHandler() {
    if (canceller_) canceller_->abandon();
  }

  executor_type get_executor() const noexcept { return executor_.of(handler_); }
  cancellation_slot_type get_cancellation_slot() const noexcept { return canceller_->slot(); }
  const boost::intrusive_ptr<OperationCanceller>& canceller() const noexcept { return canceller_; }
  const Handler& inner() const noexcept { return handler_; }

  template <typename... Results>
  void operator()(Results&&... results) {
    const auto canceller = std::move(canceller_);
    canceller->complete();
    std::move(handler_)(std::forward<Results>(results)...);
  }

 private:
  Handler handler_;
  [[no_unique_address]] ExecutorOfHandler<Handler, Fallback> executor_;
  boost::intrusive_ptr<OperationCanceller> canceller_;
};

/// Starts the operation first and the wait second: an emit before the operation has begun is lost.
/// An operation that completes at once destroys whatever holds this: so everything is taken along.
template <typename Initiation>
struct InitiateCancelOn {
  // Of the operation: for a handler that has none, and a cancel_on around this one.
  using executor_type = asio::associated_executor_t<Initiation>;
  executor_type get_executor() const noexcept { return asio::get_associated_executor(initiation); }

  Initiation initiation;
  boost::intrusive_ptr<TokenState> token;

  template <typename Handler, typename... Arguments>
  void operator()(Handler&& handler, Arguments&&... arguments) {
    auto initiate = std::move(initiation);
    const auto fallback = asio::get_associated_executor(initiate);
    CancelOnHandler<std::decay_t<Handler>, std::decay_t<decltype(fallback)>> bound(
        std::forward<Handler>(handler), fallback, std::move(token));
    auto canceller = bound.canceller();
    std::move(initiate)(std::move(bound), std::forward<Arguments>(arguments)...);
    canceller.detach()->begin();
  }
};

}  // namespace detail
}  // namespace runtime_sharing

/// The handler's allocator, and whatever else is associated with it.
template <template <typename, typename> class Associator, typename Handler, typename Fallback,
          typename Default>
struct boost::asio::associator<Associator,
                               runtime_sharing::detail::CancelOnHandler<Handler, Fallback>, Default>
    : Associator<Handler, Default> {
  using Bound = runtime_sharing::detail::CancelOnHandler<Handler, Fallback>;

  static decltype(auto) get(const Bound& bound) noexcept {
    return Associator<Handler, Default>::get(bound.inner());
  }
  static decltype(auto) get(const Bound& bound, const Default& fallback) noexcept {
    return Associator<Handler, Default>::get(bound.inner(), fallback);
  }
};

template <typename CompletionToken, typename... Signatures>
struct boost::asio::async_result<runtime_sharing::CancelOn<CompletionToken>, Signatures...>
    : runtime_sharing::detail::ReturnType<CompletionToken, Signatures...> {
  template <typename Initiation, typename Token, typename... Arguments>
  static auto initiate(Initiation&& initiation, Token&& token, Arguments&&... arguments) {
    return async_initiate<CompletionToken, Signatures...>(
        runtime_sharing::detail::InitiateCancelOn<std::decay_t<Initiation>>{
            std::forward<Initiation>(initiation),
            runtime_sharing::detail::TokenState::of(token.token)},
        token.completion_token, std::forward<Arguments>(arguments)...);
  }
};
