// The token's other faces: callbacks, guards, std::stop_token, work that is raced against it.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/hang_guard.hpp"
#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/run_until_cancelled.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using runtime_sharing::CancellationCallback;
using runtime_sharing::CancellationToken;
using runtime_sharing::DropGuard;
using runtime_sharing::run_until_cancelled;
using runtime_sharing::Runtime;

TEST(CancellationCallback, IsCalledOnceByTheCancelThatDidIt) {
  const CancellationToken token;
  int calls = 0;
  const CancellationCallback callback(token, [&] { ++calls; });

  token.cancel();
  token.cancel();

  EXPECT_EQ(calls, 1);
}

TEST(CancellationCallback, IsCalledInTheConstructorIfTheTokenIsCancelledAlready) {
  const CancellationToken token;
  token.cancel();
  int calls = 0;

  const CancellationCallback callback(token, [&] { ++calls; });

  EXPECT_EQ(calls, 1);
}

TEST(CancellationCallback, AllOfATokenAreCalledOneAfterTheOther) {
  const CancellationToken token;
  std::vector<int> calls;
  const CancellationCallback first(token, [&] { calls.push_back(1); });
  const CancellationCallback second(token, [&] { calls.push_back(2); });
  const CancellationCallback third(token, [&] { calls.push_back(3); });

  token.cancel();

  EXPECT_THAT(calls, testing::ElementsAre(1, 2, 3));
}

TEST(CancellationCallback, IsNotCalledOnceItIsDestroyed) {
  const CancellationToken token;
  int calls = 0;
  {
    const CancellationCallback callback(token, [&] { ++calls; });
  }

  token.cancel();

  EXPECT_EQ(calls, 0);
}

TEST(CancellationCallback, OfADescendantIsCalledByTheCancelOfAnAncestor) {
  const CancellationToken token;
  const auto grandchild = token.child_token().child_token();
  int calls = 0;
  const CancellationCallback callback(grandchild, [&] { ++calls; });

  token.cancel();

  EXPECT_EQ(calls, 1);
}

TEST(CancellationCallback, MayCancelAndRegisterAndAskForAChild) {
  const CancellationToken token;
  const CancellationToken other;
  bool born_cancelled = false;
  int inner_calls = 0;
  const CancellationCallback callback(token, [&] {
    other.cancel();
    token.cancel();
    born_cancelled = token.child_token().is_cancelled();
    const CancellationCallback inner(token, [&] { ++inner_calls; });
  });

  token.cancel();

  EXPECT_TRUE(other.is_cancelled());
  EXPECT_TRUE(born_cancelled);
  EXPECT_EQ(inner_calls, 1);
}

TEST(CancellationCallback, MayDestroyItself) {
  const CancellationToken token;
  std::optional<CancellationCallback<std::function<void()>>> callback;
  callback.emplace(token, [&] { callback.reset(); });

  token.cancel();

  EXPECT_FALSE(callback.has_value());
}

TEST(CancellationCallback, MayDropTheLastHandle) {
  auto token = std::make_unique<CancellationToken>();
  const CancellationToken parent;
  auto child = std::make_unique<CancellationToken>(parent.child_token());
  const CancellationCallback callback(parent, [&] {
    token.reset();
    child.reset();
  });

  parent.cancel();

  EXPECT_EQ(child, nullptr);
}

TEST(CancellationCallback, IsWaitedForByADestructorOnAnotherThread) {
  for (int round = 0; round < 200; ++round) {
    const CancellationToken token;
    std::latch inside{1};
    std::atomic<bool> returned{false};
    std::optional<CancellationCallback<std::function<void()>>> callback;
    callback.emplace(token, [&] {
      inside.count_down();
      std::this_thread::yield();
      returned = true;
    });

    std::thread canceller([&] { token.cancel(); });
    inside.wait();
    callback.reset();
    const bool waited = returned;
    canceller.join();

    ASSERT_TRUE(waited);
  }
}

TEST(CancellationCallback, WakesADestructorThatHasFallenAsleepOverIt) {
  const HangGuard guard;
  const CancellationToken token;
  std::latch inside{1};
  std::latch destroying{1};
  std::optional<CancellationCallback<std::function<void()>>> callback;
  callback.emplace(token, [&] {
    inside.count_down();
    destroying.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the destructor's spins are short
  });

  std::thread canceller([&] { token.cancel(); });
  inside.wait();
  destroying.count_down();
  callback.reset();
  canceller.join();

  EXPECT_FALSE(callback);
}

TEST(CancellationCallback, ManyMayComeAndGoWhileTheTokenIsCancelled) {
  for (int round = 0; round < 50; ++round) {
    const CancellationToken token;
    std::atomic<int> calls{0};
    std::latch begin{4};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        begin.arrive_and_wait();
        for (int j = 0; j < 50; ++j) {
          const CancellationCallback callback(token, [&] { ++calls; });
        }
      });
    }

    begin.arrive_and_wait();
    token.cancel();
    for (auto& thread : threads) thread.join();
    const int before = calls;
    const CancellationCallback last(token, [&] { ++calls; });

    ASSERT_EQ(calls, before + 1);
  }
}

