// A scope is climbed down by one thread, whoever asks for it, and all who ask get the report. A shorter
// deadline holds at once. Whoever waits for the end of a task is told of it, and without a deadline.
//
// Models src/ladder.cpp with the end of a task in src/scope_state.cpp: two tasks, each of which ends when
// it is told, when it is interrupted, or never, and two callers, the second of which may have a thread of
// its own for it (begin()). A deadline has passed or never passes: so a notification that is missing is
// seen, which in a program costs only time. Chosen so that the ladder can end.
//
// WITHOUT_HAS_BEGUN: each caller climbs
// WITHOUT_LOCK_OF_THREAD: the thread of begin() climbs before that has noted the deadlines
// WITHOUT_LIMIT_ANEW: who waits for the rung keeps the deadline that it saw first
// WITHOUT_NOTIFY_OF_DEADLINE: a later caller shortens the deadlines and tells nobody
// WITHOUT_NOTIFY_OF_DRAINED: the scope is drained and nobody is told
// WITHOUT_ENDED_FIRST: count_out() looks for watchers before it says that the task has ended
// WITHOUT_WATCHER_FIRST: wait_for_ends() looks at the task before it counts itself as a watcher
// WITHOUT_LOCK_OF_NOTIFY: count_out() notifies without the lock
// WITHOUT_REPORT_FIRST: the report is there after it was said to be
// WITHOUT_NOTIFY_OF_DONE: nobody is told that the report is there

#define PASSED 0
#define NEVER 1

#define MIN(a, b) (a < b -> a : b)

mtype = { when_told, when_interrupted, not_at_all };
mtype task_ends[2];                 // the first one is in the deeper scope
byte wait_of[2], interrupt_of[2];   // the callers' deadlines

bool tree_lock;
bool sleeps[3];                     // in tree->changed
byte watchers;
bool has_begun, done, report_is_there;
byte schedule_wait = PASSED, schedule_interrupt = PASSED;

bool shard_is_closed, told, interrupted[2], drained, ended[2];
bool is_in[2] = true;               // the list of the one shard: src/scope_state.pml has several

// What is claimed.
byte climbs, returned;

#define LOCK(mutex) atomic { !mutex -> mutex = true }
#define UNLOCK(mutex) mutex = false

inline notify_all() { atomic { sleeps[0] = false; sleeps[1] = false; sleeps[2] = false } }

inline sleep_until(limit) {  // a condition variable: to unlock and to sleep is one step
  atomic { sleeps[me] = true; UNLOCK(tree_lock) }
  atomic { !sleeps[me] || limit == PASSED -> sleeps[me] = false }
  LOCK(tree_lock)
}

inline close_scope() {  // src/scope_state.pml
  atomic {
    !tree_lock ->
    shard_is_closed = true;
    if :: !is_in[0] && !is_in[1] -> drained = true; notify_all() :: else fi
  }
}

inline wait_until_drained() {
  atomic { LOCK(tree_lock); limit = schedule_wait }
  //@ src/ladder.hpp: void wait_until(std::unique_lock<AdaptiveMutex>& lock, const Clock::time_point& limit,
  //= Condition condition) {
  //= while (!condition() && Clock::now() < limit) {
  //= const auto limit_for_now = limit;
  //= scope_.tree->changed.wait_until(lock, limit_for_now);
  //= }
  do
  :: true ->
     atomic {
#ifndef WITHOUT_LIMIT_ANEW
       limit = schedule_wait;
#endif
       if :: drained || limit == PASSED -> break :: else fi
     }
     sleep_until(limit)
  od;
  atomic { UNLOCK(tree_lock); limit = 0 }
}

inline wait_for_ends(task) {
  //@ src/ladder.cpp: void Ladder::wait_for_ends(std::span<const boost::intrusive_ptr<TaskRecord>> tasks,
  //= Clock::rep steps_left) noexcept {
  //= auto& tree = *scope_.tree;
  //= std::unique_lock lock(tree.mutex);
  LOCK(tree_lock);
  //= ++tree.watchers;
#ifndef WITHOUT_WATCHER_FIRST
  watchers++;
#endif
  //= const auto now = Clock::now();
  //= const auto end_of_step = now + (schedule_.interrupt - now) / steps_left;
  //= for (const auto& task : tasks) {
  do
  //= while (task && !task->ended) {
  :: ended[task] -> break
  :: else ->
  //= const auto limit = std::min(end_of_step, schedule_.interrupt);
  //= if (Clock::now() >= limit) break;
     atomic {
       limit = schedule_interrupt;
       if :: limit == PASSED -> break :: else fi
     }
#ifdef WITHOUT_WATCHER_FIRST
     watchers++;
#endif
  //= tree.changed.wait_until(lock, limit);
     sleep_until(limit);
#ifdef WITHOUT_WATCHER_FIRST
     watchers--
#endif
  //= }
  //= }
  od;
  //= --tree.watchers;
  atomic {
#ifndef WITHOUT_WATCHER_FIRST
    watchers--;
#endif
    UNLOCK(tree_lock);
    limit = 0
  }
}

