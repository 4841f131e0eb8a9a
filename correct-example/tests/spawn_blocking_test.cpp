#include "correct-example/tests/shutdown_reports.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <boost/thread/condition_variable.hpp>
#include <boost/thread/lock_types.hpp>
#include <boost/thread/mutex.hpp>
#include <boost/thread/thread.hpp>
#include <gmock/gmock.h>

#include <future>
#include <latch>
#include <stdexcept>
#include <thread>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using testing::ElementsAre;

TEST(Runtime, SpawnBlockingGivesItsResultToTheOneWhoAwaits) {
  const auto runtime = Runtime::start({.threads = 1});
  int result = 0;
  bool on_worker = true;
  std::promise<void> done;
  runtime->spawn("asker", [&]() -> asio::awaitable<void> {
    const auto worker = std::this_thread::get_id();
    result = co_await runtime->spawn_blocking("compute", [&] {
      on_worker = std::this_thread::get_id() == worker;
      return 42;
    });
    done.set_value();
  });

  done.get_future().get();
  runtime->shutdown();

  EXPECT_EQ(result, 42);
  EXPECT_FALSE(on_worker);
}

TEST(Runtime, SpawnBlockingGivesItsExceptionToTheOneWhoAwaits) {
  const auto runtime = Runtime::start({.threads = 1});

  auto future = runtime->spawn_blocking(
      "fail", []() -> int { throw std::runtime_error("no such file"); }, asio::use_future);

  EXPECT_THROW(future.get(), std::runtime_error);
  EXPECT_EQ(runtime->shutdown().failures_total, 0u) << "whoever awaits has it";
}

TEST(Runtime, ABlockingCallIsInterruptedAtInterruptionPoints) {
  const auto runtime = Runtime::start({.threads = 1});
  std::latch blocking{1};
  auto future = runtime->spawn_blocking(
      "wait for ever",
      [&] {
        boost::mutex mutex;
        boost::condition_variable never;
        boost::unique_lock<boost::mutex> lock(mutex);
        blocking.count_down();
        never.wait(lock);  // an interruption point
      },
      asio::use_future);
  blocking.wait();

  const ShutdownReport report = runtime->shutdown(quick);

  try {
    future.get();
    ADD_FAILURE() << "was not interrupted";
  } catch (const boost::system::system_error& error) {
    EXPECT_EQ(error.code(), asio::error::operation_aborted);
  }
  EXPECT_EQ(report.failures_total, 0u);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("wait for ever", Rung::interrupt)));
}

TEST(Runtime, ABlockingCallThatIgnoresInterruptionIsAbandonedByTheDeadline) {
  const auto runtime = Runtime::start({.threads = 1});
  std::latch blocking{1};
  std::latch release{1};
  auto future = runtime->spawn_blocking(
      "deaf call",
      [&] {
        blocking.count_down();
        release.wait();
      },
      asio::use_future);
  blocking.wait();

  const ShutdownReport report = runtime->shutdown({20ms, 20ms, 20ms});

  EXPECT_EQ(report.reached, Rung::abandon);
  EXPECT_EQ(report.threads_abandoned, 1u);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("deaf call", Rung::abandon)));
  release.count_down();
  EXPECT_NO_THROW(future.get());
}

}  // namespace
