#include "runtime_core.hpp"

#include "runtime_sharing/detail/memory.hpp"
#include "runtime_sharing/detail/observed_turn.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <new>

namespace runtime_sharing::detail {

using namespace std::chrono_literals;

namespace {

thread_local const RuntimeCore* core_of_this_thread = nullptr;

}  // namespace

void RuntimeGate::was_handed_over_too_late() noexcept {
  if (has_warned_.exchange(true)) return;
  tree_.warn("something was posted after the shutdown, and destroyed instead of run");
}

void RuntimeTree::end() noexcept {
  gate.close();
  Turns::end();
}

/// Not on a thread of any runtime, which has others to run, nor where another shutdown has
/// deadlines.
bool RuntimeTree::may_wait_here() const noexcept {
  return core_of_this_thread == nullptr && !Ladder::one_is_climbed_here();
}

void RuntimeTree::warn(std::string_view message) const noexcept {
  const UserCode user_code;
  try {
    if (options_.on_warning) options_.on_warning(message);
  } catch (...) {  // a warning is not worth more than what goes on
  }
}

void RuntimeTree::post(Batch batch) noexcept {
  const ContextGate::Entry entry(gate);
  if (!entry) return;
  batch_memory_.release();
  asio::require(executor_, asio::execution::blocking.never,
                asio::execution::allocator(std::pmr::polymorphic_allocator<>(&batch_memory_)))
      .execute(std::move(batch));
}

RuntimeCore::RuntimeCore(Runtime::Options chosen)
    : options(std::move(chosen)),
      context(options.threads),
      tree(std::make_shared<RuntimeTree>(context.get_executor(), options)),
      root_state((tree->begin(), ScopeState::make("runtime '" + options.name + "', generation " +
                                                      std::to_string(options.generation),
                                                  CancellationToken(), tree, nullptr, ScopeLimits(),
                                                  Errc::runtime_shut_down))),
      root(root_state),
      ladder(*this),
      keep_running_(asio::make_work_guard(context)) {}

/// Nobody holds the runtime any more: what nobody tracked goes now.
RuntimeCore::~RuntimeCore() {
  tree->end();
  context.destroy_suspended();
}

void RuntimeCore::start_threads() {
  // It is made now: nobody adds a service while the context ends.
  HandlerQueue::of(context).belongs_to(weak_from_this());
  if (options.observer) options.observer->runtime_begins(options.generation);
  try {
    for (int i = 1; i <= options.threads; ++i) {
      const std::lock_guard lock(tree->mutex);
      Worker& own = workers_.emplace_back();
      own.left = true;  // until there is a thread
      own.thread =
          boost::thread([self = shared_from_this(), &own, number = static_cast<std::size_t>(i)] {
            self->work(own, number);
          });
      own.left = false;
      ++workers_in_context_;
    }
  } catch (...) {
    ladder.climb(Deadlines::immediate());
    throw;
  }
}

void RuntimeCore::call(const std::function<void()>& hook) noexcept {
  const UserCode user_code;
  if (hook) hook();
}

void RuntimeCore::work(Worker& own, std::size_t number) noexcept {
  core_of_this_thread = this;
  UserCode::watch(own.user_code);
  call(options.on_thread_start);
  {
    const ContextGate::Resident resident(tree->gate, number);
    run_handlers();
  }
  bool last = false;
  {
    const std::lock_guard lock(tree->mutex);
    last = --workers_in_context_ == 0;
    is_destroying_ = last;
  }
  if (last) destroy_suspended();
  call(options.on_thread_stop);
  core_of_this_thread = nullptr;
  const std::lock_guard lock(tree->mutex);
  own.left = true;
  tree->changed.notify_all();
}

/// By the last worker on its way out. When all tasks have ended, nothing that is left in the
/// context is ours: it stays there, under the hands of its owners, until the last of them lets go
/// of the runtime. Otherwise frames are destroyed: on a thread of the runtime, so that a destructor
/// which hangs is one of the things that a deadline bounds.
void RuntimeCore::destroy_suspended() noexcept {
  const UserCode user_code;
  if (root_state->is_drained()) {
    tree->gate.close();
  } else {
    tree->end();
    context.destroy_suspended();
  }
  const std::lock_guard lock(tree->mutex);
  is_destroying_ = false;
}

void RuntimeCore::run_handlers() noexcept {
  for (;;) {
    try {
      context.run();
      return;
    } catch (const std::exception& exception) {
      tree->warn_of("a handler posted to the executor threw: ", exception.what());
    } catch (...) {
      tree->warn("a handler posted to the executor threw something that is no std::exception");
    }
  }
}

// ---- Blocking calls

void RuntimeCore::BlockingTask::interrupt() noexcept {
  const std::lock_guard lock(scope->tree->mutex);
  interrupted = true;
  thread.interrupt();
}

void RuntimeCore::start_blocking(std::string task_name, std::shared_ptr<BlockingCall> call) {
  const boost::intrusive_ptr task(new BlockingTask(std::move(task_name), root_state));
  BlockingTasks entry{task};
  if (const auto refusal = root_state->admit(*task)) root_state->refuse(task->name, refusal);
  TaskGuard counted_in(task);
  // Not to be counted out under the lock.
  const auto guard = std::make_shared<TaskGuard>(std::move(counted_in));
  call->belongs_to(task);
  const std::lock_guard lock(tree->mutex);
  // A shutdown with a short deadline has come and gone since then.
  if (stopped_) root_state->refuse(task->name, Errc::runtime_shut_down);
  blocking_.splice(blocking_.begin(), entry);
  try {
    task->thread = boost::thread([self = shared_from_this(), its_entry = blocking_.begin(), guard,
                                  its_call = std::move(call)]() mutable {
      self->run_blocking(its_entry, guard, std::move(its_call));
    });
    if (task->interrupted) task->thread.interrupt();  // it came before there was a thread
  } catch (...) {
    blocking_.pop_front();
    throw;
  }
}

void RuntimeCore::run_blocking(BlockingTasks::iterator entry,
                               const std::shared_ptr<TaskGuard>& guard,
                               std::shared_ptr<BlockingCall> blocking) noexcept {
  core_of_this_thread = this;
  TaskRecord& task = **entry;
  std::optional<ObservedTurn> observed;
  {
    const boost::this_thread::disable_interruption not_yet;  // it is meant for the call
    call(options.on_thread_start);
    observed.emplace(task);
  }
  task.running = true;
  blocking->run();
  task.running = false;
  // An interruption that the call has ignored is not meant for what comes now.
  const boost::this_thread::disable_interruption not_any_more;
  guard->ended(blocking->untold_failure());
  observed.reset();
  blocking.reset();
  call(options.on_thread_stop);
  core_of_this_thread = nullptr;
  leave_thread(entry);
}

/// Each joins the one that left before: so there is never more than one to be joined.
void RuntimeCore::leave_thread(BlockingTasks::iterator entry) noexcept {
  boost::thread before;
  BlockingTasks own;
  {
    const std::lock_guard lock(tree->mutex);
    own.splice(own.begin(), blocking_, entry);
    if (stopped_) {
      (*entry)->thread.detach();
    } else {
      before = std::exchange(last_left_, std::move((*entry)->thread));
    }
    tree->changed.notify_all();
  }
  if (before.joinable()) before.join();
}

bool RuntimeCore::running_in_this_thread() const noexcept {
  return core_of_this_thread == this;
}

// ---- The end

ShutdownReport RuntimeCore::shutdown(Deadlines deadlines) {
  if (running_in_this_thread() || (ladder.is_climbed_here() && !ladder.is_done())) {
    throw boost::system::system_error(
        make_error_code(boost::system::errc::resource_deadlock_would_occur),
        "shutdown() would wait for its own thread, which belongs to " + root_state->name +
            "; use async_shutdown()");
  }
  if (core_of_this_thread != nullptr)
    tree->warn("shutdown() blocks a thread of another runtime: use async_shutdown()");
  return ladder.climb(deadlines);
}

/// There is no thread for the ladder: the context is stopped, its threads end and destroy the rest.
void RuntimeCore::stop_without_ladder(const char* reason) noexcept {
  tree->warn_of("it could only be stopped: ", reason);
  root_state->close();
  root_state->token.cancel();
  keep_running_.reset();
  context.stop();
  const std::lock_guard lock(tree->mutex);
  stopped_ = true;
  for (auto& own : workers_) own.thread.detach();
  for (const auto& task : blocking_) task->thread.interrupt();
}

void RuntimeCore::release() noexcept {
  if (!ladder.has_begun()) {
    tree->warn_of(root_state->name, " was dropped without shutdown(): shutting it down now");
    try {
      tree->may_wait_here() ? static_cast<void>(ladder.climb({})) : ladder.begin({});
    } catch (const std::exception& exception) {
      if (!ladder.has_begun()) stop_without_ladder(exception.what());
    }
  }
  // A thread's handle keeps what the thread ran alive, and so this core: none may stay in it.
  boost::thread climbing;
  boost::thread left;
  {
    const std::lock_guard lock(tree->mutex);
    climbing = std::move(ladder.thread);
    left = std::move(last_left_);
  }
  const bool may_join = ladder.is_done() && !ladder.is_climbed_here();
  if (climbing.joinable()) may_join ? climbing.join() : climbing.detach();
  if (left.joinable()) left.detach();
}

// ---- The last two rungs

void RuntimeCore::RuntimeLadder::climb_on(const ScopeState::Records& interrupted,
                                          ShutdownReport& report) noexcept {
  for (const auto& task : interrupted) {
    if (!task->ended) needs(*task, Rung::stop);
  }
  report.threads_abandoned = stop_threads();
  if (report.threads_abandoned > 0) reach(report.reached = Rung::abandon);
  bool hangs_in_destruction = false;
  {
    const std::lock_guard lock(scope_.tree->mutex);
    hangs_in_destruction = core_.is_destroying_;
  }
  for (const auto& task : interrupted) {
    // As long as a thread is in a task's code, nobody destroys what is suspended: it still will be.
    const bool comes_later = report.threads_abandoned > 0 && !hangs_in_destruction;
    const bool is_stuck = task->running || (!task->ended && !comes_later);
    if (task->needed == Rung::stop && is_stuck) needs(*task, Rung::abandon);
  }
  once_there_is_memory([&] { report.runtime = core_.options.name; });
  report.generation = core_.options.generation;
}

/// Stops the context, joins the threads that come back and detaches those that do not. They co-own
/// the core: when one returns after all, it finds everything that it may touch.
std::size_t RuntimeCore::RuntimeLadder::stop_threads() noexcept {
  std::size_t abandoned = 0;
  core_.keep_running_.reset();
  core_.context.stop();
  boost::thread last_left;
  {
    std::unique_lock lock(scope_.tree->mutex);
    const auto all_have_left = [this] {
      return core_.blocking_.empty() && std::ranges::all_of(core_.workers_, &Worker::left);
    };
    wait_until(lock, schedule_.stop, all_have_left);
    // A thread that is not in code of the user's will come back, and one that destroys frames as
    // long as there are fewer and fewer of them. Before the first, Asio collects them all.
    const auto on_its_way = [](const Worker& own) { return !own.left && own.user_code == 0; };
    auto last_change = Clock::now();
    for (std::size_t frames = size(lock); !all_have_left();) {
      const auto now = Clock::now();
      const auto frames_before = std::exchange(frames, size(lock));
      if (frames != frames_before) last_change = now;
      const bool soon = std::ranges::any_of(core_.workers_, on_its_way);
      Clock::duration patience = soon ? 5s : 50ms;
      if (!soon && core_.is_destroying_) patience = 1s + static_cast<Clock::rep>(frames) * 100us;
      if (now - last_change > patience) break;
      wait_until(lock, now + 10ms, all_have_left);
    }
    for (auto& own : core_.workers_) {
      if (own.left) continue;
      ++abandoned;
      own.thread.detach();
    }
    for (const auto& task : core_.blocking_) {
      ++abandoned;
      task->thread.detach();
    }
    core_.stopped_ = true;
    last_left = std::move(core_.last_left_);
  }
  for (auto& own : core_.workers_) {
    if (own.thread.joinable()) own.thread.join();
  }
  if (last_left.joinable()) last_left.join();
  return abandoned;
}

std::size_t RuntimeCore::RuntimeLadder::size(std::unique_lock<AdaptiveMutex>& lock) const noexcept {
  lock.unlock();
  const std::size_t tasks = scope_.size();
  lock.lock();
  return tasks;
}

}  // namespace runtime_sharing::detail
