#pragma once

// What stands behind a TaskScope: the list of its tasks, and the count of what is still alive in it
// and in the scopes below it. One mutex serves a whole tree of scopes, so closing a scope with all
// below it is one step: a racing spawn is either counted before it or refused after it.

#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/error.hpp"
#include "runtime_sharing/shutdown_report.hpp"
#include "runtime_sharing/task_context.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/intrusive/list.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runtime_sharing {

/// What a task's exception means for the other tasks of its scope. Cancellation is no failure.
///
/// Called elsewhere: `folly::coro::AsyncScope` keeps going (and terminates); Ceph's
/// `co_spawn_group` cancels or waits by `cancel_on_error`.
enum class FailurePolicy {
  keep_going,    ///< nothing: it is in the report and in the task's handle
  cancel_scope,  ///< the first failure cancels the scope's token
};

/// What a scope is told when it is made.
///
/// Called elsewhere: Ceph's `co_spawn_group` has a `spawn_limit`.
struct ScopeLimits {
  FailurePolicy on_failure = FailurePolicy::keep_going;  ///< what the first failure does
  /// As many tasks may be in the scope and the scopes below it at a time.
  std::size_t max_tasks = std::numeric_limits<std::size_t>::max();
};

}  // namespace runtime_sharing

namespace runtime_sharing::detail {

class ScopeState;

/// Where nobody could be told that there is no memory to wake somebody: tries until there is.
void cancel_surely(const CancellationToken& token) noexcept;

/// One tracked task, from spawn() until its frame is gone.
class TaskRecord : public boost::intrusive_ref_counter<TaskRecord> {
 public:
  TaskRecord(std::string task_name, std::shared_ptr<ScopeState> owner)
      : name(std::move(task_name)), scope(std::move(owner)) {}
  TaskRecord(const TaskRecord&) = delete;
  TaskRecord& operator=(const TaskRecord&) = delete;
  virtual ~TaskRecord() = default;

  /// Cancels what the task is suspended in. Thread-safe; what it does, it does where the task runs.
  virtual void interrupt() = 0;
  /// Destroys what only the coroutine needed: the callable that it was made by.
  virtual void coroutine_is_gone() noexcept {}

  const std::string name;
  const std::shared_ptr<ScopeState> scope;

  /// A thread is inside the task's code at this moment.
  std::atomic<bool> running{false};
  /// The task was interrupted: what leaves it afterwards as `operation_aborted` is no failure.
  std::atomic<bool> interrupted{false};
  /// The frame was destroyed instead of finishing. Set before the task counts as ended.
  std::atomic<bool> destroyed{false};

  /// Cancelled when the task has ended. Thread-safe.
  CancellationToken end();
  /// What left the task, once it has ended: nothing, its exception, or `operation_aborted` for a
  /// task that was destroyed. Thread-safe.
  std::exception_ptr error() const;

 private:
  friend class ScopeState;

  // All guarded by the mutex of the scope's tree.
  boost::intrusive::list_member_hook<> hook_;  // linked until the task has ended
  std::optional<CancellationToken> end_;       // made for the first one who asks
  std::exception_ptr error_;
};

/// Counts the task as ended when the coroutine is gone, whichever way it went: finished, failed, or
/// destroyed while suspended. It lives in the coroutine's completion handler, which dies after the
/// frames of the task.
class TaskGuard {
 public:
  explicit TaskGuard(boost::intrusive_ptr<TaskRecord> record) noexcept
      : record_(std::move(record)) {}
  TaskGuard(TaskGuard&&) noexcept = default;
  TaskGuard& operator=(TaskGuard&&) = delete;
  ~TaskGuard();

  /// `error`: the exception that left the task, if one did.
  void ended(const std::exception_ptr& error) noexcept;

 private:
  boost::intrusive_ptr<TaskRecord> record_;  // empty once counted
};

/// What all scopes of one tree share: the way into the context that their tasks run in, the mutex,
/// and the count of all.
class ScopeTree : public TaskContext {
 public:
  using TaskContext::TaskContext;

  /// A tree on an executor of somebody else's.
  static std::shared_ptr<ScopeTree> on(const asio::any_io_executor& executor);

