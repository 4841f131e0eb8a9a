// TaskScope::async_shutdown() and async_join(): a session ends, and the runtime lives on.

#include "correct-example/tests/conformance.hpp"
#include "correct-example/tests/endless_tasks.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/errc.hpp>
#include <boost/system/error_code.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using conformance::Conformance;
using runtime_sharing::CancellationToken;
using runtime_sharing::Deadlines;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskScope;

asio::awaitable<void> listen(CancellationToken token) {
  co_await token.cancelled();
}

asio::awaitable<void> nothing() {
  co_return;
}

ShutdownReport shut_down(TaskScope& scope, Deadlines deadlines) {
  return scope.async_shutdown(deadlines, asio::use_future).get();
}

TEST(ScopeShutdown, ThatIsGracefulTellsAndWaitsAndTheRuntimeLivesOn) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope session("alice", runtime->scope());
  session.spawn("listens", listen, session.token());

  const ShutdownReport report = shut_down(session, {.wait = 60s});

  EXPECT_EQ(report.scope, "scope 'alice'");
  EXPECT_EQ(report.reached, Rung::wait);
  EXPECT_TRUE(report.graceful());
  EXPECT_EQ(report.tasks_total, 1u);
  EXPECT_FALSE(session.try_spawn("late", nothing));
  EXPECT_FALSE(runtime->token().is_cancelled());
  runtime->spawn("of the next session", nothing).async_join(asio::use_future).get();
  EXPECT_TRUE(runtime->shutdown().graceful());
}

TEST(ScopeShutdown, CountsTheTasksOfScopesBelowItThatAreGone) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope session("alice", runtime->scope());
  {
    TaskScope room("room", session);
    TaskScope thread("thread", room);
    room.spawn("one", nothing);
    thread.spawn("another", nothing);
    shut_down(room, {});
  }

  EXPECT_EQ(shut_down(session, {}).tasks_total, 2u);
  EXPECT_EQ(runtime->shutdown().tasks_total, 2u);
}

TEST(ScopeShutdown, InterruptsWhoIsDeafAndNamesIt) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope session("alice", runtime->scope());
  session.spawn("deaf", wait_for_ever);

  const ShutdownReport report = shut_down(session, {.wait = 0s, .interrupt = 60s});

  EXPECT_EQ(report.reached, Rung::interrupt);
  ASSERT_EQ(report.stragglers.size(), 1u);
  EXPECT_EQ(report.stragglers.front().name, "deaf");
  EXPECT_TRUE(runtime->shutdown().graceful());
}

TEST(ScopeShutdown, LeavesWhoDoesNotEndBehindAndNamesIt) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope session("alice", runtime->scope());
  session.spawn("stubborn", wait_for_ever_disabling_cancellation);

  const ShutdownReport report = shut_down(session, {.wait = 0s, .interrupt = 10ms});

  EXPECT_EQ(report.reached, Rung::abandon);
  ASSERT_EQ(report.stragglers.size(), 1u);
  EXPECT_EQ(report.stragglers.front().needed, Rung::abandon);
  EXPECT_EQ(report.threads_abandoned, 0u);
  EXPECT_EQ(runtime->shutdown({0ms, 0ms, 60s}).reached, Rung::stop);
}

TEST(ScopeShutdown, GivesOneReportToAllWhoAsk) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope session("alice", runtime->scope());
  session.spawn("deaf", wait_for_ever);

  auto patient = session.async_shutdown({.wait = 60s}, asio::use_future);
  const ShutdownReport second = shut_down(session, Deadlines::immediate());

  EXPECT_EQ(patient.get().took, second.took);
  EXPECT_EQ(shut_down(session, {}).took, second.took);
  runtime->shutdown();
}

TEST(ScopeShutdown, AwaitedByATaskOfTheScopeIsRefusedAndChangesNothing) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope session("alice", runtime->scope());
  boost::system::error_code error;
  const auto task = session.spawn("its own end", [&]() -> asio::awaitable<void> {
    const auto result = co_await session.async_shutdown({}, asio::as_tuple(asio::use_awaitable));
    error = std::get<0>(result);
  });

  task.async_join(asio::use_future).get();

  EXPECT_EQ(error, boost::system::errc::resource_deadlock_would_occur);
  EXPECT_FALSE(session.is_closed());
  EXPECT_TRUE(shut_down(session, {}).graceful());
  runtime->shutdown();
}

TEST(ScopeShutdown, BlocksNoWindowThatAwaitsIt) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope session("alice", runtime->scope());
  const CancellationToken drawn;  // the task ends when the window has drawn meanwhile
  session.spawn("waits for the window", listen, drawn);
  asio::io_context window;
  bool has_ended = false;

  session.async_shutdown({.wait = 60s}, asio::bind_executor(window, [&](auto, const auto& report) {
                           has_ended = report.graceful();
                         }));
  asio::post(window, [&] {
    EXPECT_FALSE(has_ended);
    drawn.cancel();
  });
  window.run();

  EXPECT_TRUE(has_ended);
  runtime->shutdown();
}

TEST(TaskScope, AsyncJoinClosesAndWaits) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope scope("scope", runtime->scope());
  const CancellationToken end;
  scope.spawn("task", listen, end);

  auto joined = scope.async_join(asio::use_future);

  EXPECT_TRUE(scope.is_closed());
  EXPECT_EQ(joined.wait_for(0s), std::future_status::timeout);
  end.cancel();
  joined.get();
  EXPECT_EQ(scope.size(), 0u);
  runtime->shutdown();
}

TEST_F(Conformance, TaskScopeAsyncShutdown) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope scope("scope", runtime->scope());
  conforms([&](auto&& completion) {
    return scope.async_shutdown({}, std::forward<decltype(completion)>(completion));
  });
  runtime->shutdown();
}

TEST(ScopeShutdown, LeavesNothingToItsDestructorToWaitForOrWarnOf) {
  std::atomic<int> warnings{0};
  const auto runtime =
      Runtime::start({.threads = 1, .on_warning = [&](std::string_view) { ++warnings; }});
  auto session = std::make_unique<TaskScope>("alice", runtime->scope());
  session->spawn("left behind", wait_for_ever_disabling_cancellation);

  EXPECT_EQ(shut_down(*session, {0s, 0s, 0s}).reached, Rung::abandon);
  session.reset();

  EXPECT_EQ(warnings, 0);
  EXPECT_EQ(runtime->scope().size(), 1u);
  EXPECT_EQ(runtime->shutdown({0s, 0s, 60s}).reached, Rung::stop);
}

}  // namespace
