// Whoever is in line gets a turn, or is dropped if the context ends: nobody who is in line is forgotten.
// One batch is posted at a time, because its memory is used again.
//
// Models src/turns.cpp, with the lines of src/wake_queue.cpp and with the end of a runtime's context.
// Two threads of the context, each with a line, and a thread outside that uses the first line: two
// waiters come, one of which wants a second turn; one that is in line may be taken out by whoever ends
// its wait (remove()). One who has got a turn may keep its thread for ever, or throw.
// src/context_gate.pml has the gate.
//
// WITHOUT_MARK_TAKEN_AWAY_FIRST: a batch takes the mark away when it has looked at the lines
// WITHOUT_LINE_BEFORE_MARK: who wants a turn looks at the mark before it is in line
// WITHOUT_EXCHANGE: the mark is read, then written
// WITHOUT_NEXT_BATCH: no next batch before a task gets the thread
// WITHOUT_DROP_IN_SUBMIT: submit() does not look whether the line was closed
// WITHOUT_CLOSE: end() drops who is there and closes no line
// WITHOUT_DROP_ALL: end() closes the lines and drops nobody

#define LINES 2
#define TURNS 2     // of a batch: there are 64

byte ready[LINES];      // how many; each list with its mutex
bool has_ready[LINES];
bool line_is_closed[LINES];
bool batch_is_posted, gate_is_closed, context_is_stopped;
byte batches;           // in the context
byte residents = 2;

// What is claimed.
byte wanted, gone;      // turns; a waiter that was removed has gone, too
bool kept;              // a thread, by one who does not give it back
bool may_keep = true, may_throw = true, may_come_again = true;

inline take(line, got) {
  //@ src/wake_queue.cpp: Waiter* WakeQueue::take() noexcept {
  //= ...
  //= for (;;) {
  //= const std::lock_guard lock(mutex_);
  atomic {
  //= ...
  //= if (ready_.empty()) {
  //= has_ready_ = false;
  //= return nullptr;
  //= }
  //= Entry& first = ready_.front();
  //= first.unlink();
    got = (ready[line] > 0);
    ready[line] = ready[line] - got;
  //= ...
  //= if (ready_.empty()) has_ready_ = false;
    has_ready[line] = has_ready[line] && ready[line] > 0
  //= return static_cast<Waiter*>(&first);
  //= }
  //= }
  //= }
  }
}

inline submit_batch() {
  //@ src/turns.cpp: void Turns::submit_batch() noexcept {
  //= if (batch_is_posted_ || batch_is_posted_.exchange(true)) return;
#ifndef WITHOUT_LINE_BEFORE_MARK
  was_posted = batch_is_posted;
#endif
  if
  :: atomic { !was_posted ->
#ifndef WITHOUT_EXCHANGE
       was_posted = batch_is_posted;
#endif
       batch_is_posted = true }
  :: atomic { was_posted }
  fi;
  //= post(Batch(shared_from_this()));
  if
  :: atomic { !was_posted ->
  //@ src/runtime_core.cpp: void RuntimeTree::post(Batch batch) noexcept {
  //= const ContextGate::Entry entry(gate);
  //= if (!entry) return;
       if
       :: gate_is_closed
       :: else ->
  //= batch_memory_.release();
          assert(batches == 0);
  //= asio::require(executor_, asio::execution::blocking.never,
  //= asio::execution::allocator(std::pmr::polymorphic_allocator<>(&batch_memory_)))
  //= .execute(std::move(batch));
          batches++
       fi }
  :: atomic { was_posted -> was_posted = false }
  fi
}

inline submit(line) {
  wanted++;
#ifdef WITHOUT_LINE_BEFORE_MARK
  was_posted = batch_is_posted;
#endif
  //@ src/turns.cpp: void Turns::submit(Waiter& waiter) noexcept {
  //= if (!lines_[thread_number()]->enter_ready(waiter)) return waiter.drop();
  //= submit_batch();
  if
  :: atomic {
  //@ src/wake_queue.cpp: bool WakeQueue::enter_ready(Waiter& waiter) noexcept {
  //= const std::lock_guard lock(mutex_);
  //= if (is_closed()) return false;
       !line_is_closed[line] ->
  //= ready_.push_back(waiter);
       ready[line]++;
  //= has_ready_ = true;
       has_ready[line] = true
  //= return true;
     }
     submit_batch()
  :: atomic { line_is_closed[line] ->
#ifndef WITHOUT_DROP_IN_SUBMIT
       gone++
#endif
     }
  fi
}

