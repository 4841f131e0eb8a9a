#pragma once

// Finds, while the program runs, a lock that is held across a suspension.
//
// A lock belongs to a thread, a suspended coroutine to none. So when a handler returns to the
// executor, its thread must hold no lock that it took in that handler. If it does, a coroutine has
// suspended with a guard in its frame; nobody needs to wait for the deadlock.
//
// Write `suspension_checker::Mutex`, `Lock` and `executor()`. They are those of `checked` in a
// debug build and those of `unchecked`, which cost nothing, in one with NDEBUG. The macro
// RUNTIME_SHARING_SUSPENSION_CHECKER, 1 or 0, decides otherwise: the same in the whole program.
//
// Called elsewhere: Linux's "BUG: scheduling while atomic" and `might_sleep()`. tokio and folly
// have no counterpart: Rust's compiler refuses such a task (a `MutexGuard` is not `Send`), clippy
// has `await_holding_lock`; abseil's mutex finds deadlocks, by the order of locks.

#include "runtime_sharing/detail/adapted_executor.hpp"

#include <boost/thread/lock_options.hpp>
#include <boost/thread/lock_types.hpp>
#include <boost/thread/mutex.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <memory>
#include <ostream>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runtime_sharing {

/// The checker when it is on.
namespace checked {

/// What the checker found: a lock that was held when its task suspended.
struct HeldLock {
  std::string_view lock;          ///< the mutex's name
  std::source_location taken_at;  ///< the line that locked it
  std::string_view task;          ///< the name that the executor was given; valid during the report
};

/// One line: the task, the lock, and the file and line where it was taken.
inline std::ostream& operator<<(std::ostream& stream, const HeldLock& held) {
  return stream << "task '" << held.task << "' is suspended and holds the lock '" << held.lock
                << "', taken at " << held.taken_at.file_name() << ":" << held.taken_at.line();
}

/// Told of each finding, on the thread that made it, before that runs anything else. Must not
/// throw.
using ReportFunction = void (*)(const HeldLock&);

/// Prints the finding on standard error and aborts, like a failed assert. The default.
[[noreturn]] inline void report_and_abort(const HeldLock& held) {
  std::cerr << "suspension checker: " << held << '\n' << std::flush;
  std::abort();
}

namespace detail {

inline std::atomic<ReportFunction> report_function{report_and_abort};

/// The locks that a thread has taken and not released. Each thread has its own.
class HeldLocks {
 public:
  /// Null when the thread's locals are gone: static objects may still lock as the process ends.
  static HeldLocks* of_this_thread() {
    static thread_local bool is_gone = false;
    static thread_local const struct Owner {
      ~Owner() { is_gone = true; }
      std::unique_ptr<HeldLocks> locks = std::make_unique<HeldLocks>();
    } owner;
    return is_gone ? nullptr : owner.locks.get();
  }

  /// So that add() cannot fail: a lock that is taken is also noted.
  void make_room() { held_.reserve(held_.size() + 1); }

  void add(const void* mutex, std::string_view name, std::source_location where) noexcept {
    held_.push_back({mutex, name, where, depth_});
  }

  /// Not here if another thread took it, or if it was reported.
  void remove(const void* mutex) noexcept {
    const auto found = std::find(held_.rbegin(), held_.rend(), mutex);
    if (found != held_.rend()) held_.erase(std::next(found).base());
  }

  void enter_handler() noexcept { ++depth_; }

  /// Reports what this handler took and did not release, and forgets it: it went with a frame.
  void leave_handler(std::string_view task) noexcept {
    while (!held_.empty() && held_.back().depth == depth_) {
      const Entry entry = held_.back();
      held_.pop_back();
      report_function.load()({entry.name, entry.where, task});
    }
    --depth_;
  }

 private:
  struct Entry {
    const void* mutex;
    std::string_view name;
    std::source_location where;
    std::size_t depth;  ///< of the handler that took it

    bool operator==(const void* other) const noexcept { return mutex == other; }
  };

