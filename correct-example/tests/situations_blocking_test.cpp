// Blocking calls: what is left of them when they have returned, and who is told.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/shutdown_reports.hpp"
#include "correct-example/tests/situations.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/thread/thread.hpp>
#include <gmock/gmock.h>

#include <exception>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;
using runtime_sharing::Failure;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskHandle;
using testing::AllOf;
using testing::ElementsAre;
using testing::Field;

// A call that ignores its interruption.

/// Returns when it is interrupted, without an interruption point on the way.
int ignore_the_interruption() {
  while (!boost::this_thread::interruption_requested()) std::this_thread::yield();
  return 7;
}

TEST(Runtime, AnInterruptionThatABlockingCallIgnoredDoesNotReachOnThreadStop) {
  const auto runtime = Runtime::start(
      {.threads = 1, .on_thread_stop = [] { boost::this_thread::interruption_point(); }});
  std::latch begun{1};
  auto result = runtime->spawn_blocking(
      "call",
      [&] {
        begun.count_down();
        return ignore_the_interruption();
      },
      asio::use_future);
  begun.wait();

  const ShutdownReport report = runtime->shutdown({0ms, 20s, 20s});

  EXPECT_EQ(in_time(std::move(result), "the result of the call"), 7);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("call", Rung::interrupt)));
  EXPECT_EQ(report.threads_abandoned, 0u);
}

/// Gives something back in its destructor, and waits there in a way that can be interrupted.
struct WaitsInItsDestructor {
  WaitsInItsDestructor() = default;
  WaitsInItsDestructor(const WaitsInItsDestructor&) = delete;
  WaitsInItsDestructor& operator=(const WaitsInItsDestructor&) = delete;
  ~WaitsInItsDestructor() { boost::this_thread::interruption_point(); }
};

TEST(Runtime, AnInterruptionThatABlockingCallIgnoredDoesNotReachADestructorOfItsCaptures) {
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken impatient;
  std::latch begun{1};
  const TaskHandle awaiter = runtime->spawn("awaiter", [&]() -> asio::awaitable<void> {
    auto call = [&begun, owned = std::make_shared<WaitsInItsDestructor>()] {
      begun.count_down();
      ignore_the_interruption();
    };
    co_await runtime->spawn_blocking("call", std::move(call),
                                     cancel_on(impatient, asio::as_tuple(asio::use_awaitable)));
  });
  begun.wait();
  impatient.cancel();  // so that nobody but the call owns the captures
  in_time(awaiter.async_join(asio::use_future), "the end of the awaiter");

  const ShutdownReport report = runtime->shutdown({0ms, 20s, 20s});

  EXPECT_THAT(report.stragglers, ElementsAre(needing("call", Rung::interrupt)));
  EXPECT_EQ(report.failures_total, 0u) << report;
}

// What a call owns.

/// Awaits a call that owns something, many times. Says how often it was owned still afterwards.
template <typename Act>
int rounds_with_something_left(Act act) {
  const auto runtime = Runtime::start({.threads = 2});
  int left = 0;
  std::promise<void> done;
  runtime->spawn("awaiter", [&]() -> asio::awaitable<void> {
    for (int round = 0; round < 300; ++round) {
      auto owned = std::make_shared<int>();
      const std::weak_ptr<int> watched = owned;
      auto call = [owned = std::move(owned), act] { act(); };
      try {
        co_await runtime->spawn_blocking("call", std::move(call));
      } catch (const std::runtime_error&) {
        // The exception of the call.
      }
      if (!watched.expired()) ++left;
    }
    done.set_value();
  });
  in_time(done.get_future(), "the last round");
  runtime->shutdown();
  return left;
}

TEST(Runtime, WhatABlockingCallOwnsIsGoneWhenItsAwaiterGoesOn) {
  EXPECT_EQ(rounds_with_something_left([] {}), 0);
}

