#pragma once

// How the tasks of a tree of scopes get their turns on the threads of a context.
//
// Asio's way is one post per step of a task: a lock that all threads share, and often a thread to
// wake. Here a task with a step to run stands in a queue of ours, by the thread that put it there,
// and one posted batch gives turns to many, its own thread's first: that thread has their memory at
// hand. The waiters that a cancelled token has woken get their turns in the same way.
//
// What keeps it honest: before a task gets the thread, a next batch is under way if anybody else
// waits for a turn. So a task that does not give the thread back delays nobody but itself, as long
// as the context has another thread. And after a batch others who use the context have their turn.

#include "runtime_sharing/adaptive_mutex.hpp"
#include "runtime_sharing/cancellation_waiter.hpp"

#include <boost/intrusive/list.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

namespace runtime_sharing::detail {

class CoroutineTask;
class TaskContext;

/// What a task in the queue for a turn is linked by.
using TurnHook = boost::intrusive::list_base_hook<>;

/// The tasks that wait for some token, by the thread that they began to wait on.
class TaskWaiters final : public WaiterGroup {
 public:
  explicit TaskWaiters(const std::shared_ptr<TaskContext>& context) : context_(context) {}
  void close() noexcept override;

 private:
  friend class TaskContext;
  void start_waking() override;

  const std::weak_ptr<TaskContext> context_;
};

class TaskContext : public std::enable_shared_from_this<TaskContext> {
 public:
  explicit TaskContext(asio::execution_context& context);
  TaskContext(const TaskContext&) = delete;
  TaskContext& operator=(const TaskContext&) = delete;
  virtual ~TaskContext();

  asio::execution_context& context() const noexcept { return context_; }

  /// The task has a step to run, and gets a turn. If the context has ended, it is closed instead.
  /// Thread-safe. Throws what the executor throws, and then the task is closed, too.
  void submit(CoroutineTask& task);
  /// Those who are woken get turns.
  void submit_batch();
  /// Where a task that runs on this thread waits.
  TaskWaiters& waiters_here() const noexcept { return *lines_[thread_number()]->waiters; }

 protected:
  class Batch {
   public:
    explicit Batch(std::shared_ptr<TaskContext> context) noexcept : context_(std::move(context)) {}
    void operator()() { context_->run_batch(); }

   private:
    std::shared_ptr<TaskContext> context_;
  };

  /// For `threads` that have a number. Called once, first thing.
  void begin(std::size_t threads);
  /// The context ends. Called at least once.
  virtual void end() noexcept;

 private:
  friend class TaskWaiters;

  /// Those who wait for a turn, by the thread that put them there.
  struct alignas(cache_line) Line {
    std::shared_ptr<TaskWaiters> waiters;

    AdaptiveMutex mutex;
    boost::intrusive::list<CoroutineTask, boost::intrusive::base_hook<TurnHook>> tasks;
    bool ended = false;  // guarded by mutex, as the tasks
    std::atomic<bool> has_tasks{false};
  };

  /// Hands it to a thread of the context, or drops it if the context has ended.
  virtual void post(Batch batch) = 0;
  /// From 1, for a thread that always runs the context; 0 for any other.
  virtual std::size_t thread_number() const noexcept { return 0; }
  /// One on an executor of somebody else's: it may look at each step, or order them.
  virtual int turns_per_batch() const noexcept { return 1; }

  void run_batch();
  bool give_turn_to_task(bool& must_go_on);
  bool give_turn_to_waiter(bool& must_go_on);
  bool see_to_next_batch();

  asio::execution_context& context_;
  std::vector<std::unique_ptr<Line>> lines_;  // by thread_number(); constant
  alignas(cache_line) std::atomic<bool> batch_is_posted_{false};
};

}  // namespace runtime_sharing::detail
