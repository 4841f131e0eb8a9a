// Explored in every order of its steps: ladder.pml.

#include "ladder.hpp"

#include "runtime_sharing/detail/memory.hpp"
#include "runtime_sharing/detail/task.hpp"
#include "runtime_sharing/task_scope.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <new>
#include <thread>
#include <utility>

namespace runtime_sharing::detail {
namespace {

thread_local const Ladder* climbed_here = nullptr;

/// A duration may be as long as it can be, or negative.
std::chrono::steady_clock::time_point later(std::chrono::steady_clock::time_point start,
                                            std::chrono::milliseconds delay) noexcept {
  using Time = std::chrono::steady_clock::time_point;
  if (delay <= delay.zero()) return start;
  const auto longest = std::chrono::floor<std::chrono::milliseconds>(Time::max() - start);
  return delay < longest ? start + delay : Time::max();
}

/// Counted, and named as long as there is room for names.
void add_straggler(ShutdownReport& report, const TaskRecord& task) noexcept {
  report.reached = std::max(report.reached, task.needed.load());
  ++report.stragglers_total;
  if (report.stragglers.size() >= ShutdownReport::max_names) return;
  once_there_is_memory(
      [&] { report.stragglers.push_back({task.name, task.needed, task.destroyed}); });
}

}  // namespace

ShutdownReport Ladder::climb(Deadlines deadlines) {
  const auto alive = keep_alive();
  auto& tree = *scope_.tree;
  std::unique_lock lock(tree.mutex);
  if (!std::exchange(has_begun_, true)) {
    schedule_ = begin_schedule(deadlines);
    lock.unlock();
    climb_all();
    lock.lock();
  } else {
    shorten_schedule(deadlines);
    tree.changed.wait(lock, [this] { return is_done(); });
  }
  lock.unlock();
  return report();
}

void Ladder::begin(Deadlines deadlines) {
  auto alive = keep_alive();
  const std::lock_guard lock(scope_.tree->mutex);
  if (has_begun_) return shorten_schedule(deadlines);
  // The thread's first step is the lock that is held here.
  boost::thread thread([this, alive = std::move(alive)] {
    static_cast<void>(std::lock_guard(scope_.tree->mutex));
    climb_all();
  });
  has_begun_ = true;
  schedule_ = begin_schedule(deadlines);
  stands_on(std::move(thread));
}

bool Ladder::has_begun() const noexcept {
  const std::lock_guard lock(scope_.tree->mutex);
  return has_begun_;
}

bool Ladder::is_climbed_here() const noexcept {
  const Ladder* ladder = climbed_here;
  while (ladder != nullptr && ladder != this) ladder = ladder->below_;
  return ladder == this;
}

bool Ladder::one_is_climbed_here() noexcept {
  return climbed_here != nullptr;
}

ShutdownReport Ladder::report() const noexcept {
  return once_there_is_memory([this] {
    const std::lock_guard lock(scope_.tree->mutex);
    return report_;
  });
}

std::shared_ptr<void> Ladder::keep_alive() {
  struct Both {
    std::shared_ptr<Ladder> ladder;
    boost::intrusive_ptr<ScopeState> scope;
  };
  return std::make_shared<Both>(Both{shared_from_this(), &scope_});
}

Ladder::Schedule Ladder::begin_schedule(Deadlines deadlines) noexcept {
  const auto wait = later(Clock::now(), deadlines.wait);
  const auto interrupt = later(wait, deadlines.interrupt);
  return {wait, interrupt, later(interrupt, deadlines.stop)};
}

void Ladder::shorten_schedule(Deadlines deadlines) noexcept {
  const Schedule other = begin_schedule(deadlines);
  schedule_.wait = std::min(schedule_.wait, other.wait);
  schedule_.interrupt = std::min(schedule_.interrupt, other.interrupt);
  schedule_.stop = std::min(schedule_.stop, other.stop);
  scope_.tree->changed.notify_all();
}

// [climb]
void Ladder::climb_all() noexcept {
  const auto begun = Clock::now();
  below_ = std::exchange(climbed_here, this);
  reach(Rung::wait);

  scope_.close();         // stop accepting
  scope_.token.cancel();  // tell
  {
    std::unique_lock lock(scope_.tree->mutex);
    wait_until(lock, schedule_.wait, [this] { return scope_.is_drained(); });
  }
  const auto interrupted = interrupt_deaf_tasks();
  ShutdownReport report;
  climb_on(interrupted, report);  // stop, abandon

  for (const auto& task : interrupted) add_straggler(report, *task);
  scope_.add_to(report);
  report.took = Clock::now() - begun;
  if (auto* const observer = scope_.tree->observer) observer->shutdown_ended(scope_.name, report);
  {
    const std::lock_guard lock(scope_.tree->mutex);
    report_ = std::move(report);
  }
  done.cancel();
  climbed_here = below_;
  const std::lock_guard lock(scope_.tree->mutex);
  scope_.tree->changed.notify_all();
}
// [/climb]

/// None of them if there was no memory for the list until it was too late to interrupt.
ScopeState::Records Ladder::unfinished() const noexcept {
  for (;; std::this_thread::yield()) {
    try {
      return scope_.unfinished();
    } catch (const std::bad_alloc&) {
      const std::lock_guard lock(scope_.tree->mutex);
      if (Clock::now() >= schedule_.interrupt) return {};
    }
  }
}

/// Those in the deepest scopes first, because a task may be waiting for the scopes below its own
/// and is not deaf then: once those have ended it has a while to end by itself, before it is
/// interrupted as well. Returns who was interrupted.
ScopeState::Records Ladder::interrupt_deaf_tasks() noexcept {
  auto tasks = unfinished();
  const auto depth_of = [](const auto& task) { return task->scope->depth; };
  const auto are_apart = [&](const auto& a, const auto& b) { return depth_of(a) != depth_of(b); };
  std::ranges::sort(tasks, std::ranges::greater(), depth_of);

  Clock::rep steps_left = 2;
  for (std::size_t i = 1; i < tasks.size(); ++i) {
    if (are_apart(tasks[i - 1], tasks[i])) steps_left += 2;
  }
  for (auto first = tasks.begin(); first != tasks.end();) {
    const auto last =
        std::find_if(first, tasks.end(), [&](const auto& task) { return are_apart(task, *first); });
    const std::span level(first, last);
    if (first != tasks.begin()) wait_for_ends(level, steps_left);
    for (auto& task : level) task->ended ? task.reset() : interrupt(*task);
    wait_for_ends(level, steps_left - 1);
    steps_left -= 2;
    first = last;
  }
  std::erase(tasks, nullptr);
  return tasks;
}

/// For a fair share of the time that is left.
void Ladder::wait_for_ends(std::span<const boost::intrusive_ptr<TaskRecord>> tasks,
                           Clock::rep steps_left) noexcept {
  auto& tree = *scope_.tree;
  std::unique_lock lock(tree.mutex);
  ++tree.watchers;
  const auto now = Clock::now();
  const auto end_of_step = now + (schedule_.interrupt - now) / steps_left;
  for (const auto& task : tasks) {
    while (task && !task->ended) {
      const auto limit = std::min(end_of_step, schedule_.interrupt);
      if (Clock::now() >= limit) break;
      tree.changed.wait_until(lock, limit);
    }
  }
  --tree.watchers;
}

/// A scope of a runtime that lives on leaves them behind.
void Ladder::climb_on(const ScopeState::Records& interrupted, ShutdownReport& report) noexcept {
  once_there_is_memory([&] { report.scope = scope_.name; });
  for (const auto& task : interrupted) {
    if (!task->ended) needs(*task, Rung::abandon);
  }
}

void Ladder::interrupt(TaskRecord& task) noexcept {
  reach(Rung::interrupt);
  task.interrupt();
}

void Ladder::needs(TaskRecord& task, Rung rung) noexcept {
  reach(rung);
  task.needed = rung;
}

/// Tells the observer, of each rung once.
void Ladder::reach(Rung rung) noexcept {
  if (rung <= reached_) return;
  reached_ = rung;
  if (auto* const observer = scope_.tree->observer) observer->rung_reached(scope_.name, rung);
}

error_code begin_shutdown(Ladder& ladder, Deadlines deadlines,
                          const asio::any_io_executor& waits_on) noexcept {
  const auto* const waiting = waits_on.target<TaskExecutor>();
  if (waiting != nullptr && ladder.ends(*waiting->task().scope))
    return make_error_code(boost::system::errc::resource_deadlock_would_occur);
  try {
    ladder.begin(deadlines);
    return {};
  } catch (const boost::system::system_error& error) {
    return error.code();
  } catch (const std::bad_alloc&) {
    return make_error_code(boost::system::errc::not_enough_memory);
  }
}

const CancellationToken& shutdown_done(const Ladder& ladder) noexcept {
  return ladder.done;
}

ShutdownReport report_of(const Ladder& ladder) noexcept {
  return ladder.report();
}

}  // namespace runtime_sharing::detail
