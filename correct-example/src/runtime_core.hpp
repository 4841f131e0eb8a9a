#pragma once

#include "runtime_sharing/runtime.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/thread/thread.hpp>

#include "ladder.hpp"
#include <cstddef>
#include <list>
#include <memory>
#include <memory_resource>
#include <optional>

namespace runtime_sharing::detail {

/// The tasks' way into the context of a runtime: through its gate, and without an allocation.
class RuntimeTree final : public ScopeTree {
 public:
  RuntimeTree(asio::io_context::executor_type executor, const Runtime::Options& options)
      : ScopeTree(executor.context()), options_(options), executor_(executor), gate(*this) {
    observer = options_.observer.get();
  }

  void begin() { Turns::begin(static_cast<std::size_t>(options_.threads)); }
  /// Nobody comes in any more.
  void end() noexcept;

  std::size_t thread_number() const noexcept override { return gate.resident_here(); }
  bool may_wait_here() const noexcept override;
  void warn(std::string_view message) const noexcept override;

 private:
  void post(Batch batch) noexcept override;
  int turns_per_batch() const noexcept override { return 64; }

  const Runtime::Options options_;
  const asio::io_context::executor_type executor_;
  alignas(std::max_align_t) std::byte bytes_[128];  // of the batch: one is posted at a time
  std::pmr::monotonic_buffer_resource batch_memory_{bytes_, sizeof bytes_};

 public:
  alignas(cache_line) RuntimeGate gate;
};

/// Outlives its Runtime where it must: every thread of the runtime co-owns it, so the last owner of
/// a Runtime may let go anywhere, and a thread that is left behind keeps all that it may touch.
class RuntimeCore : public std::enable_shared_from_this<RuntimeCore> {
 public:
  explicit RuntimeCore(Runtime::Options chosen);
  RuntimeCore(const RuntimeCore&) = delete;
  RuntimeCore& operator=(const RuntimeCore&) = delete;
  ~RuntimeCore();

  void start_threads();
  /// Throws what a refused spawn throws, and boost::thread_resource_error.
  void start_blocking(std::string task_name, std::shared_ptr<BlockingCall> call);

  ShutdownReport shutdown(Deadlines deadlines);
  bool running_in_this_thread() const noexcept;
  Runtime::executor_type executor() noexcept { return {context.get_executor(), {&tree->gate}}; }
  /// What ~Runtime does: nothing, if somebody has shut the runtime down.
  void release() noexcept;

 private:
  /// shutdown() of an execution context destroys what is suspended in it and leaves the memory
  /// valid for those who still hold I/O objects. The destructor does the rest, much later.
  class Context : public asio::io_context {
   public:
    using io_context::io_context;
    void destroy_suspended() { shutdown(); }
  };

  class RuntimeLadder final : public Ladder {
   public:
    explicit RuntimeLadder(RuntimeCore& core) : Ladder(*core.root_state), core_(core) {}

    boost::thread thread;  // guarded by the mutex of the tree

   private:
    void climb_on(const ScopeState::Records& interrupted, ShutdownReport& report) noexcept override;
    std::size_t stop_threads() noexcept;
    std::size_t size(std::unique_lock<AdaptiveMutex>& lock) const noexcept;
    std::shared_ptr<void> keep_alive() override { return core_.shared_from_this(); }
    void stands_on(boost::thread started) noexcept override { thread = std::move(started); }

    RuntimeCore& core_;
  };

  struct Worker {
    boost::thread thread;
    std::atomic<int> user_code{0};  // it is inside code of the user's
    bool left = false;              // past everything of ours: joining it does not block
  };

  /// A blocking call: interrupted by Boost.Thread.
  class BlockingTask final : public TaskRecord {
   public:
    using TaskRecord::TaskRecord;
    void interrupt() noexcept override;

    boost::thread thread;  // guarded by the mutex of the scope's tree
  };
  using BlockingTasks = std::list<boost::intrusive_ptr<BlockingTask>>;

  void work(Worker& own, std::size_t number) noexcept;
  void run_handlers() noexcept;
  static void call(const std::function<void()>& hook) noexcept;
  void stop_without_ladder(const char* reason) noexcept;
  void destroy_suspended() noexcept;
  void run_blocking(BlockingTasks::iterator entry, const std::shared_ptr<TaskGuard>& guard,
                    std::shared_ptr<BlockingCall> blocking) noexcept;
  void leave_thread(BlockingTasks::iterator entry) noexcept;

 public:
  const Runtime::Options options;
  Context context;
  const std::shared_ptr<RuntimeTree> tree;
  const boost::intrusive_ptr<ScopeState> root_state;
  TaskScope root;
  RuntimeLadder ladder;

 private:
  asio::executor_work_guard<asio::io_context::executor_type> keep_running_;

  // All guarded by tree->mutex; changes are announced by tree->changed.
  std::list<Worker> workers_;
  int workers_in_context_ = 0;
  bool is_destroying_ = false;  // what is suspended, on a thread that leaves
  bool stopped_ = false;        // no thread begins any more, and nobody joins one
  BlockingTasks blocking_;
  boost::thread last_left_;  // of the blocking calls that have ended, the last one
};

}  // namespace runtime_sharing::detail
