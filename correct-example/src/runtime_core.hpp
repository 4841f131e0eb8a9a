#pragma once

#include "runtime_sharing/runtime.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/thread/thread.hpp>

#include <functional>
#include <list>

namespace runtime_sharing::detail {

/// The tasks' way into the context of a runtime: through its gate, and without an allocation.
class RuntimeTree final : public ScopeTree {
 public:
  RuntimeTree(asio::io_context::executor_type executor, const Runtime::Options& options)
      : ScopeTree(executor.context()), options_(options), executor_(executor) {}

  void begin() { ScopeTree::begin(static_cast<std::size_t>(options_.threads)); }

  bool may_wait_here() const noexcept override { return thread_number() == 0; }
  void warn(std::string_view message) const noexcept override {
    if (options_.on_warning) options_.on_warning(message);
  }

  alignas(cache_line) ContextGate gate;

 private:
  void post(Batch batch) override {
    const ContextGate::Entry entry(gate);
    if (!entry) return;
    asio::require(executor_, asio::execution::blocking.never,
                  asio::execution::allocator(batch_memory_.allocator()))
        .execute(std::move(batch));
  }
  std::size_t thread_number() const noexcept override { return gate.resident_here(); }
  int turns_per_batch() const noexcept override { return 64; }

  const Runtime::Options options_;
  const asio::io_context::executor_type executor_;
  EmbeddedMemory<96> batch_memory_;  // one is posted at a time
};

/// Outlives its Runtime where it must: every thread of the runtime co-owns it, so the last owner of
/// a Runtime may let go anywhere, and a thread that is left behind keeps all that it may touch.
class RuntimeCore : public std::enable_shared_from_this<RuntimeCore> {
 public:
  explicit RuntimeCore(Runtime::Options chosen);
  RuntimeCore(const RuntimeCore&) = delete;
  RuntimeCore& operator=(const RuntimeCore&) = delete;

  void start_threads();
  void start_blocking(std::string task_name, std::function<void()> call);

  /// The first caller climbs the ladder, later ones wait for its report.
  ShutdownReport shutdown(Deadlines deadlines);
  /// The same on a thread of its own.
  void begin_shutdown(Deadlines deadlines);
  bool is_shutting_down() const;
  bool has_shut_down() const;
  ShutdownReport report() const;
  bool running_in_this_thread() const noexcept;
  Runtime::executor_type executor() noexcept { return {context.get_executor(), {&tree->gate}}; }
  /// What ~Runtime does: nothing, if somebody has shut the runtime down.
  void release() noexcept;

  const Runtime::Options options;
  const CancellationToken done;  ///< cancelled when the report is there
  const CancellationToken token;

 private:
  using Clock = std::chrono::steady_clock;
  using Records = std::vector<boost::intrusive_ptr<TaskRecord>>;

  /// shutdown() of an execution context destroys what is suspended in it and leaves the memory
  /// valid for those who still hold I/O objects. The destructor does the rest, much later.
  class Context : public asio::io_context {
   public:
    using io_context::io_context;
    void destroy_suspended() { shutdown(); }
  };

  struct OwnedThread {
    boost::thread thread;
    std::size_t number = 0;  // of a worker, from 1
    bool left = false;       // past everything of ours: joining it does not block
  };

  /// A blocking call: interrupted by Boost.Thread.
  class BlockingTask final : public TaskRecord {
   public:
    using TaskRecord::TaskRecord;
    void interrupt() override;

    OwnedThread owned;  // guarded by the mutex of the scope's tree
  };

  enum class Phase { running, shutting_down, shut_down };

  /// When the ladder leaves a rung for the next.
  struct Schedule {
    Clock::time_point wait, interrupt, stop;
  };

  void work(OwnedThread& own) noexcept;
  void run_handlers(const OwnedThread& own) noexcept;
  void destroy_suspended() noexcept;
  void run_blocking(BlockingTask& task, TaskGuard guard, std::function<void()> call) noexcept;
  void join_those_who_left();
  void warn(std::string_view message) const noexcept;

  // The ladder, on the thread of whoever climbs.
  static Schedule begin_schedule(Deadlines deadlines);
  void shorten_schedule(Deadlines deadlines);
  void climb();
  void climb_or_step_back();
  void climb_on_own_thread() noexcept;
  void wait_for_tasks();
  Records interrupt_deaf_tasks();
  void wait_for_ends(std::unique_lock<AdaptiveMutex>& lock, std::size_t depth,
                     Clock::rep steps_left);
  std::size_t stop_threads();
  ShutdownReport write_report(const Records& interrupted, const Records& unstoppable,
                              std::size_t abandoned) const;
  template <typename Limit, typename Condition>
  void wait_until(std::unique_lock<AdaptiveMutex>& lock, Limit limit, Condition condition);

 public:
  Context context;
  const std::shared_ptr<RuntimeTree> tree;
  const std::shared_ptr<ScopeState> root_state;
  TaskScope root;

 private:
  asio::executor_work_guard<asio::io_context::executor_type> keep_running_;

  // All guarded by tree->mutex; changes are announced by tree->changed.
  Phase phase_ = Phase::shut_down;  // until the threads are started
  Schedule schedule_{};
  std::list<OwnedThread> workers_;
  int workers_in_context_ = 0;
  std::list<boost::intrusive_ptr<BlockingTask>> blocking_;
  boost::thread ladder_;
  ShutdownReport report_;
};

}  // namespace runtime_sharing::detail