  /// The first task of an empty tree is there; with `mutex` held. The last one has gone.
  virtual void work_began() {}
  virtual void work_ended() noexcept {}
  /// Whether this thread may wait for tasks: others run them, for sure.
  virtual bool may_wait_here() const noexcept { return false; }
  /// Takes the few lines that nobody asked for.
  virtual void warn(std::string_view message) const noexcept { static_cast<void>(message); }

  alignas(cache_line) AdaptiveMutex mutex;
  std::condition_variable_any changed;  ///< what a shutdown waits for may be there
  std::size_t alive = 0;                ///< tasks that have not ended; guarded by mutex
  /// The same by how deep their scope is nested; the root scope's are at 0. Guarded by mutex.
  std::vector<std::size_t> alive_at_depth;
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
  CancellationToken queue_for(std::shared_ptr<ScopeState> full);

 private:
  std::shared_ptr<ScopeState> scope_;
  std::optional<CancellationToken> turn_;
};

class ScopeState : public std::enable_shared_from_this<ScopeState> {
 public:
  /// `refusal` is the error of a spawn on the closed scope.
  ScopeState(std::string scope_name, CancellationToken token, std::shared_ptr<ScopeTree> tree,
             std::shared_ptr<ScopeState> parent, ScopeLimits limits = {},
             Errc refusal = Errc::scope_closed);
  ~ScopeState();
  ScopeState(const ScopeState&) = delete;
  ScopeState& operator=(const ScopeState&) = delete;

  /// Counts the task in. The error says why not: closed, or full.
  error_code admit(TaskRecord& record);
  /// Throws system_error.
  [[noreturn]] void refuse(const std::string& task_name, error_code reason) const;
  /// Counts it out. `error`: the exception that left the task, if one did. A task that was told to
  /// end and ends by `operation_aborted` has not failed.
  void leave(TaskRecord& record, const std::exception_ptr& error) noexcept;
  /// A task that has left already was never begun: it does not count.
  void forget() noexcept;

  /// This scope and all below it.
  void close();
  bool is_closed() const;
  bool is_root() const noexcept { return parent_ == nullptr; }
  std::size_t alive() const;
  /// Closed and empty, and that for ever. With tree->mutex held.
  bool is_drained() const noexcept { return closed_ && alive_ == 0; }
  std::vector<boost::intrusive_ptr<TaskRecord>> unfinished() const;
  /// Blocks until closed and empty, or until the time. True: closed and empty.
  bool wait_until(std::chrono::steady_clock::time_point deadline) const;

  /// What the tasks of this scope and of all scopes below it came to.
  void add_to(ShutdownReport& report) const;

  const std::string name;
  const CancellationToken token;
  const CancellationToken drained;  ///< cancelled when the scope is closed and empty
  const std::shared_ptr<ScopeTree> tree;
  const std::size_t depth;  ///< of the root scope: 0

 private:
  using Tasks = boost::intrusive::list<
      TaskRecord, boost::intrusive::member_hook<TaskRecord, boost::intrusive::list_member_hook<>,
                                                &TaskRecord::hook_>>;
  friend class PlaceInQueue;
  struct Place {
    CancellationToken turn;
    const ScopeState* wanted;  // the scope that is spawned into
  };
  using Queue = std::list<Place>;

  /// This scope or the nearest above it that is full; null if there is room. With the mutex held.
  const ScopeState* full_one() const noexcept;
  /// Moves as many as there is room for out of the queues. With the mutex held.
  void call_next(Queue& called) noexcept;

  template <typename Scope, typename Visit>
  static void for_each_scope(Scope& top, Visit visit);
  void add_failure(const Failure& failure) noexcept;
  void announce_drained() noexcept;

  const std::shared_ptr<ScopeState> parent_;
  const ScopeLimits limits_;
  const Errc refusal_;

  // All guarded by tree->mutex.
  alignas(cache_line) boost::intrusive::list_member_hook<> sibling_hook_;
  using Children = boost::intrusive::list<
      ScopeState, boost::intrusive::member_hook<ScopeState, boost::intrusive::list_member_hook<>,
                                                &ScopeState::sibling_hook_>>;
  Children children_;
  Tasks tasks_;
  std::size_t alive_ = 0;  // tasks here and in all scopes below
  bool closed_ = false;
  std::size_t tasks_total_ = 0;
  std::size_t failures_total_ = 0;
  std::vector<Failure> failures_;
  Queue queue_;  // spawners that wait for room
};

}  // namespace runtime_sharing::detail
