#pragma once

// How a suspended waiter is found by whoever cancels, and by the end of its execution context.
//
// A waiter stands in two lists: its token's (to be woken) and its context's (to be destroyed with
// it, as Asio destroys every operation that is pending in a context). Three sides race for it:
// cancel(), the waiter's own cancellation slot, and the end of the context. Whoever sets `claimed`
// first, under the mutex of the context's list, decides what becomes of it; the others find it
// claimed and let go. A completion is posted under that mutex, so the context cannot end meanwhile.

#include <boost/asio/execution_context.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <boost/system/error_code.hpp>

#include <atomic>
#include <memory>
#include <mutex>

namespace runtime_sharing::detail {

namespace asio = boost::asio;
using boost::system::error_code;

class TokenState;
class WaiterList;

/// One registration with a token. Each list that it stands in owns one reference.
class CancellationWaiter : public boost::intrusive_ref_counter<CancellationWaiter> {
 public:
  CancellationWaiter() = default;
  CancellationWaiter(const CancellationWaiter&) = delete;
  CancellationWaiter& operator=(const CancellationWaiter&) = delete;
  virtual ~CancellationWaiter() = default;

  /// Enters both lists; or, if the token is cancelled already, is woken at once.
  void wait_on(std::shared_ptr<TokenState> token, asio::execution_context& context);

  /// Leaves both lists and is woken with `operation_aborted`, unless another side was first.
  void stop_waiting();

 private:
  friend class TokenState;
  friend class WaiterList;

  using Hook = boost::intrusive::list_member_hook<>;

  /// Posts the completion, never runs it. Called at most once, with the list's mutex held.
  virtual void post_completion(error_code error) = 0;
  /// Destroys the handler without calling it: its context ends. Called instead of the former.
  virtual void discard() noexcept = 0;

  std::shared_ptr<TokenState> token_;
  std::shared_ptr<WaiterList> list_;
  Hook token_hook_;
  Hook list_hook_;
  bool in_token_ = false;  // guarded by the mutex of the token's tree
  bool claimed_ = false;   // guarded by the mutex of list_

 public:
  using InToken = boost::intrusive::list<
      CancellationWaiter,
      boost::intrusive::member_hook<CancellationWaiter, Hook, &CancellationWaiter::token_hook_>,
      boost::intrusive::constant_time_size<false>>;
  using InList = boost::intrusive::list<
      CancellationWaiter,
      boost::intrusive::member_hook<CancellationWaiter, Hook, &CancellationWaiter::list_hook_>,
      boost::intrusive::constant_time_size<false>>;
};

/// All waiters whose handlers run in one execution context. Outlives the context where a waiter
/// needs it to.
class WaiterList {
 public:
  /// False if the context has ended: the waiter is to be discarded.
  bool add(CancellationWaiter& waiter);
  /// Wakes the waiter unless it is claimed.
  void wake(CancellationWaiter& waiter, error_code error);
  /// The context ends: discards all waiters.
  void close() noexcept;

 private:
  std::mutex mutex_;
  bool closed_ = false;                 // guarded by mutex_
  CancellationWaiter::InList waiters_;  // guarded by mutex_
};

/// The shared state of a token's copies. Knows its parent (and keeps it alive) and its children
/// (and does not). One mutex serves a whole tree of tokens: cancelling is one step for a subtree.
class TokenState : public std::enable_shared_from_this<TokenState> {
 public:
  explicit TokenState(std::shared_ptr<TokenState> parent = nullptr);
  ~TokenState();
  TokenState(const TokenState&) = delete;
  TokenState& operator=(const TokenState&) = delete;

  bool is_cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }
  bool cancel();

  /// False if the token is cancelled already: the waiter is to be woken.
  bool add(CancellationWaiter& waiter);
  void remove(CancellationWaiter& waiter) noexcept;

 private:
  using Hook = boost::intrusive::list_member_hook<>;

  const std::shared_ptr<std::mutex> tree_mutex_;
  std::shared_ptr<TokenState> parent_;  // written by constructor and destructors only
  std::atomic<bool> cancelled_{false};  // written with *tree_mutex_ held
  Hook sibling_hook_;                   // guarded by *tree_mutex_, like all below
  CancellationWaiter::InToken waiters_;

  using Children = boost::intrusive::list<
      TokenState, boost::intrusive::member_hook<TokenState, Hook, &TokenState::sibling_hook_>,
      boost::intrusive::constant_time_size<false>>;
  Children children_;
};

}  // namespace runtime_sharing::detail
