#include "runtime_sharing/cancellation_token.hpp"

#include "correct-example/tests/hang_guard.hpp"
#include "runtime_sharing/cancel_on.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;

// The waiter knows one, and tells it when it goes.
static_assert(!std::is_copy_constructible_v<runtime_sharing::detail::BySlot<int>>);

TEST(CancellationToken, CopiesAreOneTokenAndAChildIsAnother) {
  const CancellationToken token;
  const CancellationToken copy = token;
  const auto child = token.child_token();

  EXPECT_EQ(copy, token);
  EXPECT_EQ(std::hash<CancellationToken>()(copy), std::hash<CancellationToken>()(token));
  EXPECT_NE(child, token);
}

TEST(CancellationToken, CancelSaysWhetherThisCallDidIt) {
  const CancellationToken token;

  const bool first = token.cancel();
  const bool second = token.cancel();

  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
  EXPECT_TRUE(token.is_cancelled());
}

TEST(CancellationToken, CancellingAParentReachesExactlyItsDescendants) {
  const CancellationToken root;
  const auto left = root.child_token();
  const auto right = root.child_token();
  const std::array below_left = {left.child_token(), left.child_token()};
  const auto leaf = below_left[0].child_token();
  const auto below_right = right.child_token();

  left.cancel();

  EXPECT_TRUE(left.is_cancelled());
  EXPECT_TRUE(below_left[0].is_cancelled());
  EXPECT_TRUE(below_left[1].is_cancelled());
  EXPECT_TRUE(leaf.is_cancelled());
  EXPECT_FALSE(root.is_cancelled());
  EXPECT_FALSE(right.is_cancelled());
  EXPECT_FALSE(below_right.is_cancelled());
}

TEST(CancellationToken, AChildOfACancelledParentIsBornCancelled) {
  const CancellationToken token;
  token.cancel();

  const auto child = token.child_token();

  EXPECT_TRUE(child.is_cancelled());
}

TEST(CancellationToken, DroppingTheMiddleOfAChainLeavesTheEndsConnected) {
  const CancellationToken grandparent;
  const auto grandchild = grandparent.child_token().child_token();

  grandparent.cancel();

  EXPECT_TRUE(grandchild.is_cancelled());
}