TEST(DropGuard, CancelsUnlessItIsDisarmed) {
  const CancellationToken dropped;
  const CancellationToken disarmed;
  const CancellationToken moved;
  {
    const DropGuard guard(dropped);
    DropGuard kept(disarmed);
    kept.disarm();
    DropGuard first(moved);
    const DropGuard second(std::move(first));
  }

  EXPECT_TRUE(dropped.is_cancelled());
  EXPECT_FALSE(disarmed.is_cancelled());
  EXPECT_TRUE(moved.is_cancelled());
}

TEST(StopToken, IsStoppedWithTheTokenAndBornStoppedAfterIt) {
  const CancellationToken token;
  const std::stop_token early = token.stop_token();
  const bool before = early.stop_requested();

  token.cancel();

  EXPECT_FALSE(before);
  EXPECT_TRUE(early.stop_requested());
  EXPECT_TRUE(token.stop_token().stop_requested());
}

TEST(StopToken, CancelsTheTokenThatIsMadeFromIt) {
  std::stop_source source;
  const CancellationToken linked(source.get_token());
  const auto child = linked.child_token();
  const bool before = linked.is_cancelled();

  source.request_stop();
  const CancellationToken late(source.get_token());

  EXPECT_FALSE(before);
  EXPECT_TRUE(linked.is_cancelled());
  EXPECT_TRUE(child.is_cancelled());
  EXPECT_TRUE(late.is_cancelled());
}

TEST(StopToken, RequestStopRacesTheEndOfTheLinkedToken) {
  for (int round = 0; round < 300; ++round) {
    std::stop_source source;
    auto linked = std::make_unique<CancellationToken>(source.get_token());
    std::latch both{2};

    std::thread stopper([&] {
      both.arrive_and_wait();
      source.request_stop();
    });
    both.arrive_and_wait();
    linked.reset();
    stopper.join();
  }
}

/// Runs a coroutine in a task of a runtime and gives its result.
template <typename T>
T in_a_task(std::function<asio::awaitable<T>(CancellationToken)> coroutine,
            const CancellationToken& token, bool cancel_meanwhile) {
  const auto runtime = Runtime::start({.threads = 2});
  std::promise<T> promise;
  auto result = promise.get_future();
  runtime->spawn("task", [&]() -> asio::awaitable<void> {
    try {
      promise.set_value(co_await coroutine(token));
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  });
  if (cancel_meanwhile) token.cancel();
  T value = result.get();
  runtime->shutdown();
  return value;
}

asio::awaitable<int> seven() {
  co_await asio::post(asio::use_awaitable);
  co_return 7;
}

TEST(RunUntilCancelled, GivesTheResultOfWorkThatEndsFirst) {
  const auto result = in_a_task<std::optional<int>>(
      [](auto token) { return run_until_cancelled(token, seven()); }, CancellationToken(), false);

  EXPECT_EQ(result, 7);
}

TEST(RunUntilCancelled, SaysSoWhenWorkWithoutAResultEndsFirst) {
  const auto finished = in_a_task<bool>(
      [](auto token) {
        return run_until_cancelled(token, []() -> asio::awaitable<void> { co_return; }());
      },
      CancellationToken(), false);

  EXPECT_TRUE(finished);
}

TEST(RunUntilCancelled, SaysSoWhenTheTokenWasFirst) {
  const auto finished =
      in_a_task<bool>([](auto token) { return run_until_cancelled(token, wait_for_ever()); },
                      CancellationToken(), true);

  EXPECT_FALSE(finished);
}

TEST(RunUntilCancelled, NeverStartsTheWorkOfACancelledToken) {
  const CancellationToken token;
  token.cancel();
  bool started = false;

  const auto finished = in_a_task<bool>(
      [&](auto its_token) {
        return run_until_cancelled(its_token, [](bool& flag) -> asio::awaitable<void> {
          flag = true;
          co_return;
        }(started));
      },
      token, false);

  EXPECT_FALSE(finished);
  EXPECT_FALSE(started);
}

TEST(RunUntilCancelled, FavoursWorkThatCompletesAllTheSame) {
  const CancellationToken token;

  const auto result = in_a_task<std::optional<int>>(
      [](auto its_token) {
        return run_until_cancelled(its_token, [](CancellationToken own) -> asio::awaitable<int> {
          own.cancel();
          co_return 7;
        }(its_token));
      },
      token, false);

  EXPECT_EQ(result, 7);
  EXPECT_TRUE(token.is_cancelled());
}

TEST(RunUntilCancelled, PassesTheExceptionOfTheWorkOn) {
  const auto fails = [](auto token) {
    return run_until_cancelled(token, []() -> asio::awaitable<int> {
      co_await asio::post(asio::use_awaitable);
      throw std::runtime_error("on purpose");
    }());
  };

  EXPECT_THROW(in_a_task<std::optional<int>>(fails, CancellationToken(), false),
               std::runtime_error);
}

}  // namespace
