#include "runtime_sharing/task_scope.hpp"

#include "correct-example/tests/endless_tasks.hpp"
#include "runtime_sharing/cancel_on.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <latch>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using boost::system::system_error;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;
using runtime_sharing::Errc;
using runtime_sharing::TaskScope;
using testing::ElementsAre;
using testing::HasSubstr;

// Its destructor closes and cancels: that of a copy would end the tasks of the original.
static_assert(!std::is_copy_constructible_v<TaskScope>);

TEST(TaskScope, RunsTheTaskAndKeepsItsCapturesAlive) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  const auto owned = std::make_shared<int>(0);

  scope.spawn("task", [copy = owned]() -> asio::awaitable<void> {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    *copy = 7;
  });
  context.run();

  EXPECT_EQ(*owned, 7);
  EXPECT_EQ(owned.use_count(), 1);
}

/// An executor that counts the functions it is given.
struct Counting {
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  Counting require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <typename Function>
  void execute(Function&& function) const {
    ++*functions;
    asio::require(context->get_executor(), asio::execution::blocking.never)
        .execute(std::forward<Function>(function));
  }
  bool operator==(const Counting&) const noexcept = default;

  asio::io_context* context;
  int* functions;
};

TEST(TaskScope, GivesItsExecutorOneFunctionForEachTurnOfATask) {
  asio::io_context context;
  int functions = 0;
  TaskScope scope("scope", Counting{&context, &functions});

  scope.spawn("task", []() -> asio::awaitable<void> {
    co_await asio::post(asio::use_awaitable);
    co_await asio::post(asio::use_awaitable);
  });
  context.run();

  EXPECT_EQ(functions, 3);
}

TEST(TaskScope, ATaskThatWaitsForATokenKeepsItsContextFromRunningOutOfWork) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  scope.spawn("waits",
              [token = scope.token()]() -> asio::awaitable<void> { co_await token.cancelled(); });

  context.poll();
  const bool while_it_waits = context.stopped();
  scope.token().cancel();
  context.poll();

  EXPECT_FALSE(while_it_waits);
  EXPECT_TRUE(context.stopped());
}

TEST(TaskScope, RefusesToSpawnAfterCloseAndNamesTheTask) {
  asio::io_context context;
  TaskScope scope("session", context.get_executor());
  scope.close();

  std::optional<system_error> refusal;
  try {
    scope.spawn("late", wait_for_ever);
  } catch (const system_error& error) {
    refusal = error;
  }

  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code(), Errc::scope_closed);
  EXPECT_THAT(refusal->what(), HasSubstr("task 'late' refused by scope 'session'"));
  EXPECT_EQ(scope.size(), 0u);
}

TEST(TaskScope, WaitNeedsClosedAndEmptyAndWakesEveryWaiter) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  int woken = 0;
  scope.spawn("task", [&]() -> asio::awaitable<void> {
    co_await asio::steady_timer(context, asio::steady_timer::time_point::max())
        .async_wait(cancel_on(scope.token(), asio::as_tuple(asio::use_awaitable)));
  });
  for (int i = 0; i < 3; ++i) {
    scope.async_wait(
        asio::bind_executor(context, [&](error_code error) { woken += error ? 100 : 1; }));
  }

  context.poll();
  const int while_open = woken;
  scope.close();
  context.poll();
  const int while_busy = woken;
  scope.token().cancel();
  context.run();

  EXPECT_EQ(while_open, 0);
  EXPECT_EQ(while_busy, 0);
  EXPECT_EQ(woken, 3);
}

TEST(TaskScope, AScopeThatWasNeverUsedIsEmptyOnceClosed) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());

  scope.close();

  EXPECT_TRUE(scope.wait_until(std::chrono::steady_clock::now()));
}

TEST(TaskScope, WhenWaitReturnsTheFrameAndAllItOwnedAreGone) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  const auto captured = std::make_shared<int>();
  std::weak_ptr<int> local;
  scope.spawn("task", [&local, captured]() -> asio::awaitable<void> {
    const auto owned = std::make_shared<int>();
    local = owned;
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  });
  scope.close();
  long owners_at_wait = -1;
  bool local_at_wait = true;
  scope.async_wait(asio::bind_executor(context, [&](error_code) {
    owners_at_wait = captured.use_count();
    local_at_wait = !local.expired();
  }));

  context.run();

  EXPECT_EQ(owners_at_wait, 1);
  EXPECT_FALSE(local_at_wait);
}

TEST(TaskScope, WaitingWithADeadlineReturnsWithTheNamesOfWhoIsMissing) {
  asio::thread_pool pool(1);
  TaskScope scope("scope", pool.get_executor());
  scope.spawn("deaf", wait_for_ever);
  scope.close();

  const bool empty = scope.wait_until(std::chrono::steady_clock::now());

  EXPECT_FALSE(empty);
  EXPECT_THAT(scope.unfinished(), ElementsAre("deaf"));
  pool.stop();
  pool.join();
}