TEST(CancellationToken, AChainOfAHundredThousandIsCancelledAndDroppedWithoutRecursion) {
  const CancellationToken root;
  auto leaf = root;
  for (int i = 0; i < 100'000; ++i) leaf = leaf.child_token();

  root.cancel();

  EXPECT_TRUE(leaf.is_cancelled());
}

TEST(CancellationToken, ALookAtADeepOneIsShortAfterTheFirst) {
  const HangGuard guard(std::chrono::seconds(20));
  const CancellationToken root;
  auto deepest = root;
  for (int depth = 0; depth < 100'000; ++depth) deepest = deepest.child_token();
  root.cancel();

  int cancelled = 0;
  for (int look = 0; look < 1'000'000; ++look) cancelled += deepest.is_cancelled() ? 1 : 0;

  EXPECT_EQ(cancelled, 1'000'000);
}

TEST(CancellationToken, WaitCompletesAtOnceIfAlreadyCancelledButNeverInline) {
  asio::io_context context;
  const CancellationToken token;
  token.cancel();
  int woken = 0;

  token.cancelled(
      asio::bind_executor(context, [&](error_code error) { woken += error ? 100 : 1; }));
  const int before_run = woken;
  context.run();

  EXPECT_EQ(before_run, 0);
  EXPECT_EQ(woken, 1);
}

TEST(CancellationToken, CancelWakesEachWaiterOnceOnItsOwnExecutorAndNeverInline) {
  asio::io_context context;
  const CancellationToken token;
  int woken = 0;
  for (int i = 0; i < 3; ++i) {
    token.cancelled(asio::bind_executor(context, [&](error_code error) {
      EXPECT_TRUE(context.get_executor().running_in_this_thread());
      woken += error ? 100 : 1;
    }));
  }

  token.cancel();
  const int inline_calls = woken;
  context.run();

  EXPECT_EQ(inline_calls, 0);
  EXPECT_EQ(woken, 3);
}

TEST(CancellationToken, TheWaitItselfCanBeCancelled) {
  asio::io_context context;
  const CancellationToken token;
  asio::cancellation_signal signal;
  error_code result;
  token.cancelled(asio::bind_cancellation_slot(
      signal.slot(), asio::bind_executor(context, [&](error_code error) { result = error; })));

  signal.emit(asio::cancellation_type::terminal);
  context.run();
  token.cancel();

  EXPECT_EQ(result, asio::error::operation_aborted);
}

TEST(CancellationToken, AWaiterKeepsItsContextRunning) {
  asio::io_context context;
  const CancellationToken token;
  token.cancelled(asio::bind_executor(context, [](error_code) {}));

  context.poll();

  EXPECT_FALSE(context.stopped());
  token.cancel();
  EXPECT_EQ(context.run(), 1u);
}

TEST(CancellationToken, WaitersAreDestroyedWithTheirContextAndNotCalled) {
  const CancellationToken outlives_the_context;
  const auto owned = std::make_shared<int>();
  bool called = false;
  {
    asio::io_context context;
    asio::co_spawn(
        context,
        [](CancellationToken token, std::shared_ptr<int>, bool& flag) -> asio::awaitable<void> {
          co_await token.cancelled();
          flag = true;
        }(outlives_the_context, owned, called),
        asio::detached);
    context.poll();
    ASSERT_EQ(owned.use_count(), 2);
  }

  outlives_the_context.cancel();

  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_FALSE(called);
}

TEST(CancellationToken, WhoWasWokenInAContextThatEndsIsDestroyedWithItAndNotCalled) {
  std::optional<asio::io_context> context(std::in_place);
  const CancellationToken token;
  const auto owned = std::make_shared<int>();
  bool called = false;
  token.cancelled(asio::bind_executor(*context, [&called, owned](error_code) { called = true; }));

  token.cancel();
  context.reset();

  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_FALSE(called);
}

TEST(CancellationToken, WorksWithAFuture) {
  const CancellationToken token;
  auto future = token.cancelled(asio::use_future);

  token.cancel();

  EXPECT_NO_THROW(future.get());
}

TEST(CancellationToken, ConcurrentCancelAndRegistrationLoseNoWaiter) {
  for (int round = 0; round < 200; ++round) {
    asio::thread_pool pool(2);
    const CancellationToken token;
    std::latch both{2};
    std::atomic<int> woken{0};
    constexpr int waiters = 20;

    asio::post(pool, [&] {
      both.arrive_and_wait();
      for (int i = 0; i < waiters; ++i) {
        token.cancelled(asio::bind_executor(pool, [&](error_code error) {
          if (!error) ++woken;
        }));
      }
    });
    std::thread canceller([&] {
      both.arrive_and_wait();
      token.cancel();
    });
    canceller.join();
    pool.join();

    ASSERT_EQ(woken, waiters);
  }
}

TEST(CancellationToken, CancelRacesTheWaitersOwnCancellationAndWakesExactlyOnce) {
  for (int round = 0; round < 500; ++round) {
    asio::thread_pool pool(2);
    const auto strand = asio::make_strand(pool);
    const CancellationToken token;
    asio::cancellation_signal signal;
    std::atomic<int> woken{0};
    token.cancelled(asio::bind_cancellation_slot(
        signal.slot(), asio::bind_executor(strand, [&](error_code) { ++woken; })));
    std::latch both{2};

    asio::post(strand, [&] {
      both.arrive_and_wait();
      signal.emit(asio::cancellation_type::terminal);
    });
    both.arrive_and_wait();
    token.cancel();
    pool.join();

    ASSERT_EQ(woken, 1);
  }
}

TEST(CancellationToken, CancelRacesTheEndOfAContextWithWaiters) {
  for (int round = 0; round < 300; ++round) {
    const CancellationToken token;
    std::latch both{2};
    std::thread canceller([&] {
      both.arrive_and_wait();
      token.cancel();
    });
    {
      asio::io_context context;
      for (int i = 0; i < 10; ++i) token.cancelled(asio::bind_executor(context, [](error_code) {}));
      both.arrive_and_wait();
    }
    canceller.join();
  }
}

TEST(CancelOn, EndsThePendingOperation) {
  asio::io_context context;
  const CancellationToken token;
  asio::steady_timer timer(context, asio::steady_timer::time_point::max());
  error_code result;
  timer.async_wait(cancel_on(token, [&](error_code error) { result = error; }));
  context.poll();

  token.cancel();
  context.run();

  EXPECT_EQ(result, asio::error::operation_aborted);
}

TEST(CancelOn, EndsAnOperationThatBeginsAfterTheCancellation) {
  asio::io_context context;
  const CancellationToken token;
  token.cancel();
  asio::steady_timer timer(context, asio::steady_timer::time_point::max());
  error_code result;

  timer.async_wait(cancel_on(token, [&](error_code error) { result = error; }));
  context.run();

  EXPECT_EQ(result, asio::error::operation_aborted);
}

TEST(CancelOn, LeavesTheTokenWhenTheOperationEndsFirst) {
  asio::io_context context;
  const CancellationToken token;
  asio::steady_timer timer(context, asio::steady_timer::time_point::min());
  error_code result = asio::error::fault;

  timer.async_wait(cancel_on(token, [&](error_code error) { result = error; }));
  context.run();
  context.restart();
  token.cancel();

  EXPECT_FALSE(result);
  EXPECT_EQ(context.run(), 0u) << "a waiter was left in the token";
}

TEST(CancelOn, PassesTheOuterCancellationOn) {
  asio::io_context context;
  const CancellationToken token;
  asio::cancellation_signal signal;
  asio::steady_timer timer(context, asio::steady_timer::time_point::max());
  error_code result;
  timer.async_wait(cancel_on(token, asio::bind_cancellation_slot(
                                        signal.slot(), [&](error_code error) { result = error; })));
  context.poll();

  signal.emit(asio::cancellation_type::terminal);
  context.run();

  EXPECT_EQ(result, asio::error::operation_aborted);
  EXPECT_FALSE(token.is_cancelled());
}

TEST(CancelOn, WorksInACoroutineWithAsTuple) {
  asio::io_context context;
  const CancellationToken token;
  error_code result;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        asio::steady_timer timer(context, asio::steady_timer::time_point::max());
        const auto [error] =
            co_await timer.async_wait(cancel_on(token, asio::as_tuple(asio::use_awaitable)));
        result = error;
      },
      asio::detached);
  context.poll();

  token.cancel();
  context.run();

  EXPECT_EQ(result, asio::error::operation_aborted);
}

