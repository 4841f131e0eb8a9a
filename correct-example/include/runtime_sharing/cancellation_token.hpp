#pragma once

#include "runtime_sharing/cancellation_waiter.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace runtime_sharing {

class CancellationToken;

namespace detail {
const std::shared_ptr<TokenState>& state_of(const CancellationToken& token) noexcept;
}  // namespace detail

/// *Tell.* A copyable handle on one "please end", which cannot be taken back.
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

  /// A token that is cancelled with this one; born cancelled if this one is. Cancelling the child
  /// reaches neither this token nor its other children. Throws std::bad_alloc.
  CancellationToken child_token() const;

  /// Cancels this token and all its descendants; all of them are cancelled when it returns. Wakes
  /// every waiter on the waiter's own executor: no handler runs inside the call.
  /// Returns whether this call did it: false when it was cancelled before.
  bool cancel() const;

  /// Costs one atomic load: for loops that compute and never suspend.
  bool is_cancelled() const noexcept;

  /// Initiating function with the signature `void(error_code)`. Completes without an error when the
  /// token is cancelled, at once if it already is; with `asio::error::operation_aborted` when the
  /// wait itself is cancelled through the handler's cancellation slot (emitted, as everywhere in
  /// Asio, where the handler runs). Completes on the handler's executor, never inline.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code))
                CompletionToken = boost::asio::use_awaitable_t<>>
  auto cancelled(CompletionToken&& completion_token = CompletionToken()) const;

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

/// The context that an executor's handlers run in.
template <typename Executor>
asio::execution_context& context_of(const Executor& executor) {
  return asio::query(executor, asio::execution::context);
}

/// A waiter that calls a completion handler on the handler's own executor.
template <typename Handler>
class HandlerWaiter final : public CancellationWaiter {
 public:
  explicit HandlerWaiter(Handler handler) : pending_(std::in_place, std::move(handler)) {}

  void start(std::shared_ptr<TokenState> token) {
    if (auto slot = asio::get_associated_cancellation_slot(pending_->handler);
        slot.is_connected()) {
      slot.assign([self = boost::intrusive_ptr(this)](asio::cancellation_type type) {
        if (type != asio::cancellation_type::none) self->stop_waiting();
      });
    }
    wait_on(std::move(token), context_of(pending_->executor));
  }

 private:
  struct Pending {
    explicit Pending(Handler h)
        : handler(std::move(h)),
          executor(asio::get_associated_executor(handler)),
          work(asio::make_work_guard(executor)) {}

    Handler handler;
    asio::associated_executor_t<Handler> executor;
    asio::executor_work_guard<asio::associated_executor_t<Handler>> work;
  };

  void post_completion(error_code error) override {
    asio::post(pending_->executor,
               [self = boost::intrusive_ptr(this), error] { self->complete(error); });
  }

  void complete(error_code error) {
    // Out of the waiter before the call: the handler may destroy everything around it.
    Pending pending = std::move(*pending_);
    pending_.reset();
    if (auto slot = asio::get_associated_cancellation_slot(pending.handler); slot.is_connected()) {
      slot.clear();
    }
    std::move(pending.handler)(error);
  }

  void discard() noexcept override { pending_.reset(); }

  std::optional<Pending> pending_;  // belongs to whoever claimed the waiter
};

}  // namespace detail

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code)) CompletionToken>
auto CancellationToken::cancelled(CompletionToken&& completion_token) const {
  return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
      [](auto handler, std::shared_ptr<detail::TokenState> state) {
        using Waiter = detail::HandlerWaiter<decltype(handler)>;
        boost::intrusive_ptr<Waiter> waiter(new Waiter(std::move(handler)));
        waiter->start(std::move(state));
      },
      completion_token, state_);
}

}  // namespace runtime_sharing

/// Tokens hash by identity, as they compare.
template <>
struct std::hash<runtime_sharing::CancellationToken> {
  std::size_t operator()(const runtime_sharing::CancellationToken& token) const noexcept {
    return std::hash<std::shared_ptr<runtime_sharing::detail::TokenState>>()(
        runtime_sharing::detail::state_of(token));
  }
};
