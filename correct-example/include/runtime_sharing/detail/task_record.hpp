#pragma once

#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/shutdown_report.hpp"

#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace runtime_sharing::detail {

class ScopeState;
void intrusive_ptr_add_ref(const ScopeState* scope) noexcept;
void intrusive_ptr_release(const ScopeState* scope) noexcept;

/// One tracked task, from spawn() until its frame is gone.
class TaskRecord : public boost::intrusive_ref_counter<TaskRecord> {
 public:
  TaskRecord(std::string task_name, boost::intrusive_ptr<ScopeState> owner)
      : name(std::move(task_name)), scope(std::move(owner)) {}
  TaskRecord(const TaskRecord&) = delete;
  TaskRecord& operator=(const TaskRecord&) = delete;
  virtual ~TaskRecord() = default;

  /// Ends what the task is suspended in. Thread-safe; what it does, it does where the task runs.
  virtual void interrupt() noexcept = 0;
  /// Destroys what only the coroutine needed: the function that it was made by.
  virtual void coroutine_is_gone() noexcept {}

  const std::string name;
  const boost::intrusive_ptr<ScopeState> scope;

  /// A thread is inside the task's code at this moment.
  std::atomic<bool> running{false};
  /// The task was interrupted: what leaves it afterwards as a cancellation is no failure.
  std::atomic<bool> interrupted{false};
  /// The frame was destroyed instead of finishing. Set before the task counts as ended.
  std::atomic<bool> destroyed{false};
  /// Counted out of its scope.
  std::atomic<bool> ended{false};
  /// What it needed to end, if it was interrupted by a shutdown. Of the last ladder that had to do
  /// with it.
  std::atomic<Rung> needed{Rung::interrupt};

  /// Cancelled when the task has ended. Thread-safe. Throws std::bad_alloc.
  CancellationToken end();
  /// What left the task, once it has ended: nothing, its exception, or `operation_aborted` for a
  /// task that was destroyed. Thread-safe.
  std::exception_ptr error() const;

 private:
  friend class ScopeState;

  std::uint32_t shard_ = 0;  // of its scope; constant once the task is in
  // Guarded by the mutex of the shard.
  boost::intrusive::list_member_hook<> hook_;  // linked until the task has ended
  std::optional<CancellationToken> end_;       // made for the first one who asks
  std::exception_ptr error_;

 public:
  using List = boost::intrusive::list<
      TaskRecord,
      boost::intrusive::member_hook<TaskRecord, boost::intrusive::list_member_hook<>,
                                    &TaskRecord::hook_>,
      boost::intrusive::constant_time_size<false>>;
};

/// Counts the task as ended when the coroutine is gone, whichever way it went: finished, failed, or
/// destroyed while suspended.
class TaskGuard {
 public:
  explicit TaskGuard(boost::intrusive_ptr<TaskRecord> record) noexcept
      : record_(std::move(record)) {}
  TaskGuard(TaskGuard&&) noexcept = default;
  TaskGuard& operator=(TaskGuard&&) = delete;
  ~TaskGuard();

  /// `error`: the exception that left the task, if one did.
  void ended(const std::exception_ptr& error) noexcept;
  /// Nothing was told yet.
  explicit operator bool() const noexcept { return record_ != nullptr; }
  /// The task never began, and does not count.
  void forget() noexcept;

 private:
  boost::intrusive_ptr<TaskRecord> record_;  // empty once counted
};

}  // namespace runtime_sharing::detail
