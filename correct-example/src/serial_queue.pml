// The steps of a task run one at a time, in order, and each of them once; when the context ends, those
// that are left are discarded instead, each once.
//
// Models include/runtime_sharing/detail/serial_queue.hpp and how src/task.cpp uses it. One thread
// pushes two steps, one interrupts the task twice, two workers give it turns, the first of them goes on
// with a step at once when it may; a step may throw; the context may end at any time.
//
// WITHOUT_LOOK_FOR_CLOSED: push() pushes on the mark of the end
// WITHOUT_SWAP_IN_PUSH: push() stores the new top without comparing
// WITHOUT_BUSY_MARK: run() leaves null behind, as if the queue were idle
// WITHOUT_ORDER: the steps run as they are found, the newest first
// WITHOUT_LOOK_AT_READY: rest() forgets what an exception has left
// WITHOUT_SWAP_IN_REST: rest() stores null without comparing
// WITHOUT_SWAP_IN_BEGIN: begin_with() begins when others have, too
// WITHOUT_SECOND_SUBMIT: a queue that is not idle after run() gets no other turn
// WITHOUT_UNDER_WAY: each interrupt() pushes the one step that there is for it

#define IDLE 0    // null, in the place of a step
#define STEPS 4   // 1 and 2 in this order; 3 interrupts; 4 is gone on with
#define BUSY 5
#define CLOSED 6

byte top = IDLE, ready = IDLE, next[STEPS + 1];
bool in_line, line_is_closed;  // the one line of the context, with its mutex: src/turns.pml
bool under_way;
bool may_throw = true;

// What is claimed.
byte pushed[STEPS + 1], gone[STEPS + 1];  // how often
bool linked[STEPS + 1];
bool inside;                              // somebody uses `ready`

inline enter() { atomic { assert(!inside); inside = true } }

inline go(step) {  // the step is run, or discarded: both take it out first
  gone[step]++;
  assert(linked[step] && gone[step] <= pushed[step]);
  linked[step] = false
}

inline discard_all(list) {
  do
  :: atomic { list != IDLE -> step = list; list = next[step]; go(step); step = 0 }
  :: atomic { list == IDLE -> break }
  od
}

// ---- The queue

