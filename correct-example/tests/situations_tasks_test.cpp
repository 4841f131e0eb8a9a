// Tasks that are told or interrupted, and go on in their own way: what becomes of them, and what
// the report says.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/shutdown_reports.hpp"
#include "correct-example/tests/situations.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <boost/thread/condition_variable.hpp>
#include <boost/thread/exceptions.hpp>
#include <boost/thread/lock_types.hpp>
#include <boost/thread/mutex.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <future>
#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;
using boost::system::error_code;
using boost::system::system_error;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;
using runtime_sharing::Deadlines;
using runtime_sharing::FailurePolicy;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskHandle;
using runtime_sharing::TaskScope;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using Channel = asio::experimental::channel<void(error_code, int)>;

// An interruption ends the pending operation, not the task's ability to suspend.

/// "Catch every error, wait a little, try again." A loop that cannot suspend any more ends by
/// `limit`, so that no test leaves a thread behind.
asio::awaitable<void> retry_for_ever(std::atomic<int>& retries) {
  constexpr int limit = 100'000;
  while (retries < limit) {
    try {
      co_await wait_for_ever();
    } catch (...) {
      ++retries;
    }
  }
}

TEST(Runtime, AnInterruptedRetryLoopGoesOnSuspendingAndIsDestroyedAtTheRungStop) {
  const auto runtime = Runtime::start({.threads = 1});
  std::atomic<int> retries{0};
  runtime->spawn("retries", [&] { return retry_for_ever(retries); });
  let_tasks_run(*runtime);

  const ShutdownReport report = runtime->shutdown({0ms, 100ms, 20s});

  EXPECT_LE(retries, 1);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("retries", Rung::stop)));
  EXPECT_TRUE(report.stragglers.at(0).destroyed);
  EXPECT_EQ(report.reached, Rung::stop);
  EXPECT_EQ(report.threads_abandoned, 0u);
}

TEST(TaskHandle, EachInterruptionEndsOneOperationOfATask) {
  const auto runtime = Runtime::start({.threads = 1});
  std::atomic<int> retries{0};
  const TaskHandle task = runtime->spawn("retries", [&] { return retry_for_ever(retries); });
  let_tasks_run(*runtime);

  for (int interruptions = 1; interruptions <= 3; ++interruptions) {
    task.interrupt();
    wait_until([&] { return retries >= interruptions; }, "the end of an interrupted operation");
    let_tasks_run(*runtime);

    EXPECT_EQ(retries, interruptions);
  }
  runtime->shutdown(Deadlines::immediate());
}

TEST(Runtime, CleanUpMayAwaitAfterTheTaskIsInterrupted) {
  const auto runtime = Runtime::start({.threads = 1});
  bool cleaned_up = false;
  runtime->spawn("tidy", [&]() -> asio::awaitable<void> {
    try {
      co_await wait_for_ever();
    } catch (const system_error&) {
      // Interrupted.
    }
    co_await asio::post(asio::use_awaitable);
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    cleaned_up = true;
  });
  let_tasks_run(*runtime);

  const ShutdownReport report = runtime->shutdown({0ms, 20s, 20s});

  EXPECT_TRUE(cleaned_up);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("tidy", Rung::interrupt)));
  EXPECT_FALSE(report.stragglers.at(0).destroyed);
  EXPECT_THAT(report.failures, IsEmpty());
}

// What ends because it was told is no failure, in whatever form it says so.

/// The report of a shutdown that tells `task(runtime)`.
template <typename Task>
ShutdownReport report_on(Task task, Deadlines deadlines = patient) {
  const auto runtime = Runtime::start({.threads = 1});
  runtime->spawn("told", [task, &runtime = *runtime] { return task(runtime); });
  let_tasks_run(*runtime);
  return runtime->shutdown(deadlines);
}

void expect_no_failure(const ShutdownReport& report) {
  EXPECT_EQ(report.failures_total, 0u) << report;
  EXPECT_THAT(report.failures, IsEmpty());
}

