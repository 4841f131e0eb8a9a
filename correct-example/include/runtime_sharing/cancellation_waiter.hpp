#pragma once

// How a suspended waiter is found by whoever cancels, and by the end of its execution context.
//
// A waiter stands in one list: its token's, in the group of those who run in the same context. The
// mutex of the group guards it. Three sides race for a waiter: cancel(), the waiter's own
// cancellation slot, and the end of the context. Whoever takes it out of the list decides what
// becomes of it; the others do not find it there and let go.
//
// cancel() moves the whole list of a token to the group's list of those who are to be woken, in one
// step, however long it is. Who wakes them is the group's matter: see WaiterGroup.

#include "runtime_sharing/context_gate.hpp"
#include "runtime_sharing/serial_queue.hpp"

#include <boost/asio/execution_context.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <boost/system/error_code.hpp>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

namespace runtime_sharing::detail {

using boost::system::error_code;

class CoroutineTask;
class TokenState;
class WaiterGroup;
struct WaiterLane;

/// One registration with a token. The list that it stands in owns one reference, and so does the
/// queue or the post that its completion is in.
class CancellationWaiter : public QueuedOperation,
                           public boost::intrusive_ref_counter<CancellationWaiter>,
                           public Recycled {
 public:
  virtual ~CancellationWaiter() = default;

  /// Enters the token's list; or, if the token is cancelled already, is woken at once.
  void wait_on(std::shared_ptr<TokenState> token, WaiterGroup& group);

  /// Leaves the list and is woken with `operation_aborted`, unless another side was first. Called
  /// where the waiter's handler runs.
  void stop_waiting();

  /// The task whose code waits; null for any other handler.
  virtual CoroutineTask* task() const noexcept { return nullptr; }

 protected:
  error_code error() const noexcept { return error_; }
  /// Leaves the list and is not woken, unless another side was first.
  void forget() noexcept;

 private:
  friend class LooseWaiters;
  friend class TaskContext;
  friend class WaiterGroup;

  using Hook = boost::intrusive::list_member_hook<>;

  /// Sees to it that run() is called on the executor of the waiter's handler, and never calls it.
  /// Takes over a reference, unless it throws.
  virtual void deliver() = 0;
  bool unlink() noexcept;

  std::shared_ptr<TokenState> token_;
  WaiterLane* lane_ = nullptr;  // of token_; null before the wait begins
  Hook hook_;                   // guarded by the mutex of the group; unlinked: somebody has it
  error_code error_;            // belongs to whoever unlinked the waiter

 public:
  using List = boost::intrusive::list<
      CancellationWaiter,
      boost::intrusive::member_hook<CancellationWaiter, Hook, &CancellationWaiter::hook_>,
      boost::intrusive::constant_time_size<false>>;
};

/// All waiters whose handlers run in one context by one way in, of whatever token.
class WaiterGroup : public std::enable_shared_from_this<WaiterGroup> {
 public:
  WaiterGroup() = default;
  WaiterGroup(const WaiterGroup&) = delete;
  WaiterGroup& operator=(const WaiterGroup&) = delete;
  virtual ~WaiterGroup() = default;

  /// The group of those who are no tasks of a scope.
  static std::shared_ptr<WaiterGroup> of(asio::execution_context& context);

  /// The context ends: discards all waiters, as Asio destroys all that is pending in a context.
  virtual void close() noexcept;

 protected:
  /// close() will be called when the context ends.
  void close_with(asio::execution_context& context);

  /// Begins to deliver those who are woken. The context does not end meanwhile.
  virtual void start_waking() = 0;
  bool has_woken() const noexcept { return has_woken_; }
  /// One of them, with the reference of the list; null if there is none.
  CancellationWaiter* take_woken() noexcept;
  void put_back(CancellationWaiter& waiter) noexcept;

  ContextGate gate;  // whoever delivers from outside is inside: the context waits

 private:
  friend class CancellationWaiter;
  friend class TokenState;
  friend struct WaiterLane;

  using Lanes =
      boost::intrusive::list<WaiterLane,
                             boost::intrusive::base_hook<boost::intrusive::list_base_hook<>>,
                             boost::intrusive::constant_time_size<false>>;

