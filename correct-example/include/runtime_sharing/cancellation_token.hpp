#pragma once

#include "runtime_sharing/detail/handler_waiter.hpp"
#include "runtime_sharing/detail/wake_queue.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <stop_token>
#include <utility>

namespace runtime_sharing {

/// *Tell:* a copyable handle on one "please end", which cannot be taken back.
///
/// Copies are one token. A child token is cancelled with its parent, never the other way round.
/// All member functions are thread-safe. Dropping handles never cancels. A token that was moved
/// from is still the same token.
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

  /// Another handle on the same token.
  CancellationToken(const CancellationToken&) noexcept = default;
  /// A handle on the other token from now on.
  CancellationToken& operator=(const CancellationToken&) noexcept = default;
  ~CancellationToken() = default;

  /// A token that is cancelled with this one; born cancelled if this one is. Cancelling the child
  /// reaches neither this token nor its other children. Takes no lock. Throws std::bad_alloc.
  CancellationToken child_token() const;

  /// Cancels this token and all its descendants; all of them are cancelled when it returns, and who
  /// waits for one of them is on the way. No handler runs inside the call; the functions of
  /// CancellationCallbacks do. Returns whether this call did it: false when it was cancelled
  /// before, perhaps by a call that is still calling the callbacks.
  ///
  /// For tasks of a Runtime it allocates nothing, and its time does not depend on how many wait or
  /// how many children there are. Other handlers are posted one by one; should their executor have
  /// no memory for that, the call tries until it has.
  bool cancel() const noexcept;

  /// One atomic load, and one more for each ancestor: for loops that compute and never suspend. Who
  /// sees it cancelled sees what was done before the cancel().
  bool is_cancelled() const noexcept { return state_->is_cancelled(); }

  /// Initiating function with the signature `void(error_code)`. Completes without an error when the
  /// token is cancelled, at once if it already is; with `asio::error::operation_aborted` when the
  /// wait itself is cancelled through the handler's cancellation slot (emitted, as everywhere in
  /// Asio, where the handler runs). Completes on the handler's executor, never inline.
  /// Awaited as it is, it needs no coroutine frame of its own; operators like `||` want
  /// `cancelled(asio::use_awaitable)`.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(boost::system::error_code))
                CompletionToken = boost::asio::deferred_t>
  auto cancelled(CompletionToken&& completion_token = CompletionToken()) const {
    return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
        detail::InitiateCancelled(), completion_token, state_);
  }

  /// For code that knows std::stop_token only: its stop is requested when this token is cancelled,
  /// for as long as a handle of this token, or a waiter on it, lives. Throws std::bad_alloc.
  std::stop_token stop_token() const;

  /// Identity: true for copies of one token only.
  friend bool operator==(const CancellationToken&, const CancellationToken&) = default;

 private:
  friend class detail::TokenState;

  explicit CancellationToken(boost::intrusive_ptr<detail::TokenState> state) noexcept
      : state_(std::move(state)) {}

  boost::intrusive_ptr<detail::TokenState> state_;
};

namespace detail {

inline const boost::intrusive_ptr<TokenState>& TokenState::of(
    const CancellationToken& token) noexcept {
  return token.state_;
}

}  // namespace detail

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
class CancellationCallback final : private detail::CallbackNode {
 public:
  /// Throws std::bad_alloc, and what moving `function` throws.
  template <std::convertible_to<Function> Callable>
  [[nodiscard]] CancellationCallback(const CancellationToken& token, Callable&& function)
      : CallbackNode(detail::TokenState::of(token)), function_(std::forward<Callable>(function)) {
    begin();
  }
  ~CancellationCallback() override { end(); }

 private:
  bool deliver() noexcept override {
    std::forward<Function>(function_)();
    return true;
  }

  Function function_;
};

/// Deduces the type of the function.
template <typename Callable>
CancellationCallback(const CancellationToken&, Callable) -> CancellationCallback<Callable>;

/// Cancels its token when it goes out of scope, unless it was disarmed. For a scope that is left by
/// an exception. Not thread-safe itself; movable, and a moved-from guard is disarmed.
///
/// Called elsewhere: `tokio_util::sync::DropGuard`.
class DropGuard {
 public:
  /// Will cancel `token`.
  [[nodiscard]] explicit DropGuard(const CancellationToken& token) noexcept : token_(token) {}
  /// Takes the duty over; `other` is disarmed.
  [[nodiscard]] DropGuard(DropGuard&& other) noexcept
      : token_(std::exchange(other.token_, std::nullopt)) {}
  DropGuard& operator=(DropGuard&&) = delete;
  ~DropGuard() {
    if (token_) token_->cancel();
  }

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
    return std::hash<const void*>()(runtime_sharing::detail::TokenState::of(token).get());
  }
};