TEST(TaskScope, AcceptedTasksThatHaveNotBegunStillRunAfterTheScopeIsTold) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  bool ran = false;
  scope.spawn("event", [&]() -> asio::awaitable<void> {
    ran = true;
    co_return;
  });

  scope.close();
  scope.token().cancel();
  context.run();

  EXPECT_TRUE(ran);
}

TEST(TaskScope, ATaskThatIsDestroyedInsteadOfFinishingIsCounted) {
  std::optional<asio::io_context> context(std::in_place);
  TaskScope scope("scope", context->get_executor());
  scope.spawn("suspended", wait_for_ever);
  scope.close();
  context->poll();

  context.reset();

  EXPECT_EQ(scope.size(), 0u);
  EXPECT_TRUE(scope.wait_until(std::chrono::steady_clock::now()));
}

TEST(TaskScope, AnExceptionEndsItsTaskAndNoOther) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  bool sibling_finished = false;
  scope.spawn("bad", []() -> asio::awaitable<void> {
    throw std::runtime_error("as expected");
    co_return;
  });
  scope.spawn("good", [&]() -> asio::awaitable<void> {
    co_await asio::post(context, asio::use_awaitable);
    sibling_finished = true;
  });

  EXPECT_NO_THROW(context.run());

  EXPECT_TRUE(sibling_finished);
  EXPECT_EQ(scope.size(), 0u);
}

TEST(TaskScope, ClosingAParentClosesItsChildrenAndNotTheOtherWayRound) {
  asio::io_context context;
  TaskScope parent("parent", context.get_executor());
  TaskScope first("first", parent);
  TaskScope second("second", parent);

  first.close();
  const bool parent_open = !parent.is_closed();
  const bool second_open = !second.is_closed();
  parent.close();

  EXPECT_TRUE(parent_open);
  EXPECT_TRUE(second_open);
  EXPECT_TRUE(second.is_closed());
}

TEST(TaskScope, DestroyingAParentClosesItsChildren) {
  asio::io_context context;
  std::optional<TaskScope> parent(std::in_place, "parent", context.get_executor());
  TaskScope child("child", *parent);

  parent.reset();

  EXPECT_TRUE(child.is_closed());
  EXPECT_TRUE(child.token().is_cancelled());
}

TEST(TaskScope, AParentIsEmptyOnlyWhenItsChildrenAre) {
  asio::io_context context;
  TaskScope parent("parent", context.get_executor());
  TaskScope child("child", parent);
  child.spawn("task", [&]() -> asio::awaitable<void> { co_await child.token().cancelled(); });
  parent.close();

  const bool empty_before = parent.wait_until(std::chrono::steady_clock::now());
  parent.token().cancel();
  context.run();
  const bool empty_after = parent.wait_until(std::chrono::steady_clock::now());

  EXPECT_FALSE(empty_before);
  EXPECT_TRUE(empty_after);
}

TEST(TaskScope, AChildOfAClosedScopeIsBornClosed) {
  asio::io_context context;
  TaskScope parent("parent", context.get_executor());
  parent.close();

  TaskScope child("child", parent);

  bool waited = false;
  child.async_wait(asio::bind_executor(context, [&](auto) { waited = true; }));
  context.run();

  EXPECT_TRUE(child.is_closed());
  EXPECT_TRUE(child.wait_until(std::chrono::steady_clock::now()));
  EXPECT_TRUE(waited);
}

TEST(TaskScope, EverySpawnThatRacesCloseIsEitherRefusedOrWaitedFor) {
  for (int round = 0; round < 300; ++round) {
    asio::thread_pool pool(2);
    TaskScope scope("scope", pool.get_executor());
    std::latch both{2};
    std::atomic<int> ran{0};
    int accepted = 0;
    std::thread spawner([&] {
      both.arrive_and_wait();
      try {
        for (;;) {
          scope.spawn("task", [&]() -> asio::awaitable<void> {
            ++ran;
            co_return;
          });
          ++accepted;
          std::this_thread::yield();  // the other one shall have a chance on a busy machine
        }
      } catch (const system_error&) {
      }
    });

    both.arrive_and_wait();
    scope.close();
    scope.async_wait(asio::use_future).get();
    const int ran_by_then = ran;
    spawner.join();
    pool.join();

    ASSERT_EQ(ran_by_then, accepted);
  }
}

TEST(TaskScope, CancelRacesSpawnRacesCompletion) {
  for (int round = 0; round < 500; ++round) {
    asio::thread_pool pool(2);
    TaskScope scope("scope", pool.get_executor());
    std::latch both{2};
    std::thread canceller([&] {
      both.arrive_and_wait();
      scope.close();
      scope.token().cancel();
    });
    both.arrive_and_wait();
    try {
      for (int i = 0; i < 40; ++i) {
        scope.spawn("task", [&]() -> asio::awaitable<void> {
          asio::steady_timer timer(co_await asio::this_coro::executor,
                                   std::chrono::microseconds(20));
          co_await timer.async_wait(cancel_on(scope.token(), asio::as_tuple(asio::use_awaitable)));
        });
      }
    } catch (const system_error&) {
    }
    canceller.join();
    scope.async_wait(asio::use_future).get();
    pool.join();

    ASSERT_EQ(scope.size(), 0u);
  }
}

}  // namespace
