#include "runtime_sharing/task_context.hpp"

#include "runtime_sharing/task_executor.hpp"

#include <new>

namespace runtime_sharing::detail {

void TaskWaiters::close() noexcept {
  WaiterGroup::close();
  if (const auto context = context_.lock()) context->end();
}

void TaskWaiters::start_waking() {
  if (const auto context = context_.lock()) context->submit_batch();
}

TaskContext::TaskContext(asio::execution_context& context) : context_(context) {}

TaskContext::~TaskContext() = default;

void TaskContext::begin(std::size_t threads) {
  for (std::size_t i = 0; i <= threads; ++i) {
    lines_.push_back(std::make_unique<Line>());
    lines_.back()->waiters = std::make_shared<TaskWaiters>(shared_from_this());
    lines_.back()->waiters->close_with(context_);
  }
}

void TaskContext::end() noexcept {
  for (const auto& line : lines_) {
    for (;;) {
      boost::intrusive_ptr<CoroutineTask> task;
      {
        const std::lock_guard lock(line->mutex);
        line->ended = true;
        if (line->tasks.empty()) break;
        task.reset(&line->tasks.front(), false);
        line->tasks.pop_front();
      }
      task->close();
    }
  }
}

void TaskContext::submit(CoroutineTask& task) {
  const boost::intrusive_ptr<CoroutineTask> reference(&task);
  Line& line = *lines_[thread_number()];
  bool ended = false;
  {
    const std::lock_guard lock(line.mutex);
    ended = line.ended;
    if (!ended) {
      line.tasks.push_back(task);
      intrusive_ptr_add_ref(&task);
      if (!line.has_tasks) line.has_tasks = true;
    }
  }
  if (ended) return task.close();
  try {
    submit_batch();
  } catch (...) {
    {
      const std::lock_guard lock(line.mutex);
      if (!task.TurnHook::is_linked()) return;  // somebody gives it its turn
      line.tasks.erase(line.tasks.iterator_to(task));
    }
    intrusive_ptr_release(&task);
    task.close();
    throw;
  }
}

void TaskContext::submit_batch() {
  // The look saves most of the exchanges. A batch that is about to run takes the mark away before
  // it looks for tasks, and a task is in line before its mark is looked for: one of the two is
  // seen.
  if (batch_is_posted_ || batch_is_posted_.exchange(true)) return;
  try {
    post(Batch(shared_from_this()));
  } catch (...) {
    batch_is_posted_ = false;
    throw;
  }
}

void TaskContext::run_batch() {
  batch_is_posted_ = false;
  bool must_go_on = false;  // there is somebody who waits, and no next batch
  for (int turn = 0; turn < turns_per_batch() || must_go_on; ++turn) {
    const bool task_first = turn % 2 == 0;
    const bool somebody_had_a_turn =
        task_first ? give_turn_to_task(must_go_on) || give_turn_to_waiter(must_go_on)
                   : give_turn_to_waiter(must_go_on) || give_turn_to_task(must_go_on);
    if (!somebody_had_a_turn) return;
  }
}

bool TaskContext::give_turn_to_task(bool& must_go_on) {
  const auto here = thread_number();
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    Line& line = *lines_[(here + i) % lines_.size()];
    if (!line.has_tasks) continue;
    boost::intrusive_ptr<CoroutineTask> task;
    {
      const std::lock_guard lock(line.mutex);
      if (line.tasks.empty()) continue;
      task.reset(&line.tasks.front(), false);
      line.tasks.pop_front();
      if (line.tasks.empty()) line.has_tasks = false;
    }
    must_go_on = !see_to_next_batch();
    task->run_steps();
    return true;
  }
  return false;
}

bool TaskContext::give_turn_to_waiter(bool& must_go_on) {
  const auto here = thread_number();
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    TaskWaiters& waiters = *lines_[(here + i) % lines_.size()]->waiters;
    if (!waiters.has_woken()) continue;
    CancellationWaiter* const waiter = waiters.take_woken();
    if (waiter == nullptr) continue;
    must_go_on = !see_to_next_batch();
    const boost::intrusive_ptr<CoroutineTask> task(waiter->task());
    task->run_or_push(*waiter);
    return true;
  }
  return false;
}

/// False: somebody waits, and no batch could be posted.
bool TaskContext::see_to_next_batch() {
  for (const auto& line : lines_) {
    if (!line->has_tasks && !line->waiters->has_woken()) continue;
    try {
      submit_batch();
    } catch (const std::bad_alloc&) {
      return false;
    }
    break;
  }
  return true;
}

}  // namespace runtime_sharing::detail
