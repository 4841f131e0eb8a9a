// What a child records of its run, for `--trace FILE`: one line of a raw file for each event, in
// one write(), so that a run that hangs, is killed or aborts leaves all that it had. The parent
// makes the recording of it: trace_file.hpp.
//
// Off, each function is one branch. No experiment asks whether it is on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace scenario::recording {

/// So many events are kept, unless start() says otherwise; the rest is counted.
inline constexpr std::int64_t most_events = 100'000;

namespace detail {

inline bool is_on = false;  // constant once there is a second thread

void name_thread(std::string_view name) noexcept;
void name_thread(std::string_view name, std::int64_t number) noexcept;
void turn_begins(const void* task, std::string_view name) noexcept;
void turn_ends() noexcept;
void task_ended(const void* task) noexcept;
void waits_for(std::string_view what) noexcept;
void lock_wait(bool begins, const void* lock) noexcept;
void lock_held(bool begins, const void* lock, std::string_view name) noexcept;
void freeze(bool begins) noexcept;
void span(bool begins, const void* id, std::string_view name) noexcept;
void mark(std::string_view category, std::string_view name) noexcept;
void rows_stored(std::int64_t count) noexcept;
void generation_begins(std::int64_t number) noexcept;
void destroyed(const void* task, std::string_view name) noexcept;

}  // namespace detail

/// From here on each event goes to that file, which is made anew. Called once, by the one thread
/// that there is. A file that cannot be written stays without its first line, and nothing is
/// recorded: the parent sees that.
void start(const std::filesystem::path& raw_file, std::int64_t most = most_events);

inline bool is_on() noexcept {
  return detail::is_on;
}

// All that follows is thread-safe and does nothing while the recording is off.

/// The first name that a thread is given stays.
inline void name_thread(std::string_view name) noexcept {
  if (is_on()) detail::name_thread(name);
}
/// "runtime 2"
inline void name_thread(std::string_view name, std::int64_t number) noexcept {
  if (is_on()) detail::name_thread(name, number);
}
inline void thread_ends() noexcept {
  if (is_on()) detail::mark("thread", "ends");
}

/// A thread runs a task, which nobody else has the address of before it has ended or is destroyed.
inline void turn_begins(const void* task, std::string_view name) noexcept {
  if (is_on()) detail::turn_begins(task, name);
}
/// Of the turn that this thread began last.
inline void turn_ends() noexcept {
  if (is_on()) detail::turn_ends();
}
/// The turn that the task began last is its last one.
inline void task_ended(const void* task) noexcept {
  if (is_on()) detail::task_ended(task);
}
/// In a turn, before a suspension: what that waits for. A string literal.
inline void waits_for(std::string_view what) noexcept {
  if (is_on()) detail::waits_for(what);
}
/// The task's frame goes without having run, or without having run to its end.
inline void destroyed(const void* task, std::string_view name) noexcept {
  if (is_on()) detail::destroyed(task, name);
}

inline void heartbeat() noexcept {
  if (is_on()) detail::mark("window", "heartbeat");
}
inline void rows_stored(std::int64_t count) noexcept {
  if (is_on()) detail::rows_stored(count);
}
inline void rung(std::string_view name) noexcept {
  if (is_on()) detail::mark("rung", name);
}
inline void generation_begins(std::int64_t number) noexcept {
  if (is_on()) detail::generation_begins(number);
}
inline void outcome(std::string_view word) noexcept {
  if (is_on()) detail::mark("outcome", word);
}

inline void lock_taken(const void* lock, std::string_view name) noexcept {
  if (is_on()) detail::lock_held(true, lock, name);
}
/// On whatever thread.
inline void lock_released(const void* lock, std::string_view name) noexcept {
  if (is_on()) detail::lock_held(false, lock, name);
}

inline void span_begins(const void* id, std::string_view name) noexcept {
  if (is_on()) detail::span(true, id, name);
}
/// On whatever thread.
inline void span_ends(const void* id, std::string_view name) noexcept {
  if (is_on()) detail::span(false, id, name);
}

/// From here to the end of the block a handler runs, a task of one turn.
class Turn {
 public:
  Turn(const void* task, std::string_view name) noexcept : task_(task) { turn_begins(task_, name); }
  ~Turn() {
    task_ended(task_);
    turn_ends();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  const void* const task_;
};

/// From here to the end of the block something goes on; by a string literal, "logout".
class Span {
 public:
  explicit Span(std::string_view name) noexcept : name_(name) { span_begins(this, name_); }
  ~Span() { span_ends(this, name_); }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  const std::string_view name_;
};

/// From here to the end of the block this thread may be blocked. If it is the window's, the window
/// is frozen.
class Freeze {
 public:
  Freeze() noexcept {
    if (is_on()) detail::freeze(true);
  }
  ~Freeze() {
    if (is_on()) detail::freeze(false);
  }
  Freeze(const Freeze&) = delete;
  Freeze& operator=(const Freeze&) = delete;
};

/// From here to the end of the block this thread waits for a lock.
class LockWait {
 public:
  explicit LockWait(const void* lock) noexcept : lock_(lock) {
    if (is_on()) detail::lock_wait(true, lock_);
  }
  ~LockWait() {
    if (is_on()) detail::lock_wait(false, lock_);
  }
  LockWait(const LockWait&) = delete;
  LockWait& operator=(const LockWait&) = delete;

 private:
  const Freeze freeze_;  // encloses the wait
  const void* const lock_;
};

}  // namespace scenario::recording
