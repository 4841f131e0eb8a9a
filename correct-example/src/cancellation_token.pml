// Who waits for a token is woken when it is cancelled, once, and not before; or dropped, once, when the
// queue that it waits in is closed. A lane is in one queue at a time.
//
// Models src/cancellation_token.cpp and src/wake_queue.cpp: a token and its child, two queues. Two
// waiters register: for which token, and in which queue, is chosen at the start, and so is what happens
// meanwhile: the parent is cancelled, the child, or both; the first queue is closed; a waiter is woken by
// stop(). The owner of the queues takes out who is ready.
//
// WITHOUT_FLAG_FIRST: cancel() sets the flag when it has moved the lanes
// WITHOUT_FLAG_UNDER_LOCK: enter() looks at the flag before it locks the queue
// WITHOUT_LOOK_AT_PARENT: enter() looks at the flag of its own token only
// WITHOUT_LOOK_AT_FLAG: enter() looks at no flag, as if each lane were linked
// WITHOUT_LINK_ABOVE: a child's lane is not put into the parent's
// WITHOUT_LOOK_FOR_CLOSED_IN_WAKE: cancel() moves a lane that is in another queue by now
// WITHOUT_LOOK_FOR_CLOSED_IN_ENTER: a waiter enters a queue that is closed
// WITHOUT_CLOSED_LAST: close() says so before it has emptied the lanes
// WITHOUT_TOKEN_LOCK: two threads give lanes to a queue at the same time
// WITHOUT_TAKEN_OUT_ONCE: stop() pushes a waiter that somebody else has taken out

#define PARENT 0
#define CHILD 1
#define NOBODY 2      // above PARENT; also: no token
#define NONE 255
#define QUEUES 3      // 0 stands for null
#define LANES 4       // of PARENT 0 and 1, of CHILD 2 and 3: the second one is made when it is wanted
#define ENTRIES 6     // the lanes, and the waiters 4 and 5

// What an entry stands in: 0 none; lanes_ of a queue 1, 2; ready_ of a queue 3, 4; the lane L: 10 + L.
#define LANES_OF(q) (q)
#define READY_OF(q) (q + 2)
#define LANE(l) (l + 10)

bool cancelled[2];
bool token_lock[2], queue_lock[QUEUES], closed[QUEUES];
byte queue_of_lane[LANES];
bool is_made[LANES];      // in the list of its token's lanes
byte at[ENTRIES];

byte token_of[ENTRIES], queue_of_waiter[ENTRIES];
bool was_stopped[ENTRIES];
byte e;                   // for loops inside of one step

// What is claimed.
byte gone[ENTRIES];       // how often a waiter was delivered or dropped

#define LOCK(mutex) atomic { !mutex -> mutex = true }
#define UNLOCK(mutex) mutex = false

#define IS_CANCELLED(token) (cancelled[token] || (token == CHILD && cancelled[PARENT]))

inline deliver(waiter) {
  gone[waiter]++;
  assert(gone[waiter] == 1);
  assert(was_stopped[waiter] || IS_CANCELLED(token_of[waiter]))
}

inline drop(waiter) {
  gone[waiter]++;
  assert(gone[waiter] == 1 && closed[queue_of_waiter[waiter]])
}

inline move(from, to) {  // splice
  d_step {
    e = 0;
    do
    :: e < ENTRIES && at[e] == from -> at[e] = to; e++
    :: e < ENTRIES && at[e] != from -> e++
    :: else -> break
    od;
    e = 0
  }
}

// One step: a lane that was given to the queue stays there, and what else is given does not matter.
inline find_lane_in(token, queue) {  // lane: the result, or NONE
  //@ src/cancellation_token.cpp: Lane* TokenState::find_lane_in(const WakeQueue& queue) noexcept {
  d_step {
  //= Lane* lane = &first_lane_;
    lane = token * 2;
  //= while (lane != nullptr && lane->queue.load() != &queue) {
    if
    :: queue_of_lane[lane] == queue
    :: else ->
  //= lane = lane->next.load();
       lane = (is_made[lane + 1] && queue_of_lane[lane + 1] == queue -> lane + 1 : NONE)
  //= }
    fi
  //= return lane;
  }
}