TEST(Errors, AreACancellationIfTheySayThatSomethingEnds) {
  using runtime_sharing::Errc;
  using runtime_sharing::is_cancellation;
  const std::initializer_list<error_code> cancellations = {
      asio::error::operation_aborted,
      asio::experimental::error::channel_cancelled,
      asio::experimental::error::channel_closed,
      Errc::scope_closed,
      Errc::runtime_shut_down,
      Errc::runtime_stopping,
      Errc::slot_closed};
  const std::initializer_list<error_code> others = {
      error_code(),     asio::error::eof, Errc::runtime_running,
      Errc::no_runtime, Errc::scope_full, asio::error::connection_reset};

  for (const auto& error : cancellations) EXPECT_TRUE(is_cancellation(error)) << error.message();
  for (const auto& error : others) EXPECT_FALSE(is_cancellation(error)) << error.message();
  EXPECT_FALSE(is_cancellation(std::exception_ptr()));
  EXPECT_FALSE(is_cancellation(std::make_exception_ptr(std::runtime_error("disk full"))));
  EXPECT_TRUE(is_cancellation(std::make_exception_ptr(boost::thread_interrupted())));
}

TEST(Runtime, AnyOtherErrorOfATaskThatWasToldIsAFailure) {
  const ShutdownReport report = report_on([](Runtime& runtime) -> asio::awaitable<void> {
    co_await runtime.token().cancelled();
    throw system_error(asio::error::connection_reset);
  });

  EXPECT_EQ(report.failures_total, 1u) << report;
}

TEST(Runtime, ASpawnThatIsRefusedToATaskThatWasToldIsNoFailure) {
  expect_no_failure(report_on([](Runtime& runtime) -> asio::awaitable<void> {
    co_await runtime.token().cancelled();
    runtime.spawn("late", wait_for_ever);
  }));
}

TEST(Runtime, ABlockingCallThatIsRefusedToATaskThatWasToldIsNoFailure) {
  expect_no_failure(report_on([](Runtime& runtime) -> asio::awaitable<void> {
    while (!runtime.token().is_cancelled()) co_await runtime.token().cancelled();
    co_await runtime.spawn_blocking("late", [] {});
  }));
}

TEST(Runtime, AClosedScopeThatATaskMeetsAfterItWasToldIsNoFailure) {
  expect_no_failure(report_on([](Runtime& runtime) -> asio::awaitable<void> {
    TaskScope scope("closed", runtime.scope());
    scope.close();
    co_await runtime.token().cancelled();
    scope.spawn("late", wait_for_ever);
  }));
}

TEST(Runtime, ACancelledChannelOfATaskThatWasToldIsNoFailure) {
  expect_no_failure(report_on([](Runtime& runtime) -> asio::awaitable<void> {
    Channel channel(co_await asio::this_coro::executor);
    co_await channel.async_receive(cancel_on(runtime.token()));
  }));
}

TEST(Runtime, AClosedChannelOfATaskThatWasToldIsNoFailure) {
  expect_no_failure(report_on([](Runtime& runtime) -> asio::awaitable<void> {
    Channel channel(co_await asio::this_coro::executor);
    co_await runtime.token().cancelled();
    channel.close();
    co_await channel.async_receive(asio::use_awaitable);
  }));
}

TEST(Runtime, TwoCancelledOperationsThatATaskRacedAreNoFailure) {
  expect_no_failure(report_on([](Runtime& runtime) -> asio::awaitable<void> {
    asio::steady_timer one(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
    asio::steady_timer two(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
    co_await (one.async_wait(cancel_on(runtime.token())) ||
              two.async_wait(cancel_on(runtime.token())));
  }));
}

TEST(Runtime, TwoCancelledChannelsThatATaskRacedAreNoFailure) {
  expect_no_failure(report_on([](Runtime& runtime) -> asio::awaitable<void> {
    Channel one(co_await asio::this_coro::executor);
    Channel two(co_await asio::this_coro::executor);
    co_await (one.async_receive(cancel_on(runtime.token())) ||
              two.async_receive(cancel_on(runtime.token())));
  }));
}

TEST(Runtime, AnInterruptedTaskOfTwoRacedOperationsIsNoFailure) {
  const auto report = report_on(
      [](Runtime&) -> asio::awaitable<void> {
        Channel channel(co_await asio::this_coro::executor);
        co_await (channel.async_receive(asio::use_awaitable) && wait_for_ever());
      },
      {0ms, 20s, 20s});

  expect_no_failure(report);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("told", Rung::interrupt)));
}

TEST(Runtime, ABlockingCallThatAShutdownInterruptsMakesItsAwaiterNoFailure) {
  const auto report = report_on(
      [](Runtime& runtime) -> asio::awaitable<void> {
        const auto call = [] {
          boost::mutex mutex;
          boost::condition_variable condition;
          boost::unique_lock<boost::mutex> lock(mutex);
          for (;;) condition.wait(lock);  // an interruption point
        };
        // So that it is the call that ends the wait, not the interruption of this task.
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await runtime.spawn_blocking("call", call);
      },
      {0ms, 20s, 20s});

  expect_no_failure(report);
}