  std::vector<Entry> held_;  // in the order of locking: the innermost handler's come last
  std::size_t depth_ = 0;    // handlers nest, by dispatch
};

/// Looks at the thread's locks after each function that the executor runs.
struct CheckPolicy {
  class Handler {
   public:
    explicit Handler(const std::string& task) noexcept : task_(task) {
      if (locks_ != nullptr) locks_->enter_handler();
    }
    ~Handler() {
      if (locks_ != nullptr) locks_->leave_handler(task_);
    }
    Handler(const Handler&) = delete;
    Handler& operator=(const Handler&) = delete;

   private:
    HeldLocks* const locks_ = HeldLocks::of_this_thread();
    const std::string& task_;
  };

  template <typename Inner, typename Function>
  void execute(const Inner& inner, Function&& function) const {
    inner.execute([task = task, function = std::forward<Function>(function)]() mutable {
      const Handler handler(*task);
      std::move(function)();
    });
  }

  friend bool operator==(const CheckPolicy&, const CheckPolicy&) = default;

  std::shared_ptr<const std::string> task;
};

}  // namespace detail

/// Whom to tell from now on, instead of the function returned. Thread-safe.
inline ReportFunction set_report_function(ReportFunction function) noexcept {
  return detail::report_function.exchange(function);
}

/// A boost::mutex that its thread's list of held locks knows about. Take it with Lock: through
/// another guard it is checked too, but where it was taken is then a line in that guard's header.
class Mutex {
 public:
  /// `name` is not copied: a string literal.
  explicit Mutex(std::string_view name) : name_(name) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  /// Throws what boost::mutex throws; std::bad_alloc, not locked.
  void lock(std::source_location where = std::source_location::current()) {
    auto* const held = detail::HeldLocks::of_this_thread();
    if (held != nullptr) held->make_room();
    mutex_.lock();
    if (held != nullptr) held->add(this, name_, where);
  }

  /// The same without waiting; false if it is taken.
  bool try_lock(std::source_location where = std::source_location::current()) {
    auto* const held = detail::HeldLocks::of_this_thread();
    if (held != nullptr) held->make_room();
    if (!mutex_.try_lock()) return false;
    if (held != nullptr) held->add(this, name_, where);
    return true;
  }

  /// On any thread, as far as the checker is concerned.
  void unlock() {
    if (auto* const held = detail::HeldLocks::of_this_thread()) held->remove(this);
    mutex_.unlock();
  }

 private:
  boost::mutex mutex_;
  const std::string_view name_;
};

/// A guard that notes where it was made.
class Lock : public boost::unique_lock<Mutex> {
 public:
  /// Locks; throws what Mutex::lock() throws.
  explicit Lock(Mutex& mutex, std::source_location where = std::source_location::current())
      : unique_lock(locked(mutex, where), boost::adopt_lock) {}

 private:
  static Mutex& locked(Mutex& mutex, std::source_location where) {
    mutex.lock(where);
    return mutex;
  }
};

/// `inner`, with a look at the thread's locks after each handler. Give it to the task itself,
/// outside of a strand: `co_spawn(executor(make_strand(context), "receiver"), ...)`. Throws
/// std::bad_alloc.
template <typename Inner>
auto executor(Inner inner, std::string_view task_name) {
  return runtime_sharing::detail::AdaptedExecutor(
      std::move(inner), detail::CheckPolicy{std::make_shared<const std::string>(task_name)});
}

}  // namespace checked

/// The checker when it is off: the plain types under the same names.
namespace unchecked {

/// A boost::mutex, and nothing more.
class Mutex : public boost::mutex {
 public:
  /// The name is not kept.
  explicit Mutex(std::string_view) {}
};

/// The guard of checked::Lock, without a note of where it was made.
using Lock = boost::unique_lock<boost::mutex>;

/// `inner` itself.
template <typename Inner>
Inner executor(Inner inner, std::string_view) {
  return inner;
}

}  // namespace unchecked

#ifndef RUNTIME_SHARING_SUSPENSION_CHECKER
#ifdef NDEBUG
#define RUNTIME_SHARING_SUSPENSION_CHECKER 0
#else
#define RUNTIME_SHARING_SUSPENSION_CHECKER 1
#endif
#endif

#if RUNTIME_SHARING_SUSPENSION_CHECKER
namespace suspension_checker = checked;
#else
namespace suspension_checker = unchecked;
#endif

}  // namespace runtime_sharing
