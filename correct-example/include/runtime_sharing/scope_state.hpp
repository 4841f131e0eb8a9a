#pragma once

// What stands behind a TaskScope: the list of its tasks, and the count of what is still alive in it
// and in the scopes below it. One mutex serves a whole tree of scopes, so closing a scope with all
// below it is one step: a racing spawn is either counted before it or refused after it.

#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/context_gate.hpp"
#include "runtime_sharing/error.hpp"
#include "runtime_sharing/shutdown_report.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/intrusive/list.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace runtime_sharing::detail {

class ScopeState;

/// One tracked task, from spawn() until its frame is gone.
class TaskRecord : public std::enable_shared_from_this<TaskRecord> {
 public:
  TaskRecord(std::string task_name, std::shared_ptr<ScopeState> owner);
  TaskRecord(const TaskRecord&) = delete;
  TaskRecord& operator=(const TaskRecord&) = delete;
  virtual ~TaskRecord() = default;

  /// Cancels what the task is suspended in. Thread-safe; what it does, it does where the task runs.
  virtual void interrupt() = 0;

  const std::string name;
  const std::shared_ptr<ScopeState> scope;

  /// A thread is inside the task's code at this moment. (A count: dispatched code nests.)
  std::atomic<int> running{0};
  /// The task was interrupted: what leaves it afterwards as `operation_aborted` is no failure.
  std::atomic<bool> interrupted{false};
  /// The frame was destroyed instead of finishing. Set before the task counts as ended.
  std::atomic<bool> destroyed{false};

 private:
  friend class ScopeState;
  boost::intrusive::list_member_hook<> hook_;  // guarded by the mutex of the scope's tree
};

/// Lives in the task's frame and counts the task as ended when the frame dies, whichever way it
/// does: finished, failed, or destroyed while suspended. Movable, like the frame's parameters.
class TaskGuard {
 public:
  explicit TaskGuard(std::shared_ptr<TaskRecord> record) noexcept : record_(std::move(record)) {}
  TaskGuard(TaskGuard&&) noexcept = default;
  TaskGuard& operator=(TaskGuard&&) = delete;
  ~TaskGuard();

  void finished() noexcept { ended_ = true; }
  /// A task that was told to end and ends by `operation_aborted` has not failed: it has finished.
  void failed(std::exception_ptr error) noexcept;

 private:
  std::shared_ptr<TaskRecord> record_;  // empty after a move
  bool ended_ = false;
  std::exception_ptr error_;
};

/// What all scopes of one tree share.
struct ScopeTree {
  std::mutex mutex;
  std::condition_variable changed;  ///< a task ended, or whatever else a shutdown waits for
  ContextGate gate;                 ///< of the context that the tasks run in
  /// Tasks that have not ended, by how deep their scope is nested; the root scope's are at 0.
  std::vector<std::size_t> alive_at_depth;  // guarded by mutex
};

class ScopeState : public std::enable_shared_from_this<ScopeState> {
 public:
  /// `refusal` is the error of a spawn on the closed scope.
  ScopeState(std::string scope_name, asio::any_io_executor executor, CancellationToken token,
             std::shared_ptr<ScopeTree> tree, std::shared_ptr<ScopeState> parent,
             Errc refusal = Errc::scope_closed);
  ~ScopeState();
  ScopeState(const ScopeState&) = delete;
  ScopeState& operator=(const ScopeState&) = delete;

  /// Counts the task in. False if the scope is closed.
  bool admit(TaskRecord& record);
  /// Throws system_error with the scope's refusal.
  [[noreturn]] void refuse(const std::string& task_name) const;
  /// Counts it out. `error` is empty unless the task failed.
  void leave(TaskRecord& record, std::exception_ptr error) noexcept;

  /// This scope and all below it.
  void close();
  bool is_closed() const;
  std::size_t alive() const;
  /// Closed and empty, and that for ever. With tree->mutex held.
  bool is_drained() const noexcept { return closed_ && alive_ == 0; }
  std::vector<std::shared_ptr<TaskRecord>> unfinished() const;
  /// Blocks until closed and empty, or until the time. True: closed and empty.
  bool wait_until(std::chrono::steady_clock::time_point deadline) const;

  /// What the tasks of this scope and of all scopes below it came to.
  void add_to(ShutdownReport& report) const;

  const std::string name;
  const asio::any_io_executor executor;
  const CancellationToken token;
  const CancellationToken drained;  ///< cancelled when the scope is closed and empty
  const std::shared_ptr<ScopeTree> tree;
  const std::size_t depth;  ///< of the root scope: 0

 private:
  using Tasks = boost::intrusive::list<
      TaskRecord, boost::intrusive::member_hook<TaskRecord, boost::intrusive::list_member_hook<>,
                                                &TaskRecord::hook_>>;
  template <typename Scope, typename Visit>
  static void for_each_scope(Scope& top, Visit visit);
  void announce_drained() noexcept;

  const std::shared_ptr<ScopeState> parent_;
  const Errc refusal_;

  // All guarded by tree->mutex.
  boost::intrusive::list_member_hook<> sibling_hook_;
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
};

}  // namespace runtime_sharing::detail