/// Interrupts `task(channel)` in a scope that is cancelled by the first failure. Says whether it
/// was, after a failure that is one has shown that it can be.
template <typename Task>
bool interrupted_cancels_siblings(Task task) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope scope("scope", runtime->scope(), {.on_failure = FailurePolicy::cancel_scope});
  const TaskHandle handle =
      scope.spawn("interrupted", [task, &runtime = *runtime] { return task(runtime); });
  let_tasks_run(*runtime);
  const TaskHandle sibling = scope.spawn(
      "sibling",
      [token = scope.token()]() -> asio::awaitable<void> { co_await token.cancelled(); });
  handle.interrupt();
  try {
    in_time(handle.async_join(asio::use_future), "the end of the interrupted task");
    ADD_FAILURE() << "ends by an exception";
  } catch (const std::exception&) {
    // As it says.
  }
  let_tasks_run(*runtime);  // what a failure cancels, it cancels in the turn in which the task ends
  const bool cancelled = scope.token().is_cancelled();

  scope.spawn("fails", []() -> asio::awaitable<void> {
    throw std::runtime_error("a failure");
    co_return;
  });
  in_time(sibling.async_join(asio::use_future), "the end of the sibling");
  in_time(scope.async_join(asio::use_future), "the end of a scope");
  EXPECT_EQ(runtime->shutdown().failures_total, 1u);
  return cancelled;
}

TEST(TaskScope, AnInterruptedTaskThatEndsByACancelledChannelCancelsNoSibling) {
  EXPECT_FALSE(interrupted_cancels_siblings([](Runtime&) -> asio::awaitable<void> {
    Channel channel(co_await asio::this_coro::executor);
    co_await channel.async_receive(asio::use_awaitable);
  }));
}

TEST(TaskScope, AnInterruptedTaskThatEndsByTwoRacedOperationsCancelsNoSibling) {
  EXPECT_FALSE(interrupted_cancels_siblings([](Runtime&) -> asio::awaitable<void> {
    Channel channel(co_await asio::this_coro::executor);
    co_await (channel.async_receive(asio::use_awaitable) || wait_for_ever());
  }));
}

TEST(TaskScope, AnInterruptedTaskThatIsRefusedByAClosedScopeCancelsNoSibling) {
  EXPECT_FALSE(interrupted_cancels_siblings([](Runtime& runtime) -> asio::awaitable<void> {
    TaskScope closed("closed", runtime.scope());
    closed.close();
    try {
      co_await wait_for_ever();
    } catch (const system_error&) {
      // Interrupted.
    }
    closed.spawn("late", wait_for_ever);
  }));
}

// The report of a crowd.

constexpr std::size_t crowd = 100'000;

/// The report of a shutdown that finds as many tasks of this kind as a crowd.
template <typename Task>
ShutdownReport report_on_a_crowd(Task task, Deadlines deadlines) {
  const auto runtime = Runtime::start({.threads = 2});
  for (std::size_t i = 0; i < crowd; ++i) runtime->spawn("straggler " + std::to_string(i), task);
  while (runtime->scope().size() < crowd) std::this_thread::yield();
  return runtime->shutdown(deadlines);
}

void expect_it_is_short(const ShutdownReport& report) {
  std::ostringstream text;
  text << report;

  EXPECT_EQ(report.tasks_total, crowd);
  EXPECT_LE(report.stragglers.size(), 100u);
  EXPECT_LE(text.str().size(), 16'384u);
  EXPECT_EQ(report.stragglers_total, crowd);
  EXPECT_THAT(text.str(), HasSubstr(std::to_string(crowd)));
}

TEST(Runtime, TheReportOfManyInterruptedStragglersIsShort) {
  const auto report = report_on_a_crowd(wait_for_ever, {0ms, 20s, 20s});

  expect_it_is_short(report);
  EXPECT_EQ(report.reached, Rung::interrupt);
}

TEST(Runtime, DestroyingManyStragglersIsNotAbandoningAThread) {
  const auto report = report_on_a_crowd(wait_for_ever_disabling_cancellation, {0ms, 1ms, 1ms});

  expect_it_is_short(report);
  EXPECT_EQ(report.reached, Rung::stop);
  EXPECT_EQ(report.threads_abandoned, 0u);
}

}  // namespace