TEST(CancelOn, AnOperationThatEndsWithItsContextIsDestroyed) {
  const CancellationToken token;
  const auto owned = std::make_shared<int>();
  {
    asio::io_context context;
    asio::steady_timer timer(context, asio::steady_timer::time_point::max());
    timer.async_wait(cancel_on(token, asio::bind_executor(context, [owned](error_code) {})));
    context.poll();
    EXPECT_EQ(owned.use_count(), 2);
  }

  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_TRUE(token.cancel());
}

TEST(CancelOn, RacesCompletionOnAStrandOfAPool) {
  for (int round = 0; round < 300; ++round) {
    asio::thread_pool pool(2);
    const auto strand = asio::make_strand(pool);
    const CancellationToken token;
    asio::steady_timer timer(strand, std::chrono::microseconds(50));
    std::atomic<int> completed{0};
    asio::post(strand, [&] {
      timer.async_wait(
          cancel_on(token, asio::bind_executor(strand, [&](error_code) { ++completed; })));
    });

    token.cancel();
    pool.join();

    ASSERT_EQ(completed, 1);
  }
}

/// What a token's lock and a queue's have to do.
template <typename Mutex>
void keeps_a_second_thread_out() {
  Mutex mutex;
  std::latch wants_in{1};
  std::atomic<bool> is_in{false};
  mutex.lock();
  std::thread second([&] {
    wants_in.count_down();
    const std::lock_guard lock(mutex);
    is_in = true;
  });
  wants_in.wait();

  for (int i = 0; i < 1000 && !is_in; ++i) std::this_thread::yield();
  const bool was_let_in = is_in;
  mutex.unlock();
  second.join();

  EXPECT_FALSE(was_let_in);
  EXPECT_TRUE(is_in);
}

TEST(ByteLock, KeepsASecondThreadOutUntilItIsUnlocked) {
  keeps_a_second_thread_out<runtime_sharing::detail::ByteLock>();
}

TEST(AdaptiveMutex, KeepsASecondThreadOutUntilItIsUnlocked) {
  keeps_a_second_thread_out<runtime_sharing::detail::AdaptiveMutex>();
}

}  // namespace