inline interrupt_deaf_tasks() {
  //@ src/ladder.cpp: ScopeState::Records Ladder::interrupt_deaf_tasks() noexcept {
  //= auto tasks = unfinished();
  atomic { !tree_lock -> is_listed[0] = is_in[0]; is_listed[1] = is_in[1] }
  //= ...
  //= for (auto& task : level) task->ended ? task.reset() : interrupt(*task);
  //= wait_for_ends(level, steps_left - 1);
  if
  :: !is_listed[0] || ended[0]
  :: else -> is_straggler[0] = true; interrupted[0] = true; wait_for_ends(0)
  fi;
  if
  :: !is_listed[1] || ended[1]
  :: else -> is_straggler[1] = true; interrupted[1] = true; wait_for_ends(1)
  fi
  //= ...
}

inline climb_all() {
  //@ src/ladder.cpp: void Ladder::climb_all() noexcept {
  //= const auto begun = Clock::now();
  atomic { climbs++; assert(climbs == 1 && has_begun) }
  //= below_ = std::exchange(climbed_here, this);
  //= reach(Rung::wait);
  //= scope_.close();
  close_scope();
  //= scope_.token.cancel();
  told = true;
  //= {
  //= std::unique_lock lock(scope_.tree->mutex);
  //= wait_until(lock, schedule_.wait, [this] { return scope_.is_drained(); });
  wait_until_drained();
  //= }
  //= const auto interrupted = interrupt_deaf_tasks();
  interrupt_deaf_tasks();
  //= ShutdownReport report;
  //= climb_on(interrupted, report);
  //= for (const auto& task : interrupted) add_straggler(report, *task);
  assert((is_straggler[0] || !is_in[0]) && (is_straggler[1] || !is_in[1]));
  //= scope_.add_to(report);
  //= report.took = Clock::now() - begun;
  //= if (auto* const observer = scope_.tree->observer) observer->shutdown_ended(scope_.name, report);
  //= {
  //= const std::lock_guard lock(scope_.tree->mutex);
#ifdef WITHOUT_REPORT_FIRST
  done = true;
#endif
  //= report_ = std::move(report);
  atomic { !tree_lock -> report_is_there = true };
  //= }
  //= done.cancel();
  done = true;
  //= climbed_here = below_;
  //= const std::lock_guard lock(scope_.tree->mutex);
  //= scope_.tree->changed.notify_all();
#ifndef WITHOUT_NOTIFY_OF_DONE
  atomic { !tree_lock -> notify_all() }
#endif
}

inline shorten_schedule() {
  //@ src/ladder.cpp: void Ladder::shorten_schedule(Deadlines deadlines) noexcept {
  //= const Schedule other = begin_schedule(deadlines);
  //= schedule_.wait = std::min(schedule_.wait, other.wait);
  schedule_wait = MIN(schedule_wait, wait_of[me]);
  //= schedule_.interrupt = std::min(schedule_.interrupt, other.interrupt);
  schedule_interrupt = MIN(schedule_interrupt, interrupt_of[me]);
  //= schedule_.stop = std::min(schedule_.stop, other.stop);
  //= scope_.tree->changed.notify_all();
#ifndef WITHOUT_NOTIFY_OF_DEADLINE
  notify_all()
#endif
}

inline begin_schedule() {
  schedule_wait = wait_of[me];
  schedule_interrupt = interrupt_of[me]
}

inline climb() {
  //@ src/ladder.cpp: ShutdownReport Ladder::climb(Deadlines deadlines) {
  //= const auto alive = keep_alive();
  //= auto& tree = *scope_.tree;
  //= std::unique_lock lock(tree.mutex);
  LOCK(tree_lock);
  //= if (!std::exchange(has_begun_, true)) {
  if
  :: !has_begun ->
#ifndef WITHOUT_HAS_BEGUN
     has_begun = true;
#endif
  //= schedule_ = begin_schedule(deadlines);
     begin_schedule();
  //= lock.unlock();
     UNLOCK(tree_lock);
#ifdef WITHOUT_HAS_BEGUN
     has_begun = true;
#endif
  //= climb_all();
     climb_all();
  //= lock.lock();
     LOCK(tree_lock)
  //= } else {
  :: else ->
  //= shorten_schedule(deadlines);
     shorten_schedule();
  //= tree.changed.wait(lock, [this] { return is_done(); });
     do
     :: done -> break
     :: else -> sleep_until(NEVER)
     od
  //= }
  fi;
  //= lock.unlock();
  UNLOCK(tree_lock);
  //= return report();
  atomic { !tree_lock -> assert(report_is_there); returned++ }
}