inline make_lane_in(token, queue) {
  //@ src/cancellation_token.cpp: void TokenState::make_lane_in(WakeQueue& queue) {
  //= std::unique_ptr<Lane> created;
  //= boost::intrusive_ptr<WakeQueue> closed;
  //= const auto give_to_queue = [&](Lane& lane) {
  //= intrusive_ptr_add_ref(&queue);
  //= closed.reset(lane.queue.exchange(&queue), false);
  //= };
  //= for (;;) {
  do
  //= {
  //= const std::lock_guard lock(lock_);
  :: atomic {
#ifndef WITHOUT_TOKEN_LOCK
       LOCK(token_lock[token]);
#endif
  //= if (find_lane_in(queue) != nullptr) return;
       find_lane_in(token, queue);
       if :: lane != NONE -> break :: else -> lane = token * 2 fi
     }
  //= Lane* last = nullptr;
  //= for (Lane* lane = &first_lane_; lane != nullptr; lane = lane->next.load()) {
     do
  //= const WakeQueue* const other = lane->queue.load();
  //= if (other == nullptr || other->is_closed()) return give_to_queue(*lane);
#ifndef WITHOUT_TOKEN_LOCK
     :: atomic {
#else
     :: {
#endif
          if
          :: queue_of_lane[lane] == 0 || closed[queue_of_lane[lane]] -> give(lane, queue); break
          :: else
          fi;
  //= last = lane;
          if
          :: lane == token * 2 && is_made[lane + 1] -> lane++
          :: else -> lane = NONE; break
          fi
        }
  //= }
     od;
     atomic {
       if
       :: lane != NONE -> break
  //= if (created) {
  //= give_to_queue(*created);
  //= return last->next.store(created.release());
  //= }
       :: lane == NONE && created ->
          lane = token * 2 + 1;
          assert(!is_made[lane]);
          give(lane, queue);
          is_made[lane] = true;
          break
       :: lane == NONE && !created ->
  //= }
          UNLOCK(token_lock[token]);
  //= created = std::make_unique<Lane>();
          created = true
       fi
     }
  //= }
  od;
  atomic { UNLOCK(token_lock[token]); created = false; lane = 0 }
}

inline give(lane_given, queue) {
  assert(at[lane_given] == 0 && at[4] != LANE(lane_given) && at[5] != LANE(lane_given));
  queue_of_lane[lane_given] = queue
}

inline first_without_lane_in(token, queue) {  // missing: the result, or NOBODY
  //@ src/cancellation_token.cpp: TokenState* TokenState::first_without_lane_in(const WakeQueue& queue) noexcept {
  //= for (TokenState* token = this; token != nullptr; token = token->parent_) {
  atomic {
    missing = token;
    do
    :: missing != NOBODY ->
  //= const Lane* const lane = token->find_lane_in(queue);
       find_lane_in(missing, queue);
       if
  //= if (lane == nullptr) return token;
       :: lane == NONE -> break
  //= if (lane->is_linked()) return nullptr;
       :: lane != NONE && at[lane] != 0 -> missing = NOBODY
       :: lane != NONE && at[lane] == 0 -> missing = (missing == CHILD -> PARENT : NOBODY)
       fi
  //= }
  //= return nullptr;
    :: else -> break
    od;
    lane = 0
  }
}

inline link_lane_in(token, queue) {  // as part of one step: nobody else sees it
  //@ src/cancellation_token.cpp: void TokenState::link_lane_in(WakeQueue& queue) noexcept {
  //= for (TokenState* token = this;; token = token->parent_) {
  //= Lane& lane = *token->find_lane_in(queue);
  find_lane_in(token, queue);
  //= if (lane.is_linked()) return;
  //= if (token->parent_ == nullptr) return queue.lanes_.push_back(lane);
  //= token->parent_->find_lane_in(queue)->entries.push_back(lane);
  //= }
  if
  :: token == PARENT -> at[lane] = LANES_OF(queue)
  :: token == CHILD ->
     other = lane;
     find_lane_in(PARENT, queue);
     assert(lane != NONE);
     at[other] = LANE(lane);
     if :: at[lane] == 0 -> at[lane] = LANES_OF(queue) :: else fi;
#ifdef WITHOUT_LINK_ABOVE
     at[other] = LANES_OF(queue);
#endif
     lane = other;
     other = 0
  fi
}

inline push(waiter, queue) {  // entered: the result
  //@ src/wake_queue.cpp: bool WakeQueue::enter_ready(Waiter& waiter) noexcept {
  //= const std::lock_guard lock(mutex_);
  atomic {
    !queue_lock[queue];
  //= if (is_closed()) return false;
    entered = !closed[queue];
  //= ready_.push_back(waiter);
  //= has_ready_ = true;
  //= return true;
    if :: entered -> assert(at[waiter] == 0); at[waiter] = READY_OF(queue) :: else fi
  }
}

inline enter(waiter, token, queue) {  // the waiter is in, or it is dropped
  //@ src/cancellation_token.cpp: TokenState::Entered TokenState::enter(TokenWaiter& waiter, WakeQueue& queue) {
  //= waiter.queue_.store(&queue, std::memory_order_relaxed);
  //= for (;;) {
  do
  :: true ->
#ifdef WITHOUT_FLAG_UNDER_LOCK
     is_cancelled = IS_CANCELLED(token);
#endif
  //= TokenState* missing = nullptr;
  //= {
  //= const std::lock_guard lock(queue.mutex_);
     atomic {
       LOCK(queue_lock[queue]);
  //= if (queue.is_closed()) return Entered::queue_is_closed;
#ifndef WITHOUT_LOOK_FOR_CLOSED_IN_ENTER
       if
       :: closed[queue] -> UNLOCK(queue_lock[queue]); drop(waiter); break
       :: else
       fi
#endif
     }
  //= missing = first_without_lane_in(queue);
     first_without_lane_in(token, queue);
     if
  //= if (missing == nullptr) {
     :: atomic { missing == NOBODY ->
  //= Lane& lane = *find_lane_in(queue);
          find_lane_in(token, queue) }
  //= if (!lane.is_linked()) {
        if
        :: at[lane] == 0 ->
  //= if (is_cancelled()) return Entered::is_cancelled;
#if !defined(WITHOUT_FLAG_UNDER_LOCK) && !defined(WITHOUT_LOOK_AT_FLAG)
           is_cancelled = cancelled[token];
#ifndef WITHOUT_LOOK_AT_PARENT
           if
           :: token == CHILD && !is_cancelled -> is_cancelled = cancelled[PARENT]
           :: else
           fi;
#endif
#endif
           if
           :: atomic { is_cancelled -> UNLOCK(queue_lock[queue]) };
              push(waiter, queue);
              atomic { if :: !entered -> drop(waiter) :: else fi; break }
  //= link_lane_in(queue);
           :: atomic { !is_cancelled -> link_lane_in(token, queue) }
           fi
  //= }
        :: atomic { at[lane] != 0 }
        fi;
  //= lane.entries.push_back(waiter);
        atomic {
          at[waiter] = LANE(lane);
  //= return Entered::yes;
          UNLOCK(queue_lock[queue]);
          break
        }
  //= }
  //= }
     :: atomic { missing != NOBODY -> UNLOCK(queue_lock[queue]) };
        do
  //= for (; missing != nullptr && missing->find_lane_in(queue) == nullptr;
        :: atomic { missing != NOBODY ->
             find_lane_in(missing, queue);
             if :: lane != NONE -> break :: else fi }
  //= missing = missing->parent_) {
  //= missing->make_lane_in(queue);
           make_lane_in(missing, queue);
           missing = (missing == CHILD -> PARENT : NOBODY)
  //= }
        :: atomic { missing == NOBODY -> break }
        od
     fi
  //= }
  od;
  atomic { missing = 0; lane = 0; is_cancelled = false; entered = false }
}

inline wake(lane_woken, queue) {
  //@ src/wake_queue.cpp: void WakeQueue::wake(Lane& lane) noexcept {
  //= {
  //= const std::lock_guard lock(mutex_);
  atomic {
    !queue_lock[queue];
  //= if (is_closed()) return;
    if
#ifndef WITHOUT_LOOK_FOR_CLOSED_IN_WAKE
    :: closed[queue]
    :: !closed[queue] ->
#else
    :: true ->
#endif
       assert(queue_of_lane[lane_woken] == queue);
  //= lane.unlink();
       at[lane_woken] = 0;
  //= if (lane.entries.empty()) return;
       e = 0;
       do
       :: e < ENTRIES && at[e] != LANE(lane_woken) -> e++
       :: else -> break
       od;
  //= ready_.push_back(lane);
  //= has_ready_ = true;
       if :: e < ENTRIES -> at[lane_woken] = READY_OF(queue) :: else fi;
       e = 0
  //= }
    fi
  }
  //= wake_up();
}

inline cancel(token) {
  //@ src/cancellation_token.cpp: bool TokenState::cancel() noexcept {
  //= if (is_cancelled() || cancelled_.exchange(true)) return false;
  if
  :: atomic { IS_CANCELLED(token) }
  :: atomic { !IS_CANCELLED(token) ->
#ifndef WITHOUT_FLAG_FIRST
       cancelled[token] = true
#endif
     }
  //= Lane* callbacks = nullptr;
  //= for (Lane* lane = &first_lane_; lane != nullptr; lane = lane->next.load()) {
     lane = token * 2;
     do
  //= const auto queue = queue_of(*lane);
  //= ...
  //@ src/cancellation_token.cpp: boost::intrusive_ptr<WakeQueue> TokenState::queue_of(const Lane& lane) noexcept {
  //= const std::lock_guard lock(lock_);
  //= return lane.queue.load();
     :: atomic { !token_lock[token] -> queue = queue_of_lane[lane] }
  //@ src/cancellation_token.cpp: bool TokenState::cancel() noexcept {
  //= ...
  //= if (queue == &CallbackQueue::instance()) {
  //= callbacks = lane;
  //= } else if (queue) {
        if
  //= queue->wake(*lane);
        :: queue != 0 -> wake(lane, queue)
        :: atomic { queue == 0 }
        fi;
  //= }
        if
        :: atomic { lane == token * 2 && is_made[lane + 1] -> lane++ }
        :: atomic { !(lane == token * 2 && is_made[lane + 1]) -> break }
        fi
  //= }
  //= if (callbacks != nullptr) CallbackQueue::instance().call(*callbacks);
  //= return true;
     od;
#ifdef WITHOUT_FLAG_FIRST
     cancelled[token] = true
#endif
  fi;
  atomic { lane = 0; queue = 0 }
}

// ---- Who is there

proctype Waiter(byte self) {
  byte lane, other, missing;
  bool created, is_cancelled, entered;
  //@ src/cancellation_token.cpp: bool TokenWaiter::wait(WakeQueue& queue) {
  //= switch (token_->enter(*this, queue)) {
  //= ...
  //= case TokenState::Entered::is_cancelled:
  //= return queue.push(*this);
  //= ...
  enter(self, token_of[self], queue_of_waiter[self])
}

proctype Canceller(byte token) {
  byte lane, queue;
  cancel(token)
}

#define TAKE(q, entry) atomic { !queue_lock[q] && at[entry] == READY_OF(q) -> take(entry, q) }

inline take(first, queue) {
  //@ src/wake_queue.cpp: Waiter* WakeQueue::take() noexcept {
  //= ...
  //= const std::lock_guard lock(mutex_);
  //= ...
  //= Entry& first = ready_.front();
  //= first.unlink();
  at[first] = 0;
  if
  //= if (Lane* const lane = first.as_lane()) {
  //= ready_.splice(ready_.end(), lane->entries);
  :: first < LANES -> move(LANE(first), READY_OF(queue))
  //= } else {
  //= ...
  //= return static_cast<Waiter*>(&first);
  //= }
  //= }
  //= }
  :: first >= LANES && !closed[queue] -> deliver(first)
  :: first >= LANES && closed[queue] -> drop(first)
  fi
}

active proctype Owner() {
end:
  do
  :: TAKE(1, 0) :: TAKE(1, 1) :: TAKE(1, 2) :: TAKE(1, 3) :: TAKE(1, 4) :: TAKE(1, 5)
  :: TAKE(2, 0) :: TAKE(2, 1) :: TAKE(2, 2) :: TAKE(2, 3) :: TAKE(2, 4) :: TAKE(2, 5)
  od
}

proctype Closer() {
  byte lane;
  //@ src/wake_queue.cpp: void WakeQueue::close() noexcept {
  atomic {
  //= const std::lock_guard lock(mutex_);
    LOCK(queue_lock[1]);
#ifdef WITHOUT_CLOSED_LAST
    closed[1] = true
#endif
  }
  //= EntryList waiters;
  //= ready_.splice(ready_.end(), lanes_);
  atomic {
    do
  //= while (!ready_.empty()) {
    :: lane < LANES ->
       if
  //= Entry& first = ready_.front();
  //= first.unlink();
  //= if (Lane* const lane = first.as_lane()) {
  //= ready_.splice(ready_.begin(), lane->entries);
       :: at[lane] != 0 && queue_of_lane[lane] == 1 -> at[lane] = 0; move(LANE(lane), READY_OF(1))
       :: else
       fi;
       lane++
  //= } else {
  //= waiters.push_back(first);
  //= }
    :: else -> lane = 0; break
  //= }
    od
  }
  //= ready_.swap(waiters);
  //= closed_.store(true, std::memory_order_release);
  atomic { closed[1] = true; UNLOCK(queue_lock[1]) }
}

proctype Stopper() {
  bool entered;
  //@ src/wake_queue.cpp: void WakeQueue::stop(TokenWaiter& waiter) noexcept {
  //= if (!remove(waiter)) return;
  //= ...
  if
  //@ src/wake_queue.cpp: bool WakeQueue::remove(Entry& waiter) noexcept {
  //= const std::lock_guard lock(mutex_);
  //= if (!waiter.is_linked()) return false;
  //= waiter.unlink();
  //= return true;
#ifndef WITHOUT_TAKEN_OUT_ONCE
  :: atomic { !queue_lock[1] && at[4] == 0 }
  :: atomic { !queue_lock[1] && at[4] != 0 -> at[4] = 0;
#else
  :: atomic { !queue_lock[1] && at[4] == 0 && gone[4] == 0 }
  :: atomic { !queue_lock[1] && (at[4] != 0 || gone[4] == 1) -> at[4] = 0;
#endif
  //@ src/wake_queue.cpp: void WakeQueue::stop(TokenWaiter& waiter) noexcept {
  //= ...
  //= waiter.was_stopped_ = true;
       was_stopped[4] = true }
  //= if (!push(waiter)) waiter.drop();
     push(4, 1);
     atomic { if :: !entered -> drop(4) :: else fi }
  fi
}

init {
  atomic {
    token_of[4] = CHILD;
    queue_of_waiter[4] = 1;
    if :: token_of[5] = CHILD :: token_of[5] = PARENT fi;
    if :: queue_of_waiter[5] = 1 :: queue_of_waiter[5] = 2 fi;
    run Waiter(4);
    run Waiter(5);
    if
    :: run Canceller(PARENT); run Canceller(CHILD)
    :: run Canceller(CHILD); if :: run Closer() :: run Stopper() fi
    :: run Canceller(PARENT); if :: run Closer() :: run Stopper() fi
    :: token_of[5] == CHILD -> run Canceller(PARENT); run Closer(); run Stopper()
    :: token_of[5] == CHILD -> run Canceller(PARENT); run Canceller(CHILD); run Closer()
    fi
  }
}

#define WAITS_FOR_GOOD(waiter) (gone[waiter] == 0 && at[waiter] != 0 && \
                                !IS_CANCELLED(token_of[waiter]) && !closed[queue_of_waiter[waiter]])

active proctype Check() {
  timeout;
  assert(gone[4] == 1 || WAITS_FOR_GOOD(4));
  assert(gone[5] == 1 || WAITS_FOR_GOOD(5))
}
