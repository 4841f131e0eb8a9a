// One task by its handle; a scope that is bounded, or that ends with its first failure.

#include "correct-example/tests/endless_tasks.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gmock/gmock.h>

#include <future>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using boost::system::system_error;
using runtime_sharing::CancellationCallback;
using runtime_sharing::CancellationToken;
using runtime_sharing::Errc;
using runtime_sharing::FailurePolicy;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskHandle;
using runtime_sharing::TaskScope;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string in_words(const std::exception_ptr& failure) {
  try {
    if (failure) std::rethrow_exception(failure);
    return "finished";
  } catch (const system_error& error) {
    return error.code() == asio::error::operation_aborted ? "aborted" : error.what();
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// What left the task.
std::string outcome_of(const TaskHandle& handle) {
  std::promise<std::string> outcome;
  auto words = outcome.get_future();
  handle.async_join([outcome = std::move(outcome)](const std::exception_ptr& failure) mutable {
    outcome.set_value(in_words(failure));
  });
  return words.get();
}

TEST(TaskHandle, JoinsATaskThatFinishesAndOneThatHas) {
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  const auto handle =
      runtime->spawn("task", [token]() -> asio::awaitable<void> { co_await token.cancelled(); });
  auto joined = handle.async_join(asio::use_future);

  token.cancel();
  joined.get();

  EXPECT_EQ(outcome_of(handle), "finished");
  EXPECT_EQ(handle.name(), "task");
  runtime->shutdown();
}

TEST(TaskHandle, AnExceptionInATaskReachesItsHandleAndTheReport) {
  const auto runtime = Runtime::start({.threads = 1});
  const auto handle = runtime->spawn("task", []() -> asio::awaitable<void> {
    co_await asio::post(asio::use_awaitable);
    throw std::runtime_error("on purpose");
  });

  EXPECT_EQ(outcome_of(handle), "on purpose");
  const ShutdownReport report = runtime->shutdown();
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures.front().name, "task");
  EXPECT_EQ(report.failures.front().what, "on purpose");
}

TEST(TaskHandle, CancelsItsTaskAndNoOtherAndThatIsNoFailure) {
  const auto runtime = Runtime::start({.threads = 2});
  const auto cancelled = runtime->spawn("cancelled", wait_for_ever);
  const CancellationToken token;
  const auto other =
      runtime->spawn("other", [token]() -> asio::awaitable<void> { co_await token.cancelled(); });

  cancelled.interrupt();

  EXPECT_EQ(outcome_of(cancelled), "aborted");
  EXPECT_EQ(runtime->scope().size(), 1u);
  token.cancel();
  EXPECT_EQ(outcome_of(other), "finished");
  EXPECT_EQ(runtime->shutdown().failures_total, 0u);
}

TEST(TaskHandle, ATaskThatIsDestroyedInsteadOfFinishingEndsByOperationAborted) {
  const auto runtime = Runtime::start({.threads = 1});
  const auto handle = runtime->spawn("stubborn", wait_for_ever_disabling_cancellation);

  const ShutdownReport report = runtime->shutdown({0ms, 0ms, 10s});

  EXPECT_EQ(report.reached, Rung::stop);
  EXPECT_EQ(outcome_of(handle), "aborted");
}

TEST(TaskHandle, WhenTheJoinReturnsTheFrameAndAllItOwnedAreGone) {
  const auto runtime = Runtime::start({.threads = 2});
  for (int round = 0; round < 100; ++round) {
    const auto owned = std::make_shared<int>();
    const auto handle = runtime->spawn("task", [owned]() -> asio::awaitable<void> {
      const auto local = owned;
      co_await asio::post(asio::use_awaitable);
    });

    handle.async_join(asio::use_future).get();

    ASSERT_EQ(owned.use_count(), 1);
  }
  runtime->shutdown();
}

TEST(FailurePolicy, TheFirstFailureCancelsAScopeThatWantsItAndCancellationIsNone) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor(), CancellationToken(),
                  {.on_failure = FailurePolicy::cancel_scope});
  bool sibling_was_told = false;
  scope.spawn("sibling", [&, token = scope.token()]() -> asio::awaitable<void> {
    co_await token.cancelled();
    sibling_was_told = true;
  });
  const auto aborted = scope.spawn("aborted", wait_for_ever);
  context.poll();
  aborted.interrupt();
  context.poll();
  const bool told_by_a_cancellation = scope.token().is_cancelled();

  scope.spawn("fails", []() -> asio::awaitable<void> {
    throw std::runtime_error("on purpose");
    co_return;
  });
  context.run();

  EXPECT_FALSE(told_by_a_cancellation);
  EXPECT_TRUE(scope.token().is_cancelled());
  EXPECT_TRUE(sibling_was_told);
}