inline begin() {
  //@ src/ladder.cpp: void Ladder::begin(Deadlines deadlines) {
  //= auto alive = keep_alive();
  //= const std::lock_guard lock(scope_.tree->mutex);
  LOCK(tree_lock);
  if
  //= if (has_begun_) return shorten_schedule(deadlines);
  :: has_begun -> shorten_schedule()
  :: else ->
  //= boost::thread thread([this, alive = std::move(alive)] {
  //= static_cast<void>(std::lock_guard(scope_.tree->mutex));
  //= climb_all();
  //= });
     run Climber();
  //= has_begun_ = true;
     has_begun = true;
  //= schedule_ = begin_schedule(deadlines);
     begin_schedule()
  //= stands_on(std::move(thread));
  fi;
  UNLOCK(tree_lock);
  returned++
}

// ---- Who is there

proctype Climber() {
  byte limit;
  bool is_listed[2], is_straggler[2];
  byte me = 2;
#ifndef WITHOUT_LOCK_OF_THREAD
  !tree_lock;
#endif
  climb_all()
}

proctype Caller(byte me) {
  byte limit;
  bool is_listed[2], is_straggler[2];
  if
  :: climb()
  :: me == 1 -> begin()
  fi
}

proctype Task(byte number) {
  bool is_drained_now, is_watched;
end:
  (task_ends[number] == when_told && told) || (task_ends[number] == when_interrupted && interrupted[number]);
  //@ src/scope_state.cpp: void ScopeState::count_out(TaskRecord& record, const std::exception_ptr& error,
  //= std::size_t not_counted) noexcept {
  //= ...
  //= is_drained_now = --shard.alive == 0 && shard.closed;
  atomic {
    is_in[number] = false;
    is_drained_now = (!is_in[0] && !is_in[1] && shard_is_closed)
  }
  //= }
  //= if (end) end->cancel();
  //= give_places_back();
  //= tree->task_ended();
  //= record.ended = true;
#ifndef WITHOUT_ENDED_FIRST
  ended[number] = true;
  is_watched = (watchers > 0);
#else
  is_watched = (watchers > 0);
  ended[number] = true;
#endif
  //= if (tree->watchers > 0) {
  if
  :: is_watched ->
  //= const std::lock_guard lock(tree->mutex);
  //= tree->changed.notify_all();
#ifndef WITHOUT_LOCK_OF_NOTIFY
     atomic { !tree_lock -> notify_all() }
#else
     notify_all()
#endif
  //= }
  :: else
  fi;
  //= if (!is_drained_now) return;
  if
  :: is_drained_now ->
  //= DrainedOnes now_drained;
  //= {
  //= const std::lock_guard lock(tree->mutex);
  //= came_nearer(now_drained);
     atomic {
       !tree_lock ->
#ifndef WITHOUT_NOTIFY_OF_DRAINED
       notify_all();
#endif
       drained = true
     }
  //= }
  //= announce(std::move(now_drained));
  :: else
  fi
}

#define IS_ONE(kind) (task_ends[0] == kind || task_ends[1] == kind)
#define SHORTEST(deadline) MIN(deadline[0], deadline[1])

init {
  atomic {
    if :: task_ends[0] = when_told :: task_ends[0] = when_interrupted :: task_ends[0] = not_at_all fi;
    if :: task_ends[1] = when_told :: task_ends[1] = when_interrupted :: task_ends[1] = not_at_all fi;
    if :: wait_of[0] = NEVER :: wait_of[0] = PASSED fi;
    if :: wait_of[1] = NEVER :: wait_of[1] = PASSED fi;
    if :: interrupt_of[0] = NEVER :: wait_of[0] == PASSED -> interrupt_of[0] = PASSED fi;
    if :: interrupt_of[1] = NEVER :: wait_of[1] == PASSED -> interrupt_of[1] = PASSED fi;
    // Otherwise nothing ends it.
    if
    :: IS_ONE(when_interrupted) && !IS_ONE(not_at_all) && SHORTEST(wait_of) == NEVER -> wait_of[1] = PASSED
    :: IS_ONE(not_at_all) && SHORTEST(interrupt_of) == NEVER ->
       wait_of[1] = PASSED;
       interrupt_of[1] = PASSED
    :: else
    fi;
    run Task(0);
    run Task(1);
    run Caller(0);
    run Caller(1)
  }
}

active proctype Check() {
  timeout;
  assert(climbs == 1 && returned == 2 && done)
}
