#include "correct-example/tests/conformance.hpp"
#include "runtime_sharing/task_scope.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <future>
#include <thread>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using conformance::Conformance;
using runtime_sharing::TaskScope;

asio::awaitable<void> nothing() {
  co_return;
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