TEST(FailurePolicy, SiblingsGoOnUnlessTheScopeWantsOtherwise) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  bool sibling_finished = false;
  scope.spawn("fails", []() -> asio::awaitable<void> {
    throw std::runtime_error("on purpose");
    co_return;
  });
  scope.spawn("sibling", [&]() -> asio::awaitable<void> {
    co_await asio::post(asio::use_awaitable);
    sibling_finished = true;
  });

  context.run();

  EXPECT_TRUE(sibling_finished);
  EXPECT_FALSE(scope.token().is_cancelled());
}

TEST(BoundedScope, RefusesPastItsLimitAndAcceptsAgainWhenATaskHasEnded) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor(), CancellationToken(), {.max_tasks = 2});
  const auto first = scope.spawn("first", wait_for_ever);
  scope.spawn("second", wait_for_ever);

  const bool accepted = scope.try_spawn("third", wait_for_ever).has_value();
  error_code refusal;
  try {
    scope.spawn("third", wait_for_ever);
  } catch (const system_error& error) {
    refusal = error.code();
  }
  context.poll();
  first.interrupt();
  context.poll();

  EXPECT_FALSE(accepted);
  EXPECT_EQ(refusal, Errc::scope_full);
  EXPECT_TRUE(scope.try_spawn("third", wait_for_ever).has_value());
}

/// A task that can only be moved, and knows whether it was.
struct MoveOnlyTask {
  std::unique_ptr<int> owned = std::make_unique<int>();

  asio::awaitable<void> operator()() const { co_return; }
};

TEST(BoundedScope, MovesOnlyFromWhatItAccepts) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor(), CancellationToken(), {.max_tasks = 1});
  MoveOnlyTask accepted;
  MoveOnlyTask refused;

  EXPECT_TRUE(scope.try_spawn("accepted", std::move(accepted)).has_value());
  EXPECT_FALSE(scope.try_spawn("refused", std::move(refused)).has_value());

  EXPECT_EQ(accepted.owned, nullptr);
  EXPECT_NE(refused.owned, nullptr);
}

TEST(BoundedScope, CountsTheScopesBelowIt) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor(), CancellationToken(), {.max_tasks = 1});
  TaskScope below("below", scope);
  below.spawn("task", wait_for_ever);

  EXPECT_FALSE(scope.try_spawn("another", wait_for_ever).has_value());
  EXPECT_FALSE(below.try_spawn("another", wait_for_ever).has_value());
}

TEST(BoundedScope, SuspendsSpawnersAndServesThemInOrder) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor(), CancellationToken(), {.max_tasks = 1});
  std::vector<std::string> order;
  const auto spawn = [&](std::string name) {
    scope.async_spawn(
        name,
        [&order, name]() -> asio::awaitable<void> {
          order.push_back(name);
          co_await asio::post(asio::use_awaitable);
        },
        asio::bind_executor(context, [](error_code, const TaskHandle&) {}));
  };

  for (const auto* name : {"first", "second", "third", "fourth"}) spawn(name);
  context.run();

  EXPECT_THAT(order, ElementsAre("first", "second", "third", "fourth"));
}

