#include "runtime_core.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <new>
#include <stdexcept>

namespace runtime_sharing::detail {
namespace {

thread_local const RuntimeCore* core_of_this_thread = nullptr;

}  // namespace

RuntimeCore::RuntimeCore(Runtime::Options chosen)
    : options(std::move(chosen)),
      context(options.threads),
      tree(std::make_shared<RuntimeTree>(context.get_executor(), options)),
      root_state(std::make_shared<ScopeState>(
          "runtime '" + options.name + "', generation " + std::to_string(options.generation), token,
          tree, nullptr, ScopeLimits(), Errc::runtime_shut_down)),
      root(root_state),
      keep_running_(asio::make_work_guard(context)) {
  tree->begin();
}

void RuntimeCore::start_threads() {
  {
    const std::lock_guard lock(tree->mutex);
    phase_ = Phase::running;
  }
  try {
    for (int i = 0; i < options.threads; ++i) {
      const std::lock_guard lock(tree->mutex);
      OwnedThread& own = workers_.emplace_back();
      own.left = true;  // until there is a thread
      own.number = workers_.size();
      own.thread = boost::thread([self = shared_from_this(), &own] { self->work(own); });
      own.left = false;
      ++workers_in_context_;
    }
  } catch (...) {
    shutdown(Deadlines::immediate());
    throw;
  }
}

void RuntimeCore::work(OwnedThread& own) noexcept {
  core_of_this_thread = this;
  if (options.on_thread_start) options.on_thread_start();
  run_handlers(own);
  bool last = false;
  {
    const std::lock_guard lock(tree->mutex);
    last = --workers_in_context_ == 0;
  }
  if (last) destroy_suspended();
  if (options.on_thread_stop) options.on_thread_stop();
  core_of_this_thread = nullptr;
  const std::lock_guard lock(tree->mutex);
  own.left = true;
  tree->changed.notify_all();
}

/// By the last worker on its way out: frames are destroyed on a thread of the runtime, so that a
/// destructor which hangs is one of the things that a deadline bounds.
void RuntimeCore::destroy_suspended() noexcept {
  tree->gate.close();
  context.destroy_suspended();
}

void RuntimeCore::run_handlers(const OwnedThread& own) noexcept {
  const ContextGate::Resident resident(tree->gate, own.number);
  for (;;) {
    try {
      context.run();
      return;
    } catch (const std::exception& exception) {
      warn(std::string("a handler posted to the executor threw: ") + exception.what());
    } catch (...) {
      warn("a handler posted to the executor threw something that is no std::exception");
    }
  }
}

void RuntimeCore::BlockingTask::interrupt() {
  interrupted = true;
  const std::lock_guard lock(scope->tree->mutex);
  owned.thread.interrupt();
}

void RuntimeCore::start_blocking(std::string task_name, std::function<void()> call) {
  join_those_who_left();
  const boost::intrusive_ptr task(new BlockingTask(std::move(task_name), root_state));
  if (const auto refusal = root_state->admit(*task)) root_state->refuse(task->name, refusal);
  TaskGuard guard(task);
  std::list<boost::intrusive_ptr<BlockingTask>> entry{task};
  {
    const std::lock_guard lock(tree->mutex);
    blocking_.splice(blocking_.end(), entry);
  }
  boost::thread thread;
  try {
    thread = boost::thread([self = shared_from_this(), task, guard = std::move(guard),
                            call = std::move(call)]() mutable {
      self->run_blocking(*task, std::move(guard), std::move(call));
    });
  } catch (...) {
    const std::lock_guard lock(tree->mutex);
    blocking_.remove(task);
    throw;
  }
  std::unique_lock lock(tree->mutex);
  if (task->owned.left) {
    lock.unlock();
    thread.join();
  } else {
    task->owned.thread = std::move(thread);
    if (task->interrupted) task->owned.thread.interrupt();
  }
}

void RuntimeCore::run_blocking(BlockingTask& task, TaskGuard guard,
                               std::function<void()> call) noexcept {
  core_of_this_thread = this;
  if (options.on_thread_start) options.on_thread_start();
  {
    TaskGuard counted_last = std::move(guard);
    {
      const std::function<void()> own_call = std::move(call);
      task.running = true;
      own_call();
      task.running = false;
    }
    counted_last.ended({});
  }
  if (options.on_thread_stop) options.on_thread_stop();
  core_of_this_thread = nullptr;
  const std::lock_guard lock(tree->mutex);
  task.owned.left = true;
  tree->changed.notify_all();
}

void RuntimeCore::join_those_who_left() {
  std::list<boost::intrusive_ptr<BlockingTask>> left;
  {
    const std::lock_guard lock(tree->mutex);
    for (auto it = blocking_.begin(); it != blocking_.end();) {
      const auto task = it++;
      if ((*task)->owned.left) left.splice(left.end(), blocking_, task);
    }
  }
  for (const auto& task : left) {
    if (task->owned.thread.joinable()) task->owned.thread.join();
  }
}

bool RuntimeCore::running_in_this_thread() const noexcept {
  return core_of_this_thread == this;
}

void RuntimeCore::warn(std::string_view message) const noexcept {
  tree->warn(message);
}

bool RuntimeCore::is_shutting_down() const {
  const std::lock_guard lock(tree->mutex);
  return phase_ != Phase::running;
}

bool RuntimeCore::has_shut_down() const {
  const std::lock_guard lock(tree->mutex);
  return phase_ == Phase::shut_down;
}

ShutdownReport RuntimeCore::report() const {
  const std::lock_guard lock(tree->mutex);
  return report_;
}

void RuntimeCore::release() noexcept {
  if (!is_shutting_down()) {
    warn(root_state->name + " was dropped without shutdown(): shutting it down now");
    try {
      running_in_this_thread() ? begin_shutdown({}) : static_cast<void>(shutdown({}));
    } catch (const std::exception& exception) {
      // No thread for the ladder: the context is stopped, its threads end and destroy the rest.
      warn(std::string("it could only be stopped: ") + exception.what());
      keep_running_.reset();
      context.stop();
      const std::lock_guard lock(tree->mutex);
      for (auto& own : workers_) own.thread.detach();
    }
  }
  // A thread's handle keeps what the thread ran alive, and so this core: none may stay in it.
  boost::thread ladder;
  bool ladder_is_done = false;
  {
    const std::lock_guard lock(tree->mutex);
    ladder = std::move(ladder_);
    ladder_is_done = phase_ == Phase::shut_down;
  }
  if (ladder.joinable()) ladder_is_done ? ladder.join() : ladder.detach();
}

// Runtime's own functions hide nothing: all of it is here, in the core.

void start_blocking(const std::shared_ptr<RuntimeCore>& core, std::string task_name,
                    std::function<void()> call) {
  core->start_blocking(std::move(task_name), std::move(call));
}

error_code begin_shutdown(const std::shared_ptr<RuntimeCore>& core, Deadlines deadlines) {
  try {
    core->begin_shutdown(deadlines);
    return {};
  } catch (const boost::system::system_error& error) {
    return error.code();
  } catch (const std::bad_alloc&) {
    return make_error_code(boost::system::errc::not_enough_memory);
  }
}

const CancellationToken& shutdown_done(const RuntimeCore& core) noexcept {
  return core.done;
}

ShutdownReport report_of(const RuntimeCore& core) {
  return core.report();
}

}  // namespace runtime_sharing::detail
