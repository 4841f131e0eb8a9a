#pragma once

// How tasks get their turns on the threads of a context. Skip this on first reading: what the other
// layers need to know is that a task that wants a turn gets one, and that whoever was woken does.
//
// Asio's way is one post per step of a task: a lock that all threads share, and often a thread to
// wake. Here a task with a step to run stands in a line of the thread that put it there, together
// with the waiters that a cancelled token has woken, and one posted batch gives turns to many.
//
// What keeps it fair: a line is first in, first out, and of every `own_line_first` turns on a
// thread one looks at the other lines first, in turn. So whoever is first in some line, that of the
// threads outside included, has a turn after at most `own_line_first` times the number of lines.
// Before a task gets the thread, a next batch is under way if anybody else waits: a task that does
// not give the thread back delays nobody but itself, as long as the context has another thread. And
// after a batch others who use the context have their turn.

#include "runtime_sharing/detail/context_gate.hpp"
#include "runtime_sharing/detail/wake_queue.hpp"

#include <boost/asio/execution_context.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

namespace runtime_sharing::detail {

namespace asio = boost::asio;

class Turns : public std::enable_shared_from_this<Turns> {
 public:
  explicit Turns(asio::execution_context& context);
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  virtual ~Turns();

  asio::execution_context& context() const noexcept { return context_; }
  std::size_t lines() const noexcept { return lines_.size(); }

  /// The waiter gets a turn; or it is dropped, if the context has ended. Thread-safe.
  void submit(Waiter& waiter) noexcept;
  /// Where those who run on this thread wait.
  WakeQueue& line_here() const noexcept;

  /// From 1, for a thread that always runs the context; 0 for any other.
  virtual std::size_t thread_number() const noexcept { return 0; }

  /// Of so many turns on a thread one looks at the other lines first.
  static constexpr unsigned own_line_first = 16;

 protected:
  class Batch {
   public:
    explicit Batch(std::shared_ptr<Turns> turns) noexcept : turns_(std::move(turns)) {}
    void operator()() { turns_->run_batch(); }

   private:
    std::shared_ptr<Turns> turns_;
  };

  /// A line for each of `threads`, and one for all others. Called once, first thing.
  void begin(std::size_t threads);
  /// Whoever waits in a line is dropped, now and later. May be called again.
  void end() noexcept;

 private:
  class Line;

  /// Hands it to a thread of the context, or drops it if the context has ended.
  virtual void post(Batch batch) noexcept = 0;
  /// One on an executor of somebody else's: it may look at each step, or order them.
  virtual int turns_per_batch() const noexcept { return 1; }

  void submit_batch() noexcept;
  void run_batch();
  Waiter* take_next() noexcept;

  asio::execution_context& context_;
  std::vector<boost::intrusive_ptr<Line>> lines_;  // by thread_number(); constant
  alignas(cache_line) std::atomic<bool> batch_is_posted_{false};
};

}  // namespace runtime_sharing::detail
