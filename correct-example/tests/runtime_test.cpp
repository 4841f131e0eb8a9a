#include "runtime_sharing/runtime.hpp"

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/let_tasks_begin.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using boost::system::system_error;
using runtime_sharing::Errc;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using testing::ElementsAre;
using testing::HasSubstr;

// Its owners share one, and the last of them ends it.
static_assert(!std::is_copy_constructible_v<Runtime>);

TEST(Runtime, AHandleThatOutlivesTheShutdownIsRefusedWithTheGeneration) {
  const auto runtime = Runtime::start({.name = "client", .generation = 4, .threads = 1});
  runtime->shutdown();

  std::optional<system_error> refusal;
  try {
    runtime->spawn("late", wait_for_ever);
  } catch (const system_error& error) {
    refusal = error;
  }

  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code(), Errc::runtime_shut_down);
  EXPECT_THAT(refusal->what(), HasSubstr("'late' refused by runtime 'client', generation 4"));
}

TEST(Runtime, IoObjectsMayOutliveTheShutdownAndTheExecutorStaysValid) {
  const auto runtime = Runtime::start({.threads = 1});
  asio::steady_timer timer(runtime->get_executor(), asio::steady_timer::time_point::max());
  asio::signal_set signals(runtime->get_executor(), SIGUSR1);
  bool called = false;
  timer.async_wait([&](error_code) { called = true; });
  signals.async_wait([&](error_code, int) { called = true; });

  runtime->shutdown();
  asio::post(runtime->get_executor(), [&] { called = true; });
  timer.async_wait([&](error_code) { called = true; });

  EXPECT_FALSE(called);
}

TEST(Runtime, TheLastOwnerMayBeDroppedOnItsOwnThread) {
  std::promise<void> all_threads_ended;
  std::atomic<int> threads{2};
  std::atomic<int> warnings{0};
  auto runtime = Runtime::start({.threads = 2,
                                 .on_thread_stop =
                                     [&] {
                                       if (--threads == 0) all_threads_ended.set_value();
                                     },
                                 .on_warning = [&](std::string_view) { ++warnings; }});
  const auto executor = runtime->get_executor();

  asio::post(executor, [last = std::move(runtime)]() mutable { last.reset(); });
  all_threads_ended.get_future().get();

  EXPECT_EQ(warnings, 1);
}

TEST(Runtime, ARuntimeDroppedWithoutShutdownIsShutDownWithAWarning) {
  std::vector<std::string> warnings;
  bool told = false;
  auto runtime = Runtime::start(
      {.threads = 1, .on_warning = [&](std::string_view text) { warnings.emplace_back(text); }});
  runtime->spawn("listener", [&, token = runtime->token()]() -> asio::awaitable<void> {
    co_await token.cancelled();
    told = true;
  });

  runtime.reset();

  EXPECT_TRUE(told);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("dropped without shutdown()")));
}

TEST(Runtime, AnExceptionOutOfARawHandlerDoesNotEndItsThread) {
  std::vector<std::string> warnings;
  const auto runtime = Runtime::start(
      {.threads = 1, .on_warning = [&](std::string_view text) { warnings.emplace_back(text); }});

  asio::post(runtime->get_executor(), [] { throw std::runtime_error("thrown by a raw handler"); });
  asio::post(runtime->get_executor(), [] { throw 42; });
  let_tasks_begin(*runtime);
  runtime->shutdown();

  EXPECT_THAT(warnings,
              ElementsAre(HasSubstr("thrown by a raw handler"), HasSubstr("no std::exception")));
}

TEST(Runtime, AnExceptionOutOfAHandlerOnATasksStrandLeavesTheTaskAlive) {
  std::vector<std::string> warnings;
  const auto runtime = Runtime::start(
      {.threads = 1, .on_warning = [&](std::string_view text) { warnings.emplace_back(text); }});
  bool heard = false;
  runtime->spawn("listener", [&]() -> asio::awaitable<void> {
    asio::post(co_await asio::this_coro::executor, [] { throw std::runtime_error("on a strand"); });
    co_await runtime->token().cancelled();
    heard = true;
  });
  let_tasks_begin(*runtime);

  const ShutdownReport report = runtime->shutdown();

  EXPECT_TRUE(report.graceful()) << report;
  EXPECT_TRUE(heard);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("on a strand")));
}

TEST(Runtime, WithoutAThreadIsRefused) {
  EXPECT_THROW(Runtime::start({.threads = 0}), std::invalid_argument);
}

TEST(Runtime, AReportKeepsTheFirstFailuresAndCountsAll) {
  const auto runtime = Runtime::start({.threads = 2});
  constexpr auto one_too_many = ShutdownReport::max_names + 1;
  for (std::size_t i = 0; i < one_too_many; ++i) {
    runtime->spawn("bad", []() -> asio::awaitable<void> {
      throw std::runtime_error("disk full");
      co_return;
    });
  }

  const ShutdownReport report = runtime->shutdown();

  EXPECT_EQ(report.failures.size(), ShutdownReport::max_names);
  EXPECT_EQ(report.failures_total, one_too_many);
}

TEST(Runtime, AFailureWithoutAStdExceptionIsReportedInWords) {
  const auto runtime = Runtime::start({.threads = 1});
  runtime->spawn("bad", []() -> asio::awaitable<void> {
    throw 42;
    co_return;
  });

  const ShutdownReport report = runtime->shutdown();

  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].what, "an exception that is no std::exception");
}

TEST(Runtime, KnowsItsNameAndItsOwnThreads) {
  const auto runtime = Runtime::start({.name = "session", .threads = 1});

  const bool inside =
      asio::post(runtime->get_executor(),
                 asio::use_future([&] { return runtime->running_in_this_thread(); }))
          .get();

  EXPECT_EQ(runtime->name(), "session");
  EXPECT_TRUE(inside);
  EXPECT_FALSE(runtime->running_in_this_thread());
  runtime->shutdown();
}

TEST(Runtime, AFailedTaskIsReportedWithItsException) {
  const auto runtime = Runtime::start({.threads = 1});
  runtime->spawn("bad", []() -> asio::awaitable<void> {
    throw std::runtime_error("disk full");
    co_return;
  });

  const ShutdownReport report = runtime->shutdown();

  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].name, "bad");
  EXPECT_EQ(report.failures[0].what, "disk full");
  EXPECT_TRUE(report.graceful());
}

TEST(Runtime, WhatIsPostedAfterTheShutdownIsDestroyedAtOnce) {
  const auto runtime = Runtime::start({.threads = 1});
  runtime->shutdown();
  const auto owned = std::make_shared<int>();

  asio::post(runtime->get_executor(), [copy = owned, runtime] {});

  EXPECT_EQ(owned.use_count(), 1);
}

}  // namespace
