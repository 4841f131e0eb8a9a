// While somebody is inside of the gate, close() does not return; afterwards nobody comes in.
//
// Models include/runtime_sharing/detail/context_gate.hpp and src/context_gate.cpp: three threads from
// outside pass the gate, one of them twice, while another one closes it. Residents are not modelled: the
// gate is closed after the last of them has left.
//
// WITHOUT_LOOK_FOR_CLOSED: enter() counts itself in and does not look whether the gate is closed
// WITHOUT_COUNT_FIRST: enter() looks whether the gate is closed before it counts itself in
// WITHOUT_LEAVE: who finds the gate closed does not take itself out of the count
// WITHOUT_WAIT: close() does not wait for those inside
// WITHOUT_NOTIFY: the last one out tells nobody

byte inside;             // the two parts of state_: how many, and the closed bit
bool closed;
bool sleeps;             // in state_.wait()

// What is claimed.
byte posting;
bool has_closed;

inline enter() {  // entered: the result
  //@ src/context_gate.cpp: bool ContextGate::enter() noexcept {
  //= if (resident_here() != 0) return !is_closed();
#ifdef WITHOUT_COUNT_FIRST
  entered = !closed;
  inside++;
#else
  //= if ((state_.fetch_add(1) & closed) == 0) return true;
  atomic {
    inside++;
#ifndef WITHOUT_LOOK_FOR_CLOSED
    entered = !closed
#else
    entered = true
#endif
  }
#endif
  //= leave_counted();
  //= return false;
#ifndef WITHOUT_LEAVE
  if :: entered :: else -> leave_counted() fi
#endif
}

inline leave_counted() {
  //@ src/context_gate.cpp: void ContextGate::leave_counted() noexcept {
  //= if ((state_.fetch_sub(1) & closed) != 0) state_.notify_all();
  atomic { inside--; is_closed = closed }
#ifndef WITHOUT_NOTIFY
  if :: is_closed -> sleeps = false :: else fi
#endif
}

inline close() {
  //@ src/context_gate.cpp: void ContextGate::close() noexcept {
  //= auto state = state_.fetch_or(closed) | closed;
  atomic { closed = true; seen = inside }
#ifndef WITHOUT_WAIT
  //= while (state != closed) {
  do
  :: seen == 0 -> break
  :: else ->
  //= state_.wait(state);
     atomic { if :: inside == seen -> sleeps = true :: else fi }
     !sleeps;
  //= state = state_.load();
     seen = inside
  //= }
  od
#endif
}

proctype Post(byte times) {
  bool entered, is_closed;
  do
  :: times > 0 ->
     enter();
     if
     :: entered ->
        posting++;
        assert(!has_closed);
        posting--;
        leave_counted()
     :: else
     fi;
     times--
  :: else -> break
  od
}

active proctype End() {
  byte seen;
  close();
  assert(posting == 0);
  has_closed = true
}

init { atomic { run Post(1); run Post(1); run Post(2) } }

active proctype Check() {
  timeout;
  assert(has_closed && inside == 0)
}
