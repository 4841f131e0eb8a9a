#pragma once

#include "runtime_sharing/detail/scope_state.hpp"

#include <boost/thread/thread.hpp>

#include <chrono>
#include <memory>
#include <mutex>
#include <span>

namespace runtime_sharing::detail {

/// How a scope is shut down, and with two more rungs a runtime. It stands on the thread of whoever
/// climbs it, never on a thread that it ends; deadlines are measured there, so they hold whatever
/// the tasks do.
class Ladder : public std::enable_shared_from_this<Ladder> {
 public:
  explicit Ladder(ScopeState& scope) : scope_(scope) {}
  Ladder(const Ladder&) = delete;
  Ladder& operator=(const Ladder&) = delete;
  virtual ~Ladder() = default;

  /// The first caller climbs, later ones shorten its deadlines and wait for its report.
  ShutdownReport climb(Deadlines deadlines);
  /// The same on a thread of its own. Throws boost::thread_resource_error or std::bad_alloc, and
  /// then nothing has begun.
  void begin(Deadlines deadlines);

  /// The scope is one that this ladder ends.
  bool ends(const ScopeState& scope) const noexcept { return scope_.contains(scope); }
  bool has_begun() const noexcept;
  bool is_done() const noexcept { return done.is_cancelled(); }
  /// This thread climbs it.
  bool is_climbed_here() const noexcept;
  /// It climbs some ladder.
  static bool one_is_climbed_here() noexcept;
  ShutdownReport report() const noexcept;

  const CancellationToken done;  ///< cancelled when the report is there

 protected:
  using Clock = std::chrono::steady_clock;

  /// When the ladder leaves a rung for the next.
  struct Schedule {
    Clock::time_point wait, interrupt, stop;
  };

  /// What ends those who have not ended by now: says what each of them needed.
  virtual void climb_on(const ScopeState::Records& interrupted, ShutdownReport& report) noexcept;
  /// Lives for as long as somebody climbs.
  virtual std::shared_ptr<void> keep_alive();
  virtual void stands_on(boost::thread thread) noexcept { thread.detach(); }

  /// With the mutex of the tree. The limit is looked at anew: a later caller may have shortened it.
  template <typename Condition>
  void wait_until(std::unique_lock<AdaptiveMutex>& lock, const Clock::time_point& limit,
                  Condition condition) {
    while (!condition() && Clock::now() < limit) {
      const auto limit_for_now = limit;  // it is read without the lock
      scope_.tree->changed.wait_until(lock, limit_for_now);
    }
  }

  ScopeState& scope_;
  Schedule schedule_{};  // guarded by the mutex of the tree

  void reach(Rung rung) noexcept;
  void needs(TaskRecord& task, Rung rung) noexcept;

 private:
  static Schedule begin_schedule(Deadlines deadlines) noexcept;
  void shorten_schedule(Deadlines deadlines) noexcept;
  void climb_all() noexcept;
  ScopeState::Records unfinished() const noexcept;
  ScopeState::Records interrupt_deaf_tasks() noexcept;
  void interrupt(TaskRecord& task) noexcept;
  void wait_for_ends(std::span<const boost::intrusive_ptr<TaskRecord>> tasks,
                     Clock::rep steps_left) noexcept;

  Rung reached_ = Rung::tell;      // as the observer knows it
  const Ladder* below_ = nullptr;  // climbed on the same thread, and has called this one
  bool has_begun_ = false;         // guarded by the mutex of the tree, like the next one
  ShutdownReport report_;
};

}  // namespace runtime_sharing::detail