inline push_to_queue(pushed_step) {
  //@ include/runtime_sharing/detail/serial_queue.hpp: [[nodiscard]] bool push(Step& step) noexcept {
  //= Step* top = top_.load(std::memory_order_relaxed);
  atomic {
    assert(!linked[pushed_step]); linked[pushed_step] = true; pushed[pushed_step]++;
    seen = top
  }
  //= do {
  do
  //=   if (top == &closed) {
  //=     step.discard();
  //=     return false;
  //=   }
#ifndef WITHOUT_LOOK_FOR_CLOSED
  :: atomic { seen == CLOSED -> go(pushed_step); break }
  :: atomic { seen != CLOSED ->
#else
  :: atomic {
#endif
  //=   step.next_ = top == &busy ? nullptr : top;
       next[pushed_step] = (seen == BUSY -> IDLE : seen) }
  //= } while (!top_.compare_exchange_weak(top, &step, std::memory_order_acq_rel,
  //=                                      std::memory_order_relaxed));
     if
#ifndef WITHOUT_SWAP_IN_PUSH
     :: atomic { top == seen -> top = pushed_step; break }
     :: atomic { top != seen -> seen = top }
#else
     :: atomic { top = pushed_step; break }
#endif
     fi
  od
  //= return top == nullptr;
}

inline begin_with(first) {  // began: the result
  //@ include/runtime_sharing/detail/serial_queue.hpp: [[nodiscard]] bool begin_with(Step& step) noexcept {
  //= Step* idle = nullptr;
  //= if (!top_.compare_exchange_strong(idle, &busy, std::memory_order_acquire,
  //=                                   std::memory_order_relaxed)) {
  //=   return false;
  //= }
#ifndef WITHOUT_SWAP_IN_BEGIN
  atomic { began = (top == IDLE); if :: began -> top = BUSY :: else fi }
#else
  atomic { began = (top != CLOSED); if :: began -> top = BUSY :: else fi }
#endif
  if
  :: atomic { began ->
       linked[first] = true; pushed[first]++;
  //= step.next_ = nullptr;
       next[first] = IDLE;
  //= ready_ = &step;
       assert(!inside); ready = first }
  //= return true;
  :: atomic { !began }
  fi
}

inline put_in_order() {  // list: of steps that only this thread sees
#ifndef WITHOUT_ORDER
  //@ include/runtime_sharing/detail/serial_queue.hpp: static Step* in_order(Step* newest) noexcept {
  //= Step* oldest = nullptr;
  oldest = IDLE;
  //= while (newest != nullptr && newest != &busy && newest != &closed) {
  do
  :: list != IDLE && list != BUSY && list != CLOSED ->
  //=   Step* const older = newest->next_;
     older = next[list];
  //=   newest->next_ = oldest;
     next[list] = oldest;
  //=   oldest = newest;
     oldest = list;
  //=   newest = older;
     list = older
  //= }
  :: else -> break
  od;
  //= return oldest;
  list = oldest;
  oldest = IDLE;
  older = IDLE
#else
  if :: list == BUSY || list == CLOSED -> list = IDLE :: else fi
#endif
}

inline run_queue() {
  //@ include/runtime_sharing/detail/serial_queue.hpp: void run() {
  atomic {
    enter();
    if
  //= if (ready_ == nullptr) ready_ = in_order(top_.exchange(&busy, std::memory_order_acquire));
    :: ready == IDLE ->
       list = top;
#ifndef WITHOUT_BUSY_MARK
       top = BUSY;
#else
       top = IDLE;
#endif
       put_in_order();
       ready = list;
       list = IDLE
    :: else
    fi
  }
  //= while (ready_ != nullptr) std::exchange(ready_, ready_->next_)->run();
  do
  :: atomic { ready == IDLE -> break }
  :: atomic { ready != IDLE ->
       step = ready; ready = next[step]; go(step);
       assert(step != 2 || gone[1] == 1);
       if
       :: step == 3 ->
  //@ src/task.cpp: void Interruption::run() {
  //= ...
  //= is_under_way_ = false;
          under_way = false
  //= task.interrupted = true;
  //= task.signal_.emit(asio::cancellation_type::terminal);
       :: else
       fi;
       step = 0;
       if
       :: true
       :: may_throw -> may_throw = false; break
       fi
     }
  od
}

inline rest_queue() {  // rests: the result
  //@ include/runtime_sharing/detail/serial_queue.hpp: [[nodiscard]] bool rest() noexcept {
  atomic {
  //= if (ready_ != nullptr) return false;
    rests = (ready == IDLE);
#ifdef WITHOUT_LOOK_AT_READY
    rests = true;
#endif
  //= Step* nothing_new = &busy;
  //= return top_.compare_exchange_strong(nothing_new, nullptr, std::memory_order_release,
  //=                                     std::memory_order_relaxed);
    if
    :: rests ->
#ifndef WITHOUT_SWAP_IN_REST
       rests = (top == BUSY);
#endif
       if :: rests -> top = IDLE :: else fi
    :: else
    fi;
    inside = false
  }
}

inline close_queue() {
  //@ include/runtime_sharing/detail/serial_queue.hpp: void close() noexcept {
  //= Step* waiting = in_order(top_.exchange(&closed, std::memory_order_acquire));
  atomic { enter(); list = top; top = CLOSED; put_in_order() }
  //= while (ready_ != nullptr) std::exchange(ready_, ready_->next_)->discard();
  discard_all(ready);
  //= while (waiting != nullptr) std::exchange(waiting, waiting->next_)->discard();
  discard_all(list);
  inside = false
}

// ---- The task

inline drop() {
  //@ src/task.cpp: void CoroutineTask::drop() noexcept {
  //= ...
  //= queue_.close();
  close_queue()
}

inline submit() {
  //@ src/turns.cpp: void Turns::submit(Waiter& waiter) noexcept {
  //= if (!lines_[thread_number()]->enter_ready(waiter)) return waiter.drop();
  if
  :: atomic { line_is_closed }; drop()
  :: atomic { !line_is_closed -> assert(!in_line); in_line = true }
  fi
  //= submit_batch();
}

inline push(new_step) {
  //@ src/task.cpp: void CoroutineTask::push(Step& step) noexcept {
  //= if (!queue_.push(step)) return;
  push_to_queue(new_step);
  //= intrusive_ptr_add_ref(this);
  if
  //= scope->tree->submit(*this);
  :: atomic { seen == IDLE -> seen = 0 }; submit()
  :: atomic { seen != IDLE -> seen = 0 }
  fi
}

inline run_steps() {
  //@ src/task.cpp: void CoroutineTask::run_steps() {
  //= ...
  //= queue_.run();
  run_queue();
  //@ src/task.cpp: ~ThenRest() {
  //= if (task.queue_.rest()) return;
  rest_queue();
  //= intrusive_ptr_add_ref(&task);
  //= task.scope->tree->submit(task);
#ifndef WITHOUT_SECOND_SUBMIT
  if
  :: atomic { rests -> rests = false }
  :: atomic { !rests }; submit()
  fi
#endif
}

inline go_on_with(new_step) {
  //@ src/task.cpp: void CoroutineTask::go_on_with(Step& step) {
  //= queue_.begin_with(step) ? run_steps() : push(step);
  begin_with(new_step);
  if
  :: atomic { began -> began = false }; run_steps()
  :: atomic { !began }; push(new_step)
  fi
}

inline interrupt() {
  //@ src/task.cpp: void CoroutineTask::interrupt() noexcept {
  //= if (is_under_way_.exchange(true)) return;
#ifndef WITHOUT_UNDER_WAY
  atomic { was_under_way = under_way; under_way = true }
#endif
  //= intrusive_ptr_add_ref(this);
  if
  //= push(static_cast<Interruption&>(*this));
  :: atomic { !was_under_way }; push(3)
  :: atomic { was_under_way -> was_under_way = false }
  fi
}

// ---- Who is there

#define LOCALS byte seen, list, oldest, older, step; bool began, rests, was_under_way

active proctype Pusher() {
  LOCALS;
  push(1);
  push(2)
}

active proctype Interrupter() {
  LOCALS;
  interrupt();
  interrupt()
}

active [2] proctype Worker() {
  LOCALS;
  bool has_gone_on = (_pid % 2 == 0);
end:
  do
  :: atomic { in_line -> in_line = false }; run_steps()
  :: atomic { !has_gone_on -> has_gone_on = true }; go_on_with(4)
  od
}

active proctype End() {
  LOCALS;
  if
  :: true  // the context lives on
  :: line_is_closed = true;
     if
     :: atomic { in_line -> in_line = false }; drop()
     :: atomic { !in_line }
     fi
  fi
}

active proctype Check() {
  timeout;
  assert(!inside && !in_line);
  assert(gone[1] == 1 && gone[2] == 1 && gone[3] == pushed[3] && gone[4] == 1)
}
