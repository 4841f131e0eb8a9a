// A task is counted in before its shard is closed, or refused. A scope is drained once, when it is closed
// and all its tasks and all scopes below it have gone; nobody is admitted to it afterwards.
//
// Models src/scope_state.cpp: a scope and one below it, which is made meanwhile; two shards each. Three
// tasks are spawned into the upper scope or into the lower one, on any shard, and end. One thread closes
// the upper scope, another one perhaps the lower scope.
//
// WITHOUT_LOOK_IN_SHARD: admit() looks at the scope's flag only
// WITHOUT_CLOSED_WITH_COUNT: close() counts under the lock of the shard and closes it afterwards
// WITHOUT_LOOK_WITH_COUNT: count_out() looks whether the shard is closed when it has unlocked it
// WITHOUT_TREE_LOCK: came_nearer() runs without the lock of the tree
// WITHOUT_EACH_SHARD: a scope is drained with its first shard
// WITHOUT_COUNT_OF_CHILD: the upper scope does not count the lower one
// WITHOUT_LOOK_AT_PARENT: a scope is made below one that is closed as below any other
// WITHOUT_CLOSE_BELOW: close() leaves the scopes below as they are

#define UPPER 0
#define LOWER 1
#define SHARDS 2
#define SHARD(scope, number) (scope * SHARDS + number)

bool tree_lock, shard_lock[2 * SHARDS];
bool shard_closed[2 * SHARDS];
byte alive[2 * SHARDS];
bool closed[2], drained[2];
#ifndef WITHOUT_EACH_SHARD
short to_be_drained[2] = SHARDS;
#else
short to_be_drained[2] = 1;
#endif
bool is_made, is_child;   // the lower one: made; in the list of the upper one

// What is claimed.
byte in_scope[2];         // tasks that were admitted and have not counted themselves out
byte announced[2];

#define LOCK(mutex) atomic { !mutex -> mutex = true }
#define UNLOCK(mutex) mutex = false

inline announce(scope_drained) {
  announced[scope_drained]++;
  assert(announced[scope_drained] == 1);
  assert(closed[scope_drained] && in_scope[scope_drained] == 0);
  assert(scope_drained == LOWER || !is_made || announced[LOWER] == 1)
}

inline came_nearer(scope_nearer) {
  //@ src/scope_state.cpp: void ScopeState::came_nearer(DrainedOnes& now_drained) noexcept {
  //= for (ScopeState* scope = this; scope != nullptr; scope = scope->parent_) {
  at = scope_nearer;
  do
  :: true ->
  //= if (--scope->to_be_drained_ > 0) return;
     left = to_be_drained[at] - 1;
     to_be_drained[at] = left;
     if
     :: atomic { left > 0 -> break }
     :: atomic { left <= 0 ->
  //= scope->drained_ = true;
          drained[at] = true;
  //= scope->next_drained_ = std::exchange(now_drained, scope);
          announce(at);
  //= tree->changed.notify_all();
  //= ScopeState* const parent = scope->parent_;
  //= if (parent == nullptr) return;
          if :: at == UPPER -> break :: else fi;
  //= parent->children_.erase(parent->children_.iterator_to(*scope));
          assert(is_child);
          is_child = false;
  //= ...
          at = UPPER }
     fi
  //= }
  od;
  atomic { at = 0; left = 0 }
}

inline admit(scope, shard) {  // admitted: the result
  //@ src/scope_state.cpp: error_code ScopeState::admit(TaskRecord& record) {
  //= if (closed_) return refusal_;
  if
  :: atomic { closed[scope] }
  :: atomic { !closed[scope] };
  //= if (const auto full = take_places()) return full;
  //= ...
  //= if (context_runs) {
  //= record.shard_ = static_cast<std::uint32_t>(tree->thread_number());
  //= Shard& shard = shards_[record.shard_];
  //= const std::lock_guard lock(shard.mutex);
     atomic {
       !shard_lock[SHARD(scope, shard)] ->
       if
  //= if (!shard.closed) {
#ifndef WITHOUT_LOOK_IN_SHARD
       :: !shard_closed[SHARD(scope, shard)] ->
#else
       :: true ->
#endif
          assert(!drained[scope]);
  //= shard.tasks.push_back(record);
          in_scope[scope]++;
  //= ++shard.alive;
          alive[SHARD(scope, shard)]++;
  //= ++shard.total;
  //= return {};
          admitted = true
       :: else
       fi
  //= }
  //= }
     }
  //= ...
  fi
}

