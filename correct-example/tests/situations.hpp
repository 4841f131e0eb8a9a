// What the tests of the situations share: guards against a hang, and warnings.
#pragma once

#include "runtime_sharing/runtime.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

/// What the future holds, or the end of the process: nobody can clean up after a hang.
template <typename Result>
Result in_time(std::future<Result> future, std::string_view what) {
  if (future.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
    std::cerr << "after 20 seconds still not: " << what << '\n' << std::flush;
    std::abort();
  }
  return future.get();
}

/// Returns once the condition holds, or ends the process.
template <typename Condition>
void wait_until(Condition condition, std::string_view what) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      std::cerr << "after 20 seconds still not: " << what << '\n' << std::flush;
      std::abort();
    }
    std::this_thread::yield();
  }
}

/// Time enough for every rung: no deadline decides anything.
inline constexpr runtime_sharing::Deadlines patient{
    std::chrono::seconds(20), std::chrono::seconds(20), std::chrono::seconds(20)};

/// Returns once every task spawned before has begun, and is suspended: for runtimes of one thread.
inline void let_tasks_run(runtime_sharing::Runtime& runtime) {
  in_time(boost::asio::post(runtime.get_executor(), boost::asio::use_future),
          "a turn of the runtime's thread");
}

/// What a runtime warned of. It may do so after the test: the list is shared.
class Warnings {
 public:
  std::function<void(std::string_view)> sink() const {
    return [list = list_](std::string_view message) {
      const std::lock_guard lock(list->mutex);
      list->messages.emplace_back(message);
    };
  }
  std::vector<std::string> taken() const {
    const std::lock_guard lock(list_->mutex);
    return list_->messages;
  }

 private:
  struct List {
    std::mutex mutex;
    std::vector<std::string> messages;  // guarded by mutex
  };
  const std::shared_ptr<List> list_ = std::make_shared<List>();
};
