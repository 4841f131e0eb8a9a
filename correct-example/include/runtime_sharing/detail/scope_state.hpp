#pragma once

// What stands behind a TaskScope: its tasks, and the scopes below it.
//
// A scope has a shard for each thread of the runtime: who is spawned there is listed and counted
// there, under a mutex that hardly anybody else wants. close() closes one shard after the other, so
// a racing spawn is either counted before its shard was closed or refused after it. A scope is
// drained, for ever, when all its shards are closed and empty and all scopes below it are drained.
//
// Everything that happens seldom is under one mutex of the whole tree of scopes: which scopes there
// are, closing, draining, failures, and the exact count of a scope with a limit. Order of locks:
// the tree's, then a shard's.

#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/detail/task_record.hpp"
#include "runtime_sharing/detail/turns.hpp"
#include "runtime_sharing/error.hpp"
#include "runtime_sharing/runtime_observer.hpp"
#include "runtime_sharing/scope_limits.hpp"
#include "runtime_sharing/shutdown_report.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/intrusive/list.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runtime_sharing::detail {

class Ladder;

/// What all scopes of one tree share: the way into the context that their tasks run in, and the
/// mutex.
class ScopeTree : public Turns {
 public:
  using Turns::Turns;

  /// A tree on an executor of somebody else's. Throws std::bad_alloc.
  static std::shared_ptr<ScopeTree> on(const asio::any_io_executor& executor);

  /// A task keeps its context running from here on, until task_ended(). False if the context has
  /// ended. Throws std::bad_alloc.
  virtual bool task_begins() { return true; }
  virtual void task_ended() noexcept {}
  /// Whether this thread may wait for tasks: others run them, for sure.
  virtual bool may_wait_here() const noexcept { return false; }
  /// Takes the few lines that nobody asked for.
  virtual void warn(std::string_view message) const noexcept { static_cast<void>(message); }
  /// The same, in two parts; without memory only the second.
  void warn_of(std::string_view subject, std::string_view message) const noexcept;

  RuntimeObserver* observer = nullptr;  ///< constant once there is a scope; null: there is none

  alignas(cache_line) AdaptiveMutex mutex;
  std::condition_variable_any changed;  ///< what a shutdown waits for may be there
  std::atomic<int> watchers{0};         ///< who wants to be told of each task that has ended
};

/// How many tasks may be in a scope at a time, exactly. All guarded by the mutex of the tree.
struct Places {
  struct Waiting {
    CancellationToken turn;    ///< cancelled when it may try again
    const ScopeState* wanted;  ///< the scope that is spawned into
  };

  /// It is the turn of those: outside of the mutex.
  static void tell(const std::list<Waiting>& called) noexcept;

  const std::size_t max;
  Places* const above;  ///< of the nearest scope above that has a limit; null: there is none
  std::size_t taken = 0;
  std::list<Waiting> queue = {};  ///< spawners that wait for a place
};

/// A spawner's place in the queue for a full scope. Gives its turn to the next one when it goes.
class PlaceInQueue {
 public:
  PlaceInQueue() = default;
  PlaceInQueue(PlaceInQueue&& other) noexcept
      : scope_(std::move(other.scope_)), turn_(std::exchange(other.turn_, std::nullopt)) {}
  PlaceInQueue& operator=(PlaceInQueue&&) = delete;
  ~PlaceInQueue();

  /// Queues in front if this one was queued before. The token is cancelled when it is its turn.
  CancellationToken queue_for(const boost::intrusive_ptr<ScopeState>& full);

 private:
  boost::intrusive_ptr<ScopeState> scope_;
  std::optional<CancellationToken> turn_;
};

class ScopeState {
 public:
  using Records = std::vector<boost::intrusive_ptr<TaskRecord>>;

  /// `refusal` is the error of a spawn on the closed scope. Throws std::bad_alloc.
  static boost::intrusive_ptr<ScopeState> make(std::string scope_name,
                                               CancellationToken scope_token,
                                               std::shared_ptr<ScopeTree> scope_tree,
                                               ScopeState* parent, ScopeLimits limits = {},
                                               Errc refusal = Errc::scope_closed);
  ScopeState(const ScopeState&) = delete;
  ScopeState& operator=(const ScopeState&) = delete;
  ~ScopeState();

