#pragma once

// How cancel() finds a million who wait, and wakes them without visiting one.
//
// Who waits stands in a list, and is woken by moving lists. There is one WakeQueue for each place
// where the woken go on: a thread of a runtime, or an execution context of somebody else's. A token
// has a Lane in each queue where somebody waits for it, and a child's lane stands, as one entry, in
// its parent's lane of the same queue:
//
//     lane of root -- waiter -- waiter -- [lane of child -- waiter -- [lane of grandchild -- ...]]
//
// cancel() sets the token's flag and moves each of its lanes, with all that is in it, to the ready
// ones of its queue. The owner of the queue takes them out one by one, in its own turns.
//
// Two locks, never held together: the token's guards which queue a lane is in; the queue's guards
// all its lists. "Who waits is woken" rests on one thing: the flag is set before the queue is
// locked to move the lane, and looked at with the queue locked before the lane enters its lists.

#include "runtime_sharing/detail/adaptive_mutex.hpp"

#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <thread>
#include <utility>

namespace runtime_sharing {
class CancellationToken;
}

namespace runtime_sharing::detail {

class TokenState;
class WakeQueue;
struct Lane;

void intrusive_ptr_add_ref(TokenState* token) noexcept;
void intrusive_ptr_release(TokenState* token) noexcept;

/// What stands in a list of a queue: somebody who waits, or a lane with more of them.
struct Entry
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  Entry() = default;
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  virtual ~Entry() = default;

  virtual Lane* as_lane() noexcept { return nullptr; }
};
using EntryList = boost::intrusive::list<Entry, boost::intrusive::constant_time_size<false>>;

/// Somebody who waits in a queue. Whoever takes it out of its list, with the queue locked, decides
/// what becomes of it.
class Waiter : public Entry {
 public:
  /// Goes on. The owner of the queue calls it once, after taking the waiter out. False: the place
  /// where it belongs refuses it, and the caller drops it, outside of every lock and gate.
  virtual bool deliver() = 0;
  /// Instead of deliver(), when the queue was closed.
  virtual void drop() noexcept = 0;
};

/// Somebody who waits for a token: the one thing that a token knows of tasks, handlers, callbacks.
class TokenWaiter : public Waiter {
 public:
  explicit TokenWaiter(boost::intrusive_ptr<TokenState> token) noexcept
      : token_(std::move(token)) {}

  /// Waits in the queue, or is ready at once if the token is cancelled already. From here on it
  /// belongs to the queue; but if that is closed, false is returned and nothing has happened.
  /// Throws std::bad_alloc, and nothing has happened.
  [[nodiscard]] bool wait(WakeQueue& queue);

  /// It was woken by WakeQueue::stop(), not by the token.
  bool was_stopped() const noexcept { return was_stopped_; }
  /// The queue that it waits, or has waited, in; null before.
  WakeQueue* queue() const noexcept { return queue_.load(std::memory_order_relaxed); }

 private:
  friend class CallbackNode;
  friend class TokenState;
  friend class WakeQueue;

  const boost::intrusive_ptr<TokenState> token_;  // keeps the lane that it stands in
  std::atomic<WakeQueue*> queue_{nullptr};        // kept by the lane, while it stands in one
  bool was_stopped_ = false;
};

/// Those who wait for one token in one queue. Belongs to the token.
struct Lane final : Entry {
  Lane* as_lane() noexcept override { return this; }

  EntryList entries;                       // guarded by the queue's mutex, like the lane's own link
  std::atomic<WakeQueue*> queue{nullptr};  // a counted reference; written with the token locked
  std::atomic<Lane*> next{nullptr};        // of the same token; written once, with the token locked
};

/// Those who go on in one place. The owner of that place derives from it.
class WakeQueue : public boost::intrusive_ref_counter<WakeQueue> {
 public:
  WakeQueue() = default;
  WakeQueue(const WakeQueue&) = delete;
  WakeQueue& operator=(const WakeQueue&) = delete;
  virtual ~WakeQueue() = default;

  /// The waiter is ready to go on, after all that are ready already. False if the queue is closed:
  /// then nothing has happened.
  [[nodiscard]] bool push(Waiter& waiter) noexcept {
    const bool entered = enter_ready(waiter);
    if (entered) wake_up();
    return entered;
  }
  /// One of the ready ones, for the owner to deliver; null if there is none.
  Waiter* take() noexcept;
  bool has_ready() const noexcept { return has_ready_.load(); }