inline take_next() {  // got: somebody
  //@ src/turns.cpp: Waiter* Turns::take_next() noexcept {
  //= const std::size_t here = thread_number();
  //= const unsigned turn = lines_[here]->turns_here.fetch_add(1, std::memory_order_relaxed) + 1;
  //= const bool others_first = turn % own_line_first == 0;
  //= const std::size_t begin = others_first ? here + turn / own_line_first : here;
  if
  :: line = here
  :: line = 1 - here
  fi;
  //= for (std::size_t i = 0; i < lines_.size(); ++i) {
  i = 0;
  do
  :: atomic { i < LINES ->
       i++;
  //= Line& line = *lines_[(begin + i) % lines_.size()];
       line = 1 - line;
  //= if (!line.has_ready()) continue;
       if :: has_ready[line] :: else -> goto next_line fi
     }
  //= if (Waiter* const waiter = line.take()) return waiter;
     take(line, got);
     if
     :: atomic { got -> break }
     :: atomic { !got }
     fi;
next_line:
     skip
  //= }
  :: atomic { i == LINES -> break }
  //= return nullptr;
  od
}

inline run_batch() {
  //@ src/turns.cpp: void Turns::run_batch() {
  //= batch_is_posted_ = false;
#ifndef WITHOUT_MARK_TAKEN_AWAY_FIRST
  batch_is_posted = false;
#endif
  //= for (int turn = 0; turn < turns_per_batch(); ++turn) {
  turn = 0;
  do
  :: atomic { turn < TURNS -> turn++ }
  //= Waiter* const next = take_next();
     take_next();
  //= if (next == nullptr) return;
     if
     :: atomic { !got -> break }
     :: atomic { got -> got = false }
     fi;
  //= const auto has_ready = [](const auto& line) { return line->has_ready(); };
  //= if (std::ranges::any_of(lines_, has_ready)) submit_batch();
#ifndef WITHOUT_NEXT_BATCH
     if
     :: has_ready[0] -> submit_batch()
     :: atomic { !has_ready[0] };
        if
        :: has_ready[1] -> submit_batch()
        :: atomic { !has_ready[1] }
        fi
     fi;
#endif
  //= if (!next->deliver()) next->drop();
     if
     :: atomic { gone++ }
     :: atomic { may_come_again -> may_come_again = false; gone++ }; submit(here)
     :: atomic { may_throw -> may_throw = false; gone++; break }
     :: atomic { may_keep -> may_keep = false; kept = true };
end_kept:
        false
     fi
  :: atomic { turn == TURNS -> break }
  //= }
  od;
#ifdef WITHOUT_MARK_TAKEN_AWAY_FIRST
  batch_is_posted = false;
#endif
  atomic { turn = 0; i = 0; line = 0; got = false }
}

inline end_turns() {
  //@ src/runtime_core.cpp: void RuntimeTree::end() noexcept {
  //= gate.close();
  gate_is_closed = true;
  //= Turns::end();
  //@ src/turns.cpp: void Turns::end() noexcept {
  //= for (const auto& line : lines_) line->close();
#ifndef WITHOUT_CLOSE
  line_is_closed[0] = true;
  line_is_closed[1] = true;
#endif
  //= for (const auto& line : lines_) line->drop_all();
#ifndef WITHOUT_DROP_ALL
  atomic { gone = gone + ready[0]; ready[0] = 0 }
  atomic { gone = gone + ready[1]; ready[1] = 0 }
#endif
}

// ---- Who is there

#define LOCALS bool was_posted, got; byte i, line, turn

active [2] proctype Thread() {
  LOCALS;
  byte here = _pid;
end:
  do
  :: atomic { batches > 0 && !context_is_stopped -> batches-- }; run_batch()
  :: atomic { context_is_stopped -> residents--; break }
  od
}

active [2] proctype Outside() {
  bool was_posted;
  submit(0)
}

active proctype Remover() {
  //@ src/wake_queue.cpp: bool WakeQueue::remove(Entry& waiter) noexcept {
  //= const std::lock_guard lock(mutex_);
  //= if (!waiter.is_linked()) return false;
  //= waiter.unlink();
  //= return true;
end:
  if
  :: true  // nobody's wait is ended
  :: atomic { ready[0] > 0 -> ready[0]--; gone++ }
  fi
}

active proctype End() {
  if
  :: true  // the context lives on
  :: context_is_stopped = true;
end:
     residents == 0;
     end_turns()
  fi
}

active proctype Check() {
  timeout;
  assert(gone + kept == wanted || (kept && context_is_stopped))
}