  /// Counts the task in. The error says why not: closed, or full. Throws std::bad_alloc.
  error_code admit(TaskRecord& record);
  /// Throws system_error.
  [[noreturn]] void refuse(const std::string& task_name, error_code reason) const;
  /// Counts it out. `error`: the exception that left the task, if one did. A task that was told to
  /// end and ends by a cancellation has not failed.
  void leave(TaskRecord& record, const std::exception_ptr& error) noexcept;
  /// Something of that name has failed: here and in all scopes above.
  void fail(const std::string& task_name, const std::exception_ptr& error) noexcept;
  /// Counts it out as if it had never been admitted.
  void forget(TaskRecord& record) noexcept;

  /// This scope and all below it.
  void close() noexcept;
  bool is_closed() const noexcept { return closed_; }
  bool is_root() const noexcept { return parent_ == nullptr; }
  /// Closed and empty, and that for ever.
  bool is_drained() const noexcept { return drained_; }
  /// Tasks that have not ended, those of the scopes below included.
  std::size_t size() const noexcept;
  /// The same tasks. Throws std::bad_alloc.
  Records unfinished() const;
  /// Whether the scope is this one or below it.
  bool contains(const ScopeState& scope) const noexcept;
  /// Blocks until drained, or until the time. True: drained.
  bool wait_until(std::chrono::steady_clock::time_point deadline) const;

  /// What the tasks of this scope and of all scopes below it came to. With no memory for all
  /// failures, as many as there is memory for.
  void add_to(ShutdownReport& report) const noexcept;

  /// Its ladder has been climbed to the end.
  bool was_shut_down() const noexcept;
  /// The one ladder that this scope is shut down by. Throws std::bad_alloc.
  std::shared_ptr<Ladder> ladder();

  const std::string name;
  const CancellationToken token;
  const CancellationToken drained;  ///< cancelled when the scope is drained
  const std::shared_ptr<ScopeTree> tree;
  const std::size_t depth;  ///< of the root scope: 0

 private:
  friend class PlaceInQueue;
  friend class TaskRecord;
  friend void intrusive_ptr_add_ref(const ScopeState* scope) noexcept;
  friend void intrusive_ptr_release(const ScopeState* scope) noexcept;

  struct alignas(cache_line) Shard {
    AdaptiveMutex mutex;
    bool closed = false;  // guarded by mutex, like all below
    TaskRecord::List tasks;
    std::size_t alive = 0;
    std::size_t total = 0;  // ever admitted
  };
  using Hook = boost::intrusive::list_member_hook<>;
  using DrainedOnes = boost::intrusive_ptr<ScopeState>;

  ScopeState(std::string scope_name, CancellationToken scope_token,
             std::shared_ptr<ScopeTree> scope_tree, ScopeState* parent, ScopeLimits limits,
             Errc refusal);
  void enter_parent() noexcept;
  bool is_full() const noexcept;
  error_code take_places() noexcept;
  void give_places_back() noexcept;
  static void call_next(Places* places, std::list<Places::Waiting>& called) noexcept;

  void count_out(TaskRecord& record, const std::exception_ptr& error,
                 std::size_t not_counted) noexcept;
  /// One of what it waited for to be drained has happened. With the mutex of the tree.
  void came_nearer(DrainedOnes& now_drained) noexcept;
  static void announce(DrainedOnes now_drained) noexcept;
  template <typename Visit>
  static void for_each_scope(const ScopeState& top, Visit visit);

  mutable std::atomic<std::size_t> references_{0};
  ScopeState* const parent_;  // a counted reference
  const ScopeLimits limits_;
  const Errc refusal_;
  std::vector<Shard> shards_;  // by the number of the thread
  std::atomic<bool> closed_{false};
  std::atomic<bool> drained_{false};

  // All guarded by tree->mutex.
  std::optional<Places> own_places_;
  Places* places_;  // constant; of this scope or the nearest above that has a limit; null: no limit
  Hook sibling_hook_;  // linked until drained
  using Children = boost::intrusive::list<
      ScopeState, boost::intrusive::member_hook<ScopeState, Hook, &ScopeState::sibling_hook_>,
      boost::intrusive::constant_time_size<false>>;
  Children children_;
  std::size_t to_be_drained_;  // open or occupied shards, and children
  DrainedOnes next_drained_;
  std::size_t total_below_ = 0;  // of children that are drained
  std::size_t failures_total_ = 0;
  std::vector<Failure> failures_;
  std::shared_ptr<Ladder> ladder_;
};

}  // namespace runtime_sharing::detail