inline count_out(scope, shard) {
  //@ src/scope_state.cpp: void ScopeState::count_out(TaskRecord& record, const std::exception_ptr& error,
  //= std::size_t not_counted) noexcept {
  //= Shard& shard = shards_[record.shard_];
  //= std::optional<CancellationToken> end;
  //= bool is_drained_now = false;
  //= {
  //= const std::lock_guard lock(shard.mutex);
  atomic {
    !shard_lock[SHARD(scope, shard)] ->
  //= shard.tasks.erase(shard.tasks.iterator_to(record));
    in_scope[scope]--;
  //= shard.total -= not_counted;
  //= record.error_ = error;
  //= end.swap(record.end_);
  //= is_drained_now = --shard.alive == 0 && shard.closed;
    alive[SHARD(scope, shard)]--;
#ifndef WITHOUT_LOOK_WITH_COUNT
    is_drained_now = (alive[SHARD(scope, shard)] == 0 && shard_closed[SHARD(scope, shard)])
#else
    is_drained_now = (alive[SHARD(scope, shard)] == 0)
#endif
  //= }
  }
#ifdef WITHOUT_LOOK_WITH_COUNT
  is_drained_now = is_drained_now && shard_closed[SHARD(scope, shard)];
#endif
  //= ...
  //= if (!is_drained_now) return;
  if
  :: atomic { is_drained_now -> is_drained_now = false };
  //= DrainedOnes now_drained;
  //= {
  //= const std::lock_guard lock(tree->mutex);
#ifndef WITHOUT_TREE_LOCK
     LOCK(tree_lock);
#endif
  //= came_nearer(now_drained);
     came_nearer(scope);
#ifndef WITHOUT_TREE_LOCK
     UNLOCK(tree_lock)
#endif
  //= }
  //= announce(std::move(now_drained));
  :: atomic { !is_drained_now }
  fi
}

inline close_shards(scope) {
  shard = 0;
  do
  :: atomic { shard < SHARDS };
     atomic {
       LOCK(shard_lock[SHARD(scope, shard)]);
       is_empty = (alive[SHARD(scope, shard)] == 0);
#ifndef WITHOUT_CLOSED_WITH_COUNT
       shard_closed[SHARD(scope, shard)] = true
#else
       UNLOCK(shard_lock[SHARD(scope, shard)])
#endif
     }
#ifdef WITHOUT_CLOSED_WITH_COUNT
     atomic { LOCK(shard_lock[SHARD(scope, shard)]); shard_closed[SHARD(scope, shard)] = true }
#endif
     if
     :: atomic { is_empty -> is_empty = false }; came_nearer(scope)
     :: atomic { !is_empty }
     fi;
     atomic { UNLOCK(shard_lock[SHARD(scope, shard)]); shard++ }
  :: atomic { shard == SHARDS -> shard = 0; break }
  od
}

inline close_scope(top) {
  //@ src/scope_state.cpp: void ScopeState::close() noexcept {
  //= DrainedOnes now_drained;
  //= std::list<Places::Waiting> called;
  //= {
  //= const std::lock_guard lock(tree->mutex);
  LOCK(tree_lock);
  //= ...
  //= for_each_scope(*this, [&](ScopeState& scope) {
  if
#ifndef WITHOUT_CLOSE_BELOW
  :: atomic { top == UPPER && is_child -> scope = LOWER }
#endif
  :: else -> scope = top
  fi;
  do
  :: true ->
  //= if (scope.closed_) return;
     if
     :: atomic { closed[scope] }
     :: atomic { !closed[scope] ->
  //= scope.closed_ = true;
          closed[scope] = true };
  //= if (scope.own_places_) call_refused(*scope.own_places_);
  //= for (Shard& shard : scope.shards_) {
  //= const std::lock_guard shard_lock(shard.mutex);
  //= shard.closed = true;
  //= if (shard.alive == 0) scope.came_nearer(now_drained);
  //= }
        close_shards(scope)
     fi;
     if
     :: atomic { scope == top -> break }
     :: atomic { scope != top -> scope = top }
     fi
  //= });
  od;
  //= for (Places* places = places_; places != nullptr; places = places->above) call_refused(*places);
  //= }
  UNLOCK(tree_lock)
  //= Places::tell(called);
  //= announce(std::move(now_drained));
}

inline enter_parent() {
  //@ src/scope_state.cpp: void ScopeState::enter_parent() noexcept {
  atomic {
  //= {
  //= const std::lock_guard lock(tree->mutex);
    !tree_lock ->
    if
  //= if (!parent_->closed_) {
#ifndef WITHOUT_LOOK_AT_PARENT
    :: !closed[UPPER] ->
#else
    :: true ->
#endif
  //= parent_->children_.push_back(*this);
       is_child = true;
  //= ++parent_->to_be_drained_;
#ifndef WITHOUT_COUNT_OF_CHILD
       to_be_drained[UPPER]++
#endif
  //= return;
  //= }
  //= }
    :: else ->
  //= for (Shard& shard : shards_) shard.closed = true;
       shard_closed[SHARD(LOWER, 0)] = true;
       shard_closed[SHARD(LOWER, 1)] = true;
  //= closed_ = true;
       closed[LOWER] = true;
  //= drained_ = true;
       drained[LOWER] = true;
  //= drained.cancel();
       announced[LOWER]++
    fi;
    is_made = true
  }
}

// ---- Who is there

proctype Spawner(byte number) {
  byte at;
  short left;
  bool admitted, is_drained_now;
  byte scope, shard;
  atomic {
    if :: scope = UPPER :: scope = LOWER fi;
    if :: shard = 0 :: number > 0 -> shard = 1 fi
  }
  scope == UPPER || is_made;
  admit(scope, shard);
  if
  :: admitted -> count_out(scope, shard)
  :: else
  fi
}

proctype Closer(byte top) {
  byte at, scope, shard;
  short left;
  bool is_empty;
  top == UPPER || is_made;
  close_scope(top)
}

init {
  atomic {
    run Spawner(0);
    run Spawner(1);
    run Spawner(2);
    run Closer(UPPER);
    if :: run Closer(LOWER) :: true fi
  }
  enter_parent()
}

active proctype Check() {
  timeout;
  assert(announced[UPPER] == 1 && announced[LOWER] == 1)
}
