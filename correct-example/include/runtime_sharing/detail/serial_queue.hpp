#pragma once

// What makes a task run on one thread at a time: a strand that lives in the task itself.
//
// Asio's strand would do, at the price of an allocation, a shared mutex and a post of its own for
// every task. This one is a pointer in the task's record: null while nothing is to be done, a mark
// while a thread runs the queue, otherwise the steps that wait, the newest first.

#include <boost/asio/recycling_allocator.hpp>

#include <atomic>
#include <new>
#include <utility>

namespace runtime_sharing::detail {

namespace asio = boost::asio;

/// A step of a task. Its queue calls one of the two functions, once.
class Step {
 public:
  virtual void run() = 0;
  /// Instead of run(), when the context has ended. Runs user code: the destructors of a handler.
  virtual void discard() noexcept = 0;

  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

 protected:
  constexpr Step() = default;
  ~Step() = default;

 private:
  friend class SerialQueue;
  friend class HandlerQueue;  // for those that are on their way to no SerialQueue
  Step* next_ = nullptr;
};

/// A function object that was handed to an executor.
template <typename Function>
class FunctionStep final : public Step {
 public:
  /// Throws std::bad_alloc, and what moving the function throws.
  static Step& make(Function function) {
    FunctionStep* const memory = Allocator().allocate(1);
    try {
      return *::new (static_cast<void*>(memory)) FunctionStep(std::move(function));
    } catch (...) {
      Allocator().deallocate(memory, 1);
      throw;
    }
  }

  void run() override { take_out()(); }
  void discard() noexcept override { static_cast<void>(take_out()); }

 private:
  // Comes and goes with each step of a coroutine: from the memory that Asio keeps for that.
  using Allocator = asio::recycling_allocator<FunctionStep>;

  explicit FunctionStep(Function function) : function_(std::move(function)) {}

  /// Memory first: the call may need it at once.
  Function take_out() {
    Function function(std::move(function_));
    this->~FunctionStep();
    Allocator().deallocate(this, 1);
    return function;
  }

  Function function_;
};

/// Used by the library's own sources only: its marks have one address there.
class SerialQueue {
 public:
  SerialQueue() = default;
  SerialQueue(const SerialQueue&) = delete;
  SerialQueue& operator=(const SerialQueue&) = delete;

  /// Appends, from any thread. True if the queue was idle: the caller sees to it that run() is
  /// called, once. That one comes after all that the last run() has done.
  [[nodiscard]] bool push(Step& step) noexcept {
    Step* top = top_.load(std::memory_order_relaxed);
    do {
      if (top == &closed) {
        step.discard();
        return false;
      }
      step.next_ = top == &busy ? nullptr : top;
    } while (!top_.compare_exchange_weak(top, &step, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
    return top == nullptr;
  }

  /// If the queue is idle: makes `step` the first of a run() that the caller calls at once.
  [[nodiscard]] bool begin_with(Step& step) noexcept {
    Step* idle = nullptr;
    if (!top_.compare_exchange_strong(idle, &busy, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
      return false;
    }
    step.next_ = nullptr;
    ready_ = &step;
    return true;
  }

  /// Runs what is there by now. An exception leaves the rest for the next call.
  void run() {
    if (ready_ == nullptr) ready_ = in_order(top_.exchange(&busy, std::memory_order_acquire));
    while (ready_ != nullptr) std::exchange(ready_, ready_->next_)->run();
  }
  /// After run(): the queue is idle. False if there is more: the caller calls run() again, after
  /// others had their turn.
  [[nodiscard]] bool rest() noexcept {
    if (ready_ != nullptr) return false;
    Step* nothing_new = &busy;
    return top_.compare_exchange_strong(nothing_new, nullptr, std::memory_order_release,
                                        std::memory_order_relaxed);
  }

  /// Instead of a run() that will not come: discards what is there, and what is pushed from now on.
  void close() noexcept {
    Step* waiting = in_order(top_.exchange(&closed, std::memory_order_acquire));
    while (ready_ != nullptr) std::exchange(ready_, ready_->next_)->discard();
    while (waiting != nullptr) std::exchange(waiting, waiting->next_)->discard();
  }

 private:
  struct Mark final : Step {
    void run() override {}
    void discard() noexcept override {}
  };
  static inline constinit Mark busy;    // in the place of a step: run() is going on
  static inline constinit Mark closed;  // for ever

  static Step* in_order(Step* newest) noexcept {
    Step* oldest = nullptr;
    while (newest != nullptr && newest != &busy && newest != &closed) {
      Step* const older = newest->next_;
      newest->next_ = oldest;
      oldest = newest;
      newest = older;
    }
    return oldest;
  }

  std::atomic<Step*> top_{nullptr};
  Step* ready_ = nullptr;  // belongs to whoever runs or closes the queue
};

}  // namespace runtime_sharing::detail