TEST(Runtime, WhatABlockingCallOwnsIsGoneWhenItsAwaiterHasItsException) {
  EXPECT_EQ(rounds_with_something_left([] { throw std::runtime_error("disk full"); }), 0);
}

TEST(Runtime, WhatABlockingCallOwnsIsGoneWhenItsFutureIsReady) {
  const auto runtime = Runtime::start({.threads = 1});
  int left = 0;
  for (int round = 0; round < 300; ++round) {
    auto owned = std::make_shared<int>();
    const std::weak_ptr<int> watched = owned;
    auto call = [owned = std::move(owned)] { return *owned; };

    in_time(runtime->spawn_blocking("call", std::move(call), asio::use_future), "a result");

    if (!watched.expired()) ++left;
  }
  EXPECT_EQ(left, 0);
  runtime->shutdown();
}

// A call that nobody awaits any more.

auto failure(std::string name, std::string what) {
  return AllOf(Field(&Failure::name, std::move(name)), Field(&Failure::what, std::move(what)));
}

TEST(Runtime, ABlockingCallThatFailsAfterItsAwaiterWentOnIsAFailureInTheReport) {
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken impatient;
  std::latch begun{1};
  std::promise<void> release;
  const TaskHandle awaiter = runtime->spawn("awaiter", [&]() -> asio::awaitable<void> {
    auto write = [&begun, released = release.get_future().share()] {
      begun.count_down();
      released.wait();
      throw std::runtime_error("disk full");
    };
    co_await runtime->spawn_blocking("write", std::move(write),
                                     cancel_on(impatient, asio::as_tuple(asio::use_awaitable)));
  });
  begun.wait();
  impatient.cancel();
  in_time(awaiter.async_join(asio::use_future), "the end of the awaiter");
  release.set_value();

  const ShutdownReport report = runtime->shutdown(patient);

  EXPECT_THAT(report.failures, ElementsAre(failure("write", "disk full")));
  EXPECT_EQ(report.failures_total, 1u);
  EXPECT_TRUE(report.graceful()) << report;
}

TEST(Runtime, ABlockingCallThatFailsAfterItsAwaiterWasDestroyedIsAFailureInTheReport) {
  /// Tells when the frame that it is in goes.
  struct Goes {
    explicit Goes(std::promise<void>& promise) : gone(promise) {}
    Goes(const Goes&) = delete;
    Goes& operator=(const Goes&) = delete;
    ~Goes() { gone.set_value(); }
    std::promise<void>& gone;
  };
  const auto runtime = Runtime::start({.threads = 1});
  std::latch begun{1};
  std::promise<void> frame_is_gone;
  runtime->spawn("awaiter", [&]() -> asio::awaitable<void> {
    const Goes goes(frame_is_gone);
    auto write = [&begun, gone = frame_is_gone.get_future().share()] {
      const boost::this_thread::disable_interruption deaf;
      begun.count_down();
      gone.wait();
      throw std::runtime_error("disk full");
    };
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await runtime->spawn_blocking("write", std::move(write));
  });
  begun.wait();

  const ShutdownReport report = runtime->shutdown({0ms, 0ms, 20s});

  EXPECT_THAT(report.failures, ElementsAre(failure("write", "disk full")));
  EXPECT_EQ(report.threads_abandoned, 0u);
}

TEST(Runtime, ABlockingCallThatFailsAndWhoseAwaiterGoesBeforeItIsToldIsAFailureInTheReport) {
  const auto runtime = Runtime::start({.threads = 1});
  std::optional<asio::io_context> window(std::in_place);
  runtime->spawn_blocking(
      "write", [] { throw std::runtime_error("disk full"); },
      asio::bind_executor(*window, [](const std::exception_ptr&) { ADD_FAILURE(); }));
  wait_until([&] { return runtime->scope().size() == 0; }, "the end of the call");

  window.reset();
  const ShutdownReport report = runtime->shutdown(patient);

  EXPECT_THAT(report.failures, ElementsAre(failure("write", "disk full")));
}

}  // namespace