  /// Wakes one waiter without its token. Does nothing if that was taken out already.
  void stop(TokenWaiter& waiter) noexcept;
  /// Ends a wait; the waiter is not woken. False if it was taken out already.
  bool remove(Entry& waiter) noexcept;

  /// Nobody enters any more; whoever is still in it is for drop_all().
  void close() noexcept;
  /// After close(): drops them, one at a time, because that runs user code.
  void drop_all() noexcept;
  bool is_closed() const noexcept { return closed_.load(std::memory_order_acquire); }

 protected:
  /// Sees to it that take() is called soon, where the woken go on. Called without the mutex.
  virtual void wake_up() noexcept = 0;
  /// What push() does before it wakes.
  [[nodiscard]] bool enter_ready(Waiter& waiter) noexcept;

  AdaptiveMutex mutex_;

 private:
  friend class TokenState;

  void wake(Lane& lane) noexcept;
  virtual void forget(Lane& lane) noexcept;  // its token goes

  EntryList lanes_;                     // of root tokens; the others stand in their parent's
  EntryList ready_;                     // waiters, and lanes still to be unfolded
  std::atomic<bool> has_ready_{false};  // written with the mutex held
  std::atomic<bool> closed_{false};     // the same
};

/// A lock of one byte, held for a few instructions: a token is too small for a mutex.
class ByteLock {
 public:
  void lock() noexcept {
    while (held_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() noexcept { held_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> held_{false};
};

/// What the copies of a token share. A child knows its parent and keeps it; a parent does not know
/// its children, so that a child is made and dropped without a look at anything shared.
class TokenState {
 public:
  explicit TokenState(boost::intrusive_ptr<TokenState> parent = nullptr) noexcept
      : TokenState(std::move(parent), false) {}
  ~TokenState();
  TokenState(const TokenState&) = delete;
  TokenState& operator=(const TokenState&) = delete;

  bool is_cancelled() const noexcept {
    return parent_ == nullptr ? cancelled_.load(std::memory_order_acquire)
                              : is_cancelled_or_above();
  }
  bool cancel() noexcept;

  std::stop_token stop_token();

  /// For the layers above.
  static const boost::intrusive_ptr<TokenState>& of(const CancellationToken& token) noexcept;

 protected:
  TokenState(boost::intrusive_ptr<TokenState> parent, bool is_linked) noexcept
      : is_linked_(is_linked), parent_(parent.detach()) {}
  /// False if the last reference has gone already.
  bool try_add_reference() noexcept;

 private:
  friend class CallbackNode;
  friend class TokenWaiter;
  friend void intrusive_ptr_add_ref(TokenState* token) noexcept {
    token->references_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void intrusive_ptr_release(TokenState* token) noexcept;

  bool is_cancelled_or_above() const noexcept;

  enum class Entered { yes, is_cancelled, queue_is_closed };
  Entered enter(TokenWaiter& waiter, WakeQueue& queue);
  TokenState* first_without_lane_in(const WakeQueue& queue) noexcept;
  void link_lane_in(WakeQueue& queue) noexcept;
  Lane* find_lane_in(const WakeQueue& queue) noexcept;
  void make_lane_in(WakeQueue& queue);
  boost::intrusive_ptr<WakeQueue> queue_of(const Lane& lane) noexcept;

  std::atomic<std::uint32_t> references_{0};
  mutable std::atomic<bool> cancelled_{false};
  ByteLock lock_;
  const bool is_linked_;      // to a std::stop_token: it is a LinkedTokenState
  TokenState* const parent_;  // a counted reference
  Lane first_lane_;           // most tokens need no more: the others are on the heap
};

/// A function that cancel() calls on its own thread, as std::stop_callback's is.
class CallbackNode : public TokenWaiter {
 public:
  using TokenWaiter::TokenWaiter;

  /// Calls at once if the token is cancelled already. Throws std::bad_alloc.
  void begin();
  /// Returns when the function is not being called, or is on this very thread.
  void end() noexcept;

 private:
  friend class CallbackQueue;

  void drop() noexcept final {}  // the queue of callbacks is never closed

  bool* destroyed_ = nullptr;  // while it is called: to tell the caller that it is gone
  std::thread::id called_on_;  // both guarded by the mutex of the queue
};

}  // namespace runtime_sharing::detail
