// Every asynchronous function of the library is an initiating function: whatever completion token,
// its associated executor, allocator and cancellation slot are honoured, and nothing completes
// inside the initiating call.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

namespace conformance {

namespace asio = boost::asio;

/// Memory that counts how many pieces of it are in use.
template <typename T>
struct CountingAllocator {
  using value_type = T;

  explicit CountingAllocator(std::atomic<int>* count) : in_use(count) {}
  template <typename Other>
  CountingAllocator(const CountingAllocator<Other>& other) : in_use(other.in_use) {}
  T* allocate(std::size_t count) {
    ++*in_use;
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* object, std::size_t count) {
    --*in_use;
    std::allocator<T>().deallocate(object, count);
  }
  friend bool operator==(const CountingAllocator&, const CountingAllocator&) = default;

  std::atomic<int>* in_use;
};

class Conformance : public testing::Test {
 protected:
  template <typename Start>
  void conforms(Start start);

 private:
  // Lives longer than the threads of a test: they let go of it only after they have posted to it.
  asio::io_context context_;
};

/// `start(completion_token)` begins an operation that will complete by itself, each time anew.
template <typename Start>
void Conformance::conforms(Start start) {
  const auto run = [&] {
    context_.restart();
    auto work = asio::make_work_guard(context_);
    return work;
  };

  {  // a callback: on its executor, and not inside the call
    auto work = run();
    bool inside = true;
    bool was_inside = true;
    std::thread::id ran_on;
    start(asio::bind_executor(context_, [&](auto&&...) {
      was_inside = inside;
      ran_on = std::this_thread::get_id();
      context_.stop();
    }));
    inside = false;
    context_.run();
    EXPECT_FALSE(was_inside);
    EXPECT_EQ(ran_on, std::this_thread::get_id());
  }
  {  // use_future
    auto future = start(asio::use_future);
    EXPECT_EQ(future.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  }
  {  // use_awaitable, as_tuple
    auto work = run();
    int completed = 0;
    asio::co_spawn(
        context_,
        [&]() -> asio::awaitable<void> {
          static_cast<void>(co_await start(asio::as_tuple(asio::use_awaitable)));
          ++completed;
          try {
            co_await start(asio::use_awaitable);
          } catch (const boost::system::system_error&) {
            // An error is a completion too.
          }
          ++completed;
          context_.stop();
        },
        asio::detached);
    context_.run();
    EXPECT_EQ(completed, 2);
  }
  {  // deferred: nothing begins before the call
    auto work = run();
    bool completed = false;
    auto operation = start(asio::deferred);
    std::move(operation)(asio::bind_executor(context_, [&](auto&&...) {
      completed = true;
      context_.stop();
    }));
    context_.run();
    EXPECT_TRUE(completed);
  }
  {  // an allocator, which has everything back before the handler runs, and a slot that is not used
    auto work = run();
    std::atomic<int> in_use = 0;
    int in_use_at_completion = -1;
    asio::cancellation_signal signal;
    start(asio::bind_allocator(
        CountingAllocator<void*>(&in_use),
        asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(context_, [&](auto&&...) {
                                       in_use_at_completion = in_use;
                                       context_.stop();
                                     }))));
    context_.run();
    EXPECT_EQ(in_use_at_completion, 0);
  }
  start(asio::detached);
}

}  // namespace conformance
