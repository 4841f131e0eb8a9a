#pragma once

// What makes a task run on one thread at a time: a strand that lives in the task itself.
//
// Asio's strand would do, at the price of an allocation, a shared mutex and a post of its own for
// every task. This one is a pointer in the task's record: null while nothing is to be done, a mark
// while a thread runs the queue, otherwise the operations that wait, the newest first.

#include <boost/asio/recycling_allocator.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace runtime_sharing::detail {

namespace asio = boost::asio;

/// Objects that come and go with each step of a coroutine: in the memory that Asio keeps for that
/// on its own threads.
struct Recycled {
  static void* operator new(std::size_t size) {
    return asio::recycling_allocator<std::byte>().allocate(size);
  }
  static void operator delete(void* memory, std::size_t size) {
    asio::recycling_allocator<std::byte>().deallocate(static_cast<std::byte*>(memory), size);
  }
};

/// Room for one allocation at a time, inside of an object that has one post under way at most.
template <std::size_t Size>
class EmbeddedMemory {
 public:
  /// As an associated allocator. What does not fit comes from the heap.
  template <typename T>
  class Allocator {
   public:
    using value_type = T;

    explicit Allocator(EmbeddedMemory& memory) noexcept : memory_(&memory) {}
    template <typename Other>
    Allocator(const Allocator<Other>& other) noexcept : memory_(other.memory_) {}

    T* allocate(std::size_t count) {
      if (fits(count)) return reinterpret_cast<T*>(memory_->bytes_);
      return std::allocator<T>().allocate(count);
    }
    void deallocate(T* object, std::size_t count) noexcept {
      if (!fits(count)) std::allocator<T>().deallocate(object, count);
    }
    friend bool operator==(const Allocator&, const Allocator&) = default;

   private:
    template <typename>
    friend class Allocator;
    static constexpr bool fits(std::size_t count) noexcept {
      return count * sizeof(T) <= Size && alignof(T) <= alignof(std::max_align_t);
    }
    EmbeddedMemory* memory_;
  };

  Allocator<std::byte> allocator() noexcept { return Allocator<std::byte>(*this); }

 private:
  alignas(std::max_align_t) std::byte bytes_[Size];
};

/// A step of a task. Its queue calls one of the two functions, once.
class QueuedOperation {
 public:
  virtual void run() = 0;
  /// Instead of run(), when the context has ended. Runs user code: the destructors of a handler.
  virtual void discard() noexcept = 0;

  QueuedOperation(const QueuedOperation&) = delete;
  QueuedOperation& operator=(const QueuedOperation&) = delete;

 protected:
  constexpr QueuedOperation() = default;
  ~QueuedOperation() = default;

 private:
  friend class SerialQueue;
  QueuedOperation* next_ = nullptr;
};

/// A function object that was handed to an executor.
template <typename Function>
class FunctionOperation final : public QueuedOperation, public Recycled {
 public:
  explicit FunctionOperation(Function function) : function_(std::move(function)) {}

  void run() override {
    std::unique_ptr<FunctionOperation> memory(this);
    Function function = std::move(function_);
    memory.reset();  // before the call, which may need it at once
    std::move(function)();
  }
  void discard() noexcept override {
    std::unique_ptr<FunctionOperation> memory(this);
    [[maybe_unused]] const Function function = std::move(function_);
    memory.reset();
  }

 private:
  Function function_;
};

class SerialQueue {
 public:
  SerialQueue() = default;
  SerialQueue(const SerialQueue&) = delete;
  SerialQueue& operator=(const SerialQueue&) = delete;

  /// Appends, from any thread. True if the queue was idle: the caller sees to it that run() is
  /// called, once.
  [[nodiscard]] bool push(QueuedOperation& operation) noexcept {
    QueuedOperation* top = top_.load(std::memory_order_relaxed);
    do {
      if (top == &closed) {
        operation.discard();
        return false;
      }
      operation.next_ = top == &busy ? nullptr : top;
    } while (!top_.compare_exchange_weak(top, &operation, std::memory_order_release,
                                         std::memory_order_relaxed));
    return top == nullptr;
  }

  /// If the queue is idle: makes `operation` the first of a run() that the caller calls at once.
  [[nodiscard]] bool begin_with(QueuedOperation& operation) noexcept {
    QueuedOperation* idle = nullptr;
    if (!top_.compare_exchange_strong(idle, &busy, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
      return false;
    }
    operation.next_ = nullptr;
    ready_ = &operation;
    return true;
  }

  /// Runs what is there by now. True if there is more: the caller calls it again, after others had
  /// their turn. An exception leaves what is still there for the next call.
  [[nodiscard]] bool run() {
    if (ready_ == nullptr) {
      ready_ = in_order(top_.exchange(&busy, std::memory_order_acquire));
    }
    while (ready_ != nullptr) std::exchange(ready_, ready_->next_)->run();
    QueuedOperation* nothing_new = &busy;
    return !top_.compare_exchange_strong(nothing_new, nullptr, std::memory_order_release,
                                         std::memory_order_relaxed);
  }

  /// Instead of a run() that will not come: discards what is there, and what is pushed from now on.
  void close() noexcept {
    QueuedOperation* waiting = in_order(top_.exchange(&closed, std::memory_order_acquire));
    while (ready_ != nullptr) std::exchange(ready_, ready_->next_)->discard();
    while (waiting != nullptr) std::exchange(waiting, waiting->next_)->discard();
  }

 private:
  struct Mark final : QueuedOperation {
    void run() override {}
    void discard() noexcept override {}
  };
  static inline constinit Mark busy;    // in the place of an operation: run() is going on
  static inline constinit Mark closed;  // for ever

  static QueuedOperation* in_order(QueuedOperation* newest) noexcept {
    QueuedOperation* oldest = nullptr;
    while (newest != nullptr && newest != &busy && newest != &closed) {
      QueuedOperation* const older = newest->next_;
      newest->next_ = oldest;
      oldest = newest;
      newest = older;
    }
    return oldest;
  }

  std::atomic<QueuedOperation*> top_{nullptr};
  QueuedOperation* ready_ = nullptr;  // belongs to whoever runs or closes the queue
};

}  // namespace runtime_sharing::detail
