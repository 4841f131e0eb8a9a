// Every asynchronous function of the library is an initiating function: whatever completion token,
// its associated executor, allocator and cancellation slot are honoured, and nothing completes
// inside the initiating call.

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime_slot.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;
using runtime_sharing::Runtime;
using runtime_sharing::RuntimeSlot;
using runtime_sharing::TaskScope;

asio::awaitable<void> nothing() {
  co_return;
}

/// Memory that says whether anybody asked for it.
template <typename T>
struct NotingAllocator {
  using value_type = T;

  explicit NotingAllocator(bool* flag) : asked(flag) {}
  template <typename Other>
  NotingAllocator(const NotingAllocator<Other>& other) : asked(other.asked) {}
  T* allocate(std::size_t count) {
    *asked = true;
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* object, std::size_t count) { std::allocator<T>().deallocate(object, count); }
  friend bool operator==(const NotingAllocator&, const NotingAllocator&) = default;

  bool* asked;
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
    EXPECT_EQ(future.wait_for(30s), std::future_status::ready);
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
  {  // an allocator, and a slot that is not used
    auto work = run();
    bool asked = false;
    asio::cancellation_signal signal;
    start(asio::bind_allocator(
        NotingAllocator<void*>(&asked),
        asio::bind_cancellation_slot(
            signal.slot(), asio::bind_executor(context_, [&](auto&&...) { context_.stop(); }))));
    context_.run();
  }
  start(asio::detached);
}

CancellationToken cancelled_token() {
  CancellationToken token;
  token.cancel();
  return token;
}

TEST_F(Conformance, CancellationTokenCancelled) {
  const auto token = cancelled_token();
  conforms([&](auto&& completion) {
    return token.cancelled(std::forward<decltype(completion)>(completion));
  });
}

TEST_F(Conformance, CancelOn) {
  const auto token = cancelled_token();
  asio::thread_pool pool(1);
  asio::steady_timer timer(pool, asio::steady_timer::time_point::max());
  conforms([&](auto&& completion) {
    return timer.async_wait(cancel_on(token, std::forward<decltype(completion)>(completion)));
  });
  pool.join();
}

TEST_F(Conformance, TaskScopeAsyncWait) {
  asio::thread_pool pool(1);
  TaskScope scope("scope", pool.get_executor());
  scope.close();
  conforms([&](auto&& completion) {
    return scope.async_wait(std::forward<decltype(completion)>(completion));
  });
}

TEST_F(Conformance, TaskScopeAsyncSpawn) {
  asio::thread_pool pool(1);
  TaskScope scope("scope", pool.get_executor());
  conforms([&](auto&& completion) {
    return scope.async_spawn("task", nothing, std::forward<decltype(completion)>(completion));
  });
  pool.join();
}

TEST_F(Conformance, TaskHandleAsyncJoin) {
  asio::thread_pool pool(1);
  TaskScope scope("scope", pool.get_executor());
  const auto handle = scope.spawn("task", nothing);
  conforms([&](auto&& completion) {
    return handle.async_join(std::forward<decltype(completion)>(completion));
  });
  pool.join();
}

TEST_F(Conformance, RuntimeSpawnBlocking) {
  const auto runtime = Runtime::start({.threads = 1});
  conforms([&](auto&& completion) {
    return runtime->spawn_blocking(
        "blocking", [] { return 7; }, std::forward<decltype(completion)>(completion));
  });
  runtime->shutdown();
}

TEST_F(Conformance, RuntimeAsyncShutdown) {
  const auto runtime = Runtime::start({.threads = 1});
  conforms([&](auto&& completion) {
    return runtime->async_shutdown({}, std::forward<decltype(completion)>(completion));
  });
}

TEST_F(Conformance, RuntimeSlotAsyncStart) {
  RuntimeSlot slot({.threads = 1});
  conforms([&](auto&& completion) {
    return slot.async_start(std::forward<decltype(completion)>(completion));
  });
  slot.current()->shutdown();
}

TEST_F(Conformance, RuntimeSlotAsyncShutdown) {
  RuntimeSlot slot({.threads = 1});
  slot.start();
  conforms([&](auto&& completion) {
    return slot.async_shutdown({}, std::forward<decltype(completion)>(completion));
  });
}

/// A scope runs its tasks on `executor`, and they hear its token.
template <typename Executor>
void carries_a_scope(Executor executor) {
  TaskScope scope("scope", executor);
  std::promise<void> began;
  scope.spawn("task", [&, token = scope.token()]() -> asio::awaitable<void> {
    co_await asio::post(asio::use_awaitable);
    began.set_value();
    co_await token.cancelled();
  });
  began.get_future().wait();
  scope.close();

  scope.token().cancel();

  EXPECT_TRUE(scope.wait_until(std::chrono::steady_clock::now() + 30s));
}

TEST_F(Conformance, ATasksExecutorHasTheBlockingProperty) {
  namespace execution = asio::execution;
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  bool ran_inline = false;
  bool ran_inline_though_never = false;

  scope.spawn("task", [&]() -> asio::awaitable<void> {
    const auto executor = co_await asio::this_coro::executor;
    const auto never = asio::require(executor, execution::blocking.never);
    EXPECT_TRUE(asio::query(never, execution::blocking) == execution::blocking.never);
    EXPECT_TRUE(asio::query(executor, execution::blocking) == execution::blocking.possibly);
    EXPECT_TRUE(executor == asio::prefer(never, execution::blocking.possibly));
    EXPECT_FALSE(executor == never);
    executor.execute([&] { ran_inline = true; });
    EXPECT_TRUE(ran_inline);
    never.execute([&] { ran_inline_though_never = true; });
    EXPECT_FALSE(ran_inline_though_never);
  });
  context.run();

  EXPECT_TRUE(ran_inline_though_never);
  scope.close();
}

TEST_F(Conformance, AScopeRunsOnAnyExecutor) {
  asio::io_context context;
  auto work = asio::make_work_guard(context);
  std::thread runs_context([&] { context.run(); });
  asio::thread_pool pool(2);

  carries_a_scope(context.get_executor());
  carries_a_scope(pool.get_executor());
  carries_a_scope(asio::make_strand(pool));
  carries_a_scope(asio::any_io_executor(asio::make_strand(context)));
  carries_a_scope(asio::system_executor());

  work.reset();
  runs_context.join();
}

}  // namespace
