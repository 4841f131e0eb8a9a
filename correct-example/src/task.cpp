// Explored in every order of its steps: serial_queue.pml.

#include "runtime_sharing/detail/task.hpp"

#include "runtime_sharing/detail/observed_turn.hpp"
#include "runtime_sharing/detail/user_code.hpp"

namespace runtime_sharing::detail {

/// Marks the task as the one of this thread, and as running: that is how a shutdown knows whom a
/// thread that does not return belongs to.
class CoroutineTask::Turn {
 public:
  explicit Turn(CoroutineTask& task) noexcept : task_(task), before_(CurrentTask::enter(&task)) {
    task_.running = true;
  }
  ~Turn() {
    task_.running = false;
    CurrentTask::enter(before_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  CoroutineTask& task_;
  CurrentTask* const before_;
  const UserCode user_code_;
};

void CoroutineTask::push(Step& step) noexcept {
  if (!queue_.push(step)) return;
  intrusive_ptr_add_ref(this);  // of the line
  scope->tree->submit(*this);
}

bool CoroutineTask::deliver() {
  const boost::intrusive_ptr self(this, false);
  run_steps();
  return true;
}

void CoroutineTask::drop() noexcept {
  const boost::intrusive_ptr self(this, false);
  const Turn turn(*this);
  queue_.close();
}

void CoroutineTask::go_on_with(Step& step) {
  queue_.begin_with(step) ? run_steps() : push(step);
}

void CoroutineTask::run_steps() {
  /// Also after an exception, out of a handler that somebody has posted.
  struct ThenRest {
    ~ThenRest() {
      if (task.queue_.rest()) return;
      intrusive_ptr_add_ref(&task);
      task.scope->tree->submit(task);
    }
    CoroutineTask& task;
  };
  const ThenRest then_rest{*this};
  const Turn turn(*this);
  const ObservedTurn observed(*this);
  queue_.run();
}

void CoroutineTask::start() noexcept {
  intrusive_ptr_add_ref(this);
  push(static_cast<Beginning&>(*this));
}

void Beginning::run() {
  auto& task = static_cast<CoroutineTask&>(*this);
  TaskGuard guard(boost::intrusive_ptr<TaskRecord>(&task, false));
  // The strand runs an interruption either before this, and then nothing has begun that could be
  // cancelled, or after it, and then there is a coroutine that it reaches.
  if (task.interrupted) return;
  try {
    task.begin(task.make_coroutine(), guard);
  } catch (...) {
    // An operation that throws as it is begun leaves its coroutine where it is suspended, and comes
    // out here as it comes out of any later step: at whoever runs the context.
    if (!guard) throw;
    guard.ended(std::current_exception());
  }
}

void Beginning::discard() noexcept {
  const TaskGuard never_begun(
      boost::intrusive_ptr<TaskRecord>(static_cast<CoroutineTask*>(this), false));
}

void CoroutineTask::coroutine_is_gone() noexcept {
  signal_.slot().clear();  // what a destroyed frame left there may hold this task
}

bool CoroutineTask::is_behind(const asio::any_io_executor& executor) const noexcept {
  const auto* const found = executor.target<TaskExecutor>();
  return found != nullptr && &found->task() == this;
}

void CoroutineTask::interrupt() noexcept {
  if (is_under_way_.exchange(true)) return;
  intrusive_ptr_add_ref(this);
  push(static_cast<Interruption&>(*this));
}

void Interruption::run() {
  auto& task = static_cast<CoroutineTask&>(*this);
  const boost::intrusive_ptr self(&task, false);
  is_under_way_ = false;
  task.interrupted = true;
  task.signal_.emit(asio::cancellation_type::terminal);
}

void Interruption::discard() noexcept {
  const boost::intrusive_ptr self(static_cast<CoroutineTask*>(this), false);
}

}  // namespace runtime_sharing::detail
