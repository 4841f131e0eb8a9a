// Scopes on an executor of somebody else's.

#include "runtime_sharing/detail/memory.hpp"
#include "runtime_sharing/detail/scope_state.hpp"

#include <boost/asio/execution.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>

#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace runtime_sharing::detail {

namespace {

class ExecutorTree;

/// Tells the trees of a context when that ends.
class EndService final : public asio::execution_context::service {
 public:
  using key_type = EndService;
  static inline asio::execution_context::id id;

  using Hook = boost::intrusive::list_base_hook<>;
  struct Listeners {
    std::mutex mutex;
    boost::intrusive::list<ExecutorTree, boost::intrusive::base_hook<Hook>> trees;
  };

  explicit EndService(asio::execution_context& context) : service(context) {}
  /// A service that is made while its context ends is not shut down otherwise.
  ~EndService() override { EndService::shutdown(); }

  const std::shared_ptr<Listeners> listeners = std::make_shared<Listeners>();

 private:
  void shutdown() override;
};

class ExecutorTree final : public ScopeTree, public EndService::Hook {
 public:
  explicit ExecutorTree(const asio::any_io_executor& executor)
      : ScopeTree(asio::query(executor, asio::execution::context)),
        executor_(asio::require(executor, asio::execution::blocking.never)),
        listeners_(asio::use_service<EndService>(context()).listeners) {}
  /// As long as it is in the list the context does not end, unless here: an executor may own it.
  ~ExecutorTree() override {
    {
      const std::lock_guard lock(listeners_->mutex);
      destroyed_on_ = std::this_thread::get_id();
    }
    asio::any_io_executor().swap(executor_);
    asio::any_io_executor().swap(work_);
    const std::lock_guard lock(listeners_->mutex);
    if (is_linked()) listeners_->trees.erase(listeners_->trees.iterator_to(*this));
  }
  /// Called with the mutex of the listeners.
  bool is_destroyed_here() const noexcept { return destroyed_on_ == std::this_thread::get_id(); }

  void begin() {
    Turns::begin(0);
    const std::lock_guard lock(listeners_->mutex);
    listeners_->trees.push_back(*this);
  }

  void context_ends() noexcept {
    gate_.close();
    end();
    // A strand's executor must not outlive the strand's context.
    asio::any_io_executor().swap(executor_);
    const std::lock_guard lock(work_mutex_);
    asio::any_io_executor().swap(work_);
  }

 private:
  void post(Batch batch) noexcept override {
    const ContextGate::Entry entry(gate_);
    if (!entry) return;
    try {
      once_there_is_memory([&] { executor_.execute(Batch(batch)); });
    } catch (...) {
      end();  // an executor that refuses is like one that has ended
    }
  }

  // A task that is not suspended in an operation keeps its context running, too.
  bool task_begins() override {
    const ContextGate::Entry entry(gate_);
    if (!entry) return false;
    const std::lock_guard lock(work_mutex_);
    if (tasks_ == 0) work_ = asio::prefer(executor_, asio::execution::outstanding_work.tracked);
    ++tasks_;
    return true;
  }
  void task_ended() noexcept override {
    const ContextGate::Entry entry(gate_);  // the context does not end under the work
    asio::any_io_executor work;
    const std::lock_guard lock(work_mutex_);
    if (--tasks_ == 0 && entry) work.swap(work_);
  }

  ContextGate gate_;
  asio::any_io_executor executor_;  // used inside the gate
  const std::shared_ptr<EndService::Listeners> listeners_;
  std::thread::id destroyed_on_;  // guarded by the mutex of the listeners
  std::mutex work_mutex_;
  std::size_t tasks_ = 0;       // guarded by work_mutex_, like the next one
  asio::any_io_executor work_;  // while there are tasks
};

void EndService::shutdown() {
  for (;;) {
    std::shared_ptr<Turns> tree;
    {
      const std::lock_guard lock(listeners->mutex);
      if (listeners->trees.empty()) return;
      ExecutorTree& first = listeners->trees.front();
      tree = first.weak_from_this().lock();
      if (tree || first.is_destroyed_here()) listeners->trees.pop_front();
    }
    // Otherwise its destructor is under way elsewhere, takes it out, and still needs the context.
    tree ? static_cast<ExecutorTree&>(*tree).context_ends() : std::this_thread::yield();
  }
}

}  // namespace

std::shared_ptr<ScopeTree> ScopeTree::on(const asio::any_io_executor& executor) {
  auto tree = std::make_shared<ExecutorTree>(executor);
  tree->begin();
  return tree;
}

}  // namespace runtime_sharing::detail
