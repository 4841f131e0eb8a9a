#pragma once

#include "scenario/surroundings.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/thread/lock_guard.hpp>
#include <boost/thread/thread.hpp>

#include "observed_mutex.hpp"
#include <memory>
#include <optional>
#include <vector>

namespace mutex_problem {

namespace asio = boost::asio;

/// An io_context with its threads. It has one owner, which can end it at any time: movable, so
/// that it can be taken out of a std::optional.
class Runtime {
 public:
  Runtime(int threads, scenario::ThreadCensus& census)
      : context_(std::make_unique<asio::io_context>(threads)),
        keep_running_(asio::make_work_guard(*context_)) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([&context = *context_, &census] {
        census.enter();
        context.run();
        census.leave();
      });
    }
  }
  Runtime(Runtime&&) = default;
  Runtime& operator=(Runtime&&) = delete;
  ~Runtime() {
    if (!context_) return;
    context_->stop();
    for (auto& thread : threads_) thread.join();
  }

  asio::io_context::executor_type get_executor() noexcept { return context_->get_executor(); }

 private:
  std::unique_ptr<asio::io_context> context_;
  asio::executor_work_guard<asio::io_context::executor_type> keep_running_;
  std::vector<boost::thread> threads_;
};

/// One owner behind a lock: whoever uses the runtime locks, whoever ends it takes it out.
struct GuardedRuntime {
  /// Waits for whoever holds the lock; the caller ends the runtime by letting go of it.
  std::optional<Runtime> take() {
    const boost::lock_guard<ObservedMutex> guard(mutex);
    std::optional<Runtime> taken = std::move(runtime);
    runtime.reset();
    return taken;
  }

  ObservedMutex mutex;
  std::optional<Runtime> runtime;  // guarded by mutex
};

}  // namespace mutex_problem
