// The ladder of a shutdown. It stands on the thread of whoever climbs it, never on a thread of the
// runtime that it ends; deadlines are measured here, so they hold whatever the runtime does.

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "runtime_core.hpp"
#include <algorithm>
#include <new>
#include <span>
#include <unordered_set>

namespace runtime_sharing::detail {

ShutdownReport RuntimeCore::shutdown(Deadlines deadlines) {
  if (running_in_this_thread()) {
    throw boost::system::system_error(
        make_error_code(boost::system::errc::resource_deadlock_would_occur),
        "shutdown() would wait for its own thread, which belongs to " + root_state->name +
            "; use async_shutdown()");
  }
  std::unique_lock lock(tree->mutex);
  while (phase_ != Phase::shut_down) {
    if (phase_ == Phase::running) {
      phase_ = Phase::shutting_down;
      schedule_ = begin_schedule(deadlines);
      lock.unlock();
      climb_or_step_back();
      lock.lock();
    } else {
      shorten_schedule(deadlines);
      tree->changed.wait(lock, [this] { return phase_ != Phase::shutting_down; });
    }
  }
  return report_;
}

void RuntimeCore::begin_shutdown(Deadlines deadlines) {
  const std::lock_guard lock(tree->mutex);
  if (phase_ == Phase::running) {
    // The thread's first step is the lock that is held here.
    ladder_ = boost::thread([self = shared_from_this()] { self->climb_on_own_thread(); });
    phase_ = Phase::shutting_down;
    schedule_ = begin_schedule(deadlines);
  } else {
    shorten_schedule(deadlines);
  }
}

void RuntimeCore::climb_on_own_thread() noexcept {
  for (;;) {
    try {
      return climb();
    } catch (const std::bad_alloc&) {
      boost::this_thread::yield();  // nobody else could climb: wait for memory
    }
  }
}

/// If there is no memory for the climb, somebody may try again: each rung can be entered twice.
void RuntimeCore::climb_or_step_back() {
  try {
    climb();
  } catch (...) {
    const std::lock_guard lock(tree->mutex);
    phase_ = Phase::running;
    tree->changed.notify_all();
    throw;
  }
}

RuntimeCore::Schedule RuntimeCore::begin_schedule(Deadlines deadlines) {
  const auto wait = Clock::now() + deadlines.wait;
  const auto interrupt = wait + deadlines.interrupt;
  return {wait, interrupt, interrupt + deadlines.stop};
}

void RuntimeCore::shorten_schedule(Deadlines deadlines) {
  const Schedule other = begin_schedule(deadlines);
  schedule_.wait = std::min(schedule_.wait, other.wait);
  schedule_.interrupt = std::min(schedule_.interrupt, other.interrupt);
  schedule_.stop = std::min(schedule_.stop, other.stop);
  tree->changed.notify_all();
}

// [climb]
void RuntimeCore::climb() {
  const auto begun = Clock::now();

  root.close();    // stop accepting
  token.cancel();  // tell

  wait_for_tasks();
  const Records interrupted = interrupt_deaf_tasks();
  const Records unstoppable = root_state->unfinished();

  const std::size_t abandoned = stop_threads();
  ShutdownReport report = write_report(interrupted, unstoppable, abandoned);
  report.took = Clock::now() - begun;
  {
    const std::lock_guard lock(tree->mutex);
    report_ = std::move(report);
    phase_ = Phase::shut_down;
    tree->changed.notify_all();
  }
  done.cancel();
}
// [/climb]

void RuntimeCore::wait_for_tasks() {
  std::unique_lock lock(tree->mutex);
  wait_until(lock, [this] { return schedule_.wait; }, [this] { return root_state->is_drained(); });
}

/// Children first, because a task may be waiting for the scopes below its own and is not deaf then:
/// once those have ended it has a while to end by itself, before it is interrupted as well. Returns
/// who was interrupted.
RuntimeCore::Records RuntimeCore::interrupt_deaf_tasks() {
  Records interrupted;
  std::unique_lock lock(tree->mutex);
  for (std::size_t depth = tree->alive_at_depth.size(); depth-- > 0;) {
    lock.unlock();
    for (auto& task : root_state->unfinished()) {
      if (task->scope->depth != depth) continue;
      task->interrupt();
      interrupted.push_back(std::move(task));
    }
    lock.lock();
    const auto steps_left = static_cast<Clock::rep>(2 * depth + 1);
    wait_for_ends(lock, depth, steps_left);
    if (depth > 0) wait_for_ends(lock, depth - 1, steps_left - 1);
  }
  return interrupted;
}

/// Waits for the tasks at `depth` and below it, for a fair share of the time that is left.
void RuntimeCore::wait_for_ends(std::unique_lock<AdaptiveMutex>& lock, std::size_t depth,
                                Clock::rep steps_left) {
  const auto share = (schedule_.interrupt - Clock::now()) / steps_left;
  const auto end_of_step = Clock::now() + share;
  wait_until(
      lock, [&] { return std::min(end_of_step, schedule_.interrupt); },
      [&] {
        const auto alive = std::span(tree->alive_at_depth).subspan(depth);
        return std::ranges::all_of(alive, [](std::size_t count) { return count == 0; });
      });
}

/// Stops the context, joins the threads that come back and detaches those that do not. They co-own
/// the core: when one returns after all, it finds everything that it may touch.
std::size_t RuntimeCore::stop_threads() {
  std::list<boost::thread> joined;
  std::size_t abandoned = 0;
  const auto sort = [&](OwnedThread& owned) {
    if (!owned.left) {
      ++abandoned;
      owned.thread.detach();
    } else if (owned.thread.joinable()) {
      joined.push_back(std::move(owned.thread));
    }
  };

  keep_running_.reset();
  context.stop();
  {
    std::unique_lock lock(tree->mutex);
    const auto has_left = [](const OwnedThread& owned) { return owned.left; };
    const auto all_have_left = [&] {
      return std::ranges::all_of(workers_, has_left) &&
             std::ranges::all_of(blocking_, has_left,
                                 [](auto& task) -> auto& { return task->owned; });
    };
    wait_until(lock, [this] { return schedule_.stop; }, all_have_left);
    for (auto& owned : workers_) sort(owned);
    for (auto& task : blocking_) sort(task->owned);
    blocking_.clear();
  }
  for (auto& thread : joined) thread.join();
  return abandoned;
}

ShutdownReport RuntimeCore::write_report(const Records& interrupted, const Records& unstoppable,
                                         std::size_t abandoned) const {
  ShutdownReport report;
  report.runtime = options.name;
  report.generation = options.generation;
  report.threads_abandoned = abandoned;
  root_state->add_to(report);
  if (abandoned > 0) report.reached = Rung::abandon;
  std::unordered_set<const TaskRecord*> stopped;
  for (const auto& task : unstoppable) stopped.insert(task.get());

  for (const auto& task : interrupted) {
    Rung needed = Rung::interrupt;
    if (stopped.contains(task.get())) needed = task->running ? Rung::abandon : Rung::stop;
    report.reached = std::max(report.reached, needed);
    report.stragglers.push_back({task->name, needed, task->destroyed});
  }
  return report;
}

/// The limit is asked anew at each wake-up: a later caller may have shortened it.
template <typename Limit, typename Condition>
void RuntimeCore::wait_until(std::unique_lock<AdaptiveMutex>& lock, Limit limit,
                             Condition condition) {
  while (!condition() && Clock::now() < limit()) tree->changed.wait_until(lock, limit());
}

}  // namespace runtime_sharing::detail