  /// A step of cancel(): moves the lane's waiters to the woken ones. Adds the group to the list of
  /// those whose wake_up() the caller has to call once it has let go of its own mutex.
  void wake(WaiterLane& lane, std::shared_ptr<WaiterGroup>& to_wake_up) noexcept;
  void wake_up();

  std::mutex mutex_;
  bool closed_ = false;             // guarded by mutex_, like all below
  CancellationWaiter::List woken_;  // their token is cancelled; they are still to be delivered
  std::atomic<bool> has_woken_{false};
  bool announced_ = false;  // a cancel() has it in its list, linked by the next line
  std::shared_ptr<WaiterGroup> next_to_wake_up_;
  Lanes lanes_;
};

/// The waiters of one token in one group. Belongs to the token.
struct WaiterLane : boost::intrusive::list_base_hook<> {
  WaiterLane(std::shared_ptr<WaiterGroup> its_group, WaiterLane* next_lane);
  ~WaiterLane();
  WaiterLane(const WaiterLane&) = delete;
  WaiterLane& operator=(const WaiterLane&) = delete;

  const std::shared_ptr<WaiterGroup> group;
  WaiterLane* const next;            // of the same token, in another group
  CancellationWaiter::List waiters;  // guarded by the mutex of the group
};

/// A function that cancel() calls, outside of any lock, on its own thread. The semantics are those
/// of std::stop_callback.
class CallbackNode {
 public:
  CallbackNode() = default;
  CallbackNode(const CallbackNode&) = delete;
  CallbackNode& operator=(const CallbackNode&) = delete;
  virtual ~CallbackNode() = default;

 private:
  friend class TokenState;

  virtual void call() noexcept = 0;

  boost::intrusive::list_member_hook<> hook_;  // guarded by the mutex of the token's tree
  bool calling_ = false;                       // the same
  std::thread::id called_on_;                  // the same
  bool* destroyed_ = nullptr;                  // belongs to the thread that calls

 public:
  using List = boost::intrusive::list<
      CallbackNode,
      boost::intrusive::member_hook<CallbackNode, boost::intrusive::list_member_hook<>,
                                    &CallbackNode::hook_>,
      boost::intrusive::constant_time_size<false>>;
};

/// What all tokens of one tree share.
struct TokenTree {
  std::mutex mutex;
  std::condition_variable callback_returned;
};

/// The shared state of a token's copies. Knows its parent (and keeps it alive) and its children
/// (and does not). One mutex serves a whole tree of tokens: cancelling is one step for a subtree.
class TokenState {
 public:
  explicit TokenState(std::shared_ptr<TokenState> parent = nullptr);
  ~TokenState();
  TokenState(const TokenState&) = delete;
  TokenState& operator=(const TokenState&) = delete;

  bool is_cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }
  bool cancel();

  /// The lane of the group's waiters.
  WaiterLane& lane_of(WaiterGroup& group);

  /// Calls at once if the token is cancelled already.
  void add(CallbackNode& callback);
  /// Returns when the callback is not being called, or is on this very thread.
  void remove(CallbackNode& callback) noexcept;

  std::stop_token stop_token();

 private:
  class StopBridge;
  using Hook = boost::intrusive::list_member_hook<>;

  bool mark_cancelled(std::shared_ptr<WaiterGroup>& to_wake_up,
                      CallbackNode::List& to_call) noexcept;
  static void call_all(TokenTree& tree, CallbackNode::List& to_call) noexcept;

  const std::shared_ptr<TokenTree> tree_;
  std::shared_ptr<TokenState> parent_;       // written by constructor and destructors only
  std::atomic<bool> cancelled_{false};       // written with tree_->mutex held
  std::atomic<WaiterLane*> lanes_{nullptr};  // the same; only ever grows
  std::optional<WaiterLane> first_lane_;     // most tokens need no more: the others are on the heap
  Hook sibling_hook_;                        // guarded by tree_->mutex, like all below

  using Children = boost::intrusive::list<
      TokenState, boost::intrusive::member_hook<TokenState, Hook, &TokenState::sibling_hook_>,
      boost::intrusive::constant_time_size<false>>;
  Children children_;
  CallbackNode::List callbacks_;
  std::unique_ptr<StopBridge> stop_bridge_;
};

}  // namespace runtime_sharing::detail