TEST(BoundedScope, ASpawnerThatIsCancelledPassesItsTurnOn) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor(), CancellationToken(), {.max_tasks = 1});
  const auto first = scope.spawn("first", wait_for_ever);
  asio::cancellation_signal signal;
  error_code cancelled_result;
  bool second_ran = false;
  scope.async_spawn(
      "given up", wait_for_ever,
      asio::bind_cancellation_slot(
          signal.slot(), asio::bind_executor(context, [&](error_code error, const TaskHandle&) {
            cancelled_result = error;
          })));
  scope.async_spawn(
      "second",
      [&]() -> asio::awaitable<void> {
        second_ran = true;
        co_return;
      },
      asio::bind_executor(context, [](error_code, const TaskHandle&) {}));
  context.poll();

  signal.emit(asio::cancellation_type::terminal);
  first.interrupt();
  context.run();

  EXPECT_EQ(cancelled_result, asio::error::operation_aborted);
  EXPECT_TRUE(second_ran);
}

TEST(BoundedScope, CloseRefusesThoseWhoWaitForRoom) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor(), CancellationToken(), {.max_tasks = 1});
  TaskScope below("below", scope);
  const auto first = scope.spawn("first", wait_for_ever);
  std::vector<error_code> results;
  const auto note = [&](error_code error, const TaskHandle&) { results.push_back(error); };
  scope.async_spawn("second", wait_for_ever, asio::bind_executor(context, note));
  below.async_spawn("third", wait_for_ever, asio::bind_executor(context, note));
  context.poll();

  below.close();
  context.poll();
  const auto refused_below = results;
  scope.close();
  context.poll();

  EXPECT_THAT(refused_below, ElementsAre(error_code(Errc::scope_closed)));
  EXPECT_THAT(results, ElementsAre(Errc::scope_closed, Errc::scope_closed));
  first.interrupt();
  context.run();
}

TEST(ScopeDestructor, InsideARuntimeItCancelsAndWaitsAndSaysSo) {
  std::vector<std::string> warnings;
  const auto runtime = Runtime::start(
      {.threads = 1, .on_warning = [&](std::string_view line) { warnings.emplace_back(line); }});
  const auto owned = std::make_shared<int>();
  {
    TaskScope scope("session", runtime->scope());
    scope.spawn("receiver", [owned, token = scope.token()]() -> asio::awaitable<void> {
      co_await token.cancelled();
    });
  }
  const auto left = owned.use_count();

  EXPECT_EQ(left, 1);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("scope 'session' was destroyed with 1 task")));
  runtime->shutdown();
}

TEST(ScopeDestructor, NamesATaskThatItsCancelEndsAtOnce) {
  std::vector<std::string> warnings;
  const auto runtime = Runtime::start(
      {.threads = 1, .on_warning = [&](std::string_view line) { warnings.emplace_back(line); }});
  const CancellationToken told;
  std::optional<TaskScope> scope(std::in_place, "session", runtime->scope());
  const auto receiver =
      scope->spawn("receiver", [told]() -> asio::awaitable<void> { co_await told.cancelled(); });
  const CancellationCallback ended_within_the_cancel(scope->token(), [&told, &receiver] {
    told.cancel();
    receiver.async_join(asio::use_future).get();
  });

  scope.reset();

  EXPECT_THAT(warnings, ElementsAre(HasSubstr("with 1 task in it, among them 'receiver'")));
  runtime->shutdown();
}

TEST(ScopeDestructor, OnARuntimesOwnThreadItDoesNotWait) {
  const auto runtime = Runtime::start({.threads = 1});

  runtime->spawn("owner", [&runtime]() -> asio::awaitable<void> {
    TaskScope scope("session", runtime->scope());
    scope.spawn("receiver",
                [token = scope.token()]() -> asio::awaitable<void> { co_await token.cancelled(); });
    co_return;
  });

  EXPECT_EQ(runtime->shutdown({10s, 0ms, 0ms}).reached, Rung::wait);
}

TEST(ScopeDestructor, OnAnExecutorOfSomebodyElsesItDoesNotWait) {
  asio::io_context context;
  bool told = false;
  {
    TaskScope scope("session", context.get_executor());
    scope.spawn("task", [&, token = scope.token()]() -> asio::awaitable<void> {
      co_await token.cancelled();
      told = true;
    });
  }

  context.run();

  EXPECT_TRUE(told);
}

}  // namespace
