// Corners without memory: what promises not to throw does its work all the same, and what has been
// found is not lost.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/failing_system.hpp"
#include "correct-example/tests/hang_guard.hpp"
#include "correct-example/tests/shutdown_reports.hpp"
#include "runtime_sharing/runtime.hpp"
#include "runtime_sharing/suspension_checker.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/thread/thread.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <new>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using runtime_sharing::CancellationToken;
using runtime_sharing::DropGuard;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskScope;
using runtime_sharing::checked::Mutex;
using testing::ElementsAre;

/// Calls `act` with one allocation failing, the number that is given. True: there was such a one.
template <typename Act>
bool with_failing_allocation(int number, Act act) {
  allocation_has_failed = false;
  allocations_until_failure = number;
  act();
  allocations_until_failure = -1;
  return std::exchange(allocation_has_failed, false);
}

/// Calls `round(number)`, with 0, 1 and so on, until it says that there was none to fail.
template <typename Round>
void for_each_allocation(Round round) {
  const HangGuard guard;
  for (int number = 0; round(number); ++number) {
    if (testing::Test::HasFailure()) FAIL() << "with allocation " << number << " failing";
  }
}

/// An executor whose first functions find no memory.
struct Unwilling {
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  Unwilling require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <typename Function>
  void execute(Function&& function) const {
    if ((*refusals)-- > 0) throw std::bad_alloc();
    asio::require(context->get_executor(), asio::execution::blocking.never)
        .execute(std::forward<Function>(function));
  }
  bool operator==(const Unwilling&) const noexcept = default;

  asio::io_context* context;
  int* refusals;
};

TEST(CancelWithoutMemory, WakesTheWaitersOfDescendantsToo) {
  const HangGuard guard;
  asio::io_context context;
  int refusals = 2;
  const CancellationToken token;
  const auto child = token.child_token();
  const auto grandchild = child.child_token();
  int woken = 0;
  for (const auto& waited_for : {token, child, grandchild}) {
    waited_for.cancelled(
        asio::bind_executor(Unwilling{&context, &refusals}, [&](error_code) { ++woken; }));
  }

  EXPECT_NO_THROW(token.cancel());
  EXPECT_NO_THROW(token.cancel());
  context.run_for(5s);

  EXPECT_EQ(woken, 3);
  EXPECT_TRUE(grandchild.is_cancelled());
}

TEST(CancelWithoutMemory, WakesTasksThatWaitForDescendants) {
  const HangGuard guard;
  asio::io_context context;
  int refusals = 0;
  const CancellationToken token;
  TaskScope scope("scope", Unwilling{&context, &refusals});
  scope.spawn("task", [child = token.child_token()]() -> asio::awaitable<void> {
    co_await child.cancelled();
  });
  context.poll();

  refusals = 1;
  EXPECT_NO_THROW(token.cancel());
  context.restart();
  context.run_for(5s);

  EXPECT_EQ(scope.size(), 0u);
}

TEST(CancelWithoutMemory, WakesEveryWaiterWhicheverAllocationFails) {
  for_each_allocation([](int number) {
    asio::io_context context;
    asio::io_context other_context;
    const CancellationToken token;
    const auto child = token.child_token();
    int woken = 0;
    for (const auto& waited_for : {token, child}) {
      for (auto* const on : {&context, &other_context}) {
        for (int i = 0; i < 2; ++i) {
          waited_for.cancelled(asio::bind_executor(*on, [&](error_code) { ++woken; }));
        }
      }
    }
    TaskScope scope("scope", context.get_executor());
    scope.spawn("task", [child]() -> asio::awaitable<void> { co_await child.cancelled(); });
    context.poll();

    const bool failed = with_failing_allocation(number, [&] { EXPECT_NO_THROW(token.cancel()); });
    context.run_for(5s);
    other_context.run_for(5s);

    EXPECT_EQ(woken, 8);
    EXPECT_EQ(scope.size(), 0u);
    return failed;
  });
}

TEST(CancelWithoutMemory, OfADropGuardNeedsNoOtherCancel) {
  const HangGuard guard;
  asio::io_context context;
  int refusals = 1;
  const CancellationToken token;
  int woken = 0;
  token.cancelled(
      asio::bind_executor(Unwilling{&context, &refusals}, [&](error_code) { ++woken; }));

  {
    const DropGuard dropped(token);
  }
  context.run_for(5s);

  EXPECT_EQ(woken, 1);
}

TEST(CancelWithoutMemory, ByTheRequestOfAStopEndsNoProcess) {
  const HangGuard guard;
  asio::io_context context;
  int refusals = 1;
  std::stop_source source;
  const CancellationToken linked(source.get_token());
  const auto child = linked.child_token();
  int woken = 0;
  for (const auto& waited_for : {linked, child}) {
    waited_for.cancelled(
        asio::bind_executor(Unwilling{&context, &refusals}, [&](error_code) { ++woken; }));
  }

  source.request_stop();
  context.run_for(5s);

  EXPECT_EQ(woken, 2);
}

TEST(WaitWithoutMemory, MayBeTriedAgainWhicheverAllocationHasFailed) {
  for_each_allocation([](int number) {
    asio::io_context first;
    asio::io_context second;
    const CancellationToken parent;
    const auto token = parent.child_token();
    int woken = 0;
    parent.cancelled(asio::bind_executor(first, [&](error_code) { ++woken; }));
    const auto wait = [&] {
      token.cancelled(asio::bind_executor(second, [&](error_code) { ++woken; }));
    };

    const bool one_failed = with_failing_allocation(number, [&] {
      try {
        wait();
      } catch (const std::bad_alloc&) {
        allocations_until_failure = -1;
        wait();
      }
    });
    parent.cancel();
    first.run();
    second.restart();  // it ran out of work when the first wait failed
    second.run();

    EXPECT_EQ(woken, 2);
    return one_failed;
  });
}

TEST(CancelWithoutMemory, OfAWaitEndsThatWaitOnce) {
  const HangGuard guard;
  asio::io_context context;
  int refusals = 1;
  const CancellationToken token;
  const auto owned = std::make_shared<int>();
  asio::cancellation_signal signal;
  std::vector<error_code> results;
  token.cancelled(asio::bind_cancellation_slot(
      signal.slot(),
      asio::bind_executor(Unwilling{&context, &refusals},
                          [&results, owned](error_code error) { results.push_back(error); })));

  EXPECT_NO_THROW(signal.emit(asio::cancellation_type::terminal));
  token.cancel();
  context.run_for(5s);

  EXPECT_THAT(results, ElementsAre(error_code(asio::error::operation_aborted)));
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(CancelWithoutMemory, OfAWaitEndsThatWaitWhicheverAllocationFails) {
  for_each_allocation([](int number) {
    asio::io_context context;
    const CancellationToken token;
    int woken = 0;
    asio::cancellation_signal signal;
    token.cancelled(asio::bind_cancellation_slot(
        signal.slot(), asio::bind_executor(context, [&](error_code) { ++woken; })));

    const bool failed = with_failing_allocation(
        number, [&] { EXPECT_NO_THROW(signal.emit(asio::cancellation_type::terminal)); });
    context.run_for(5s);

    EXPECT_EQ(woken, 1);
    return failed;
  });
}

TEST(ScopeWithoutMemory, ClosesAndTellsWhoWaits) {
  for_each_allocation([](int number) {
    asio::io_context context;
    TaskScope scope("scope", context.get_executor(), CancellationToken(), {.max_tasks = 1});
    TaskScope below("below", scope);
    int told = 0;
    for (const auto* waited_for : {&scope, &below}) {
      waited_for->async_wait(asio::bind_executor(context, [&](error_code) { ++told; }));
    }

    const bool failed = with_failing_allocation(number, [&] { EXPECT_NO_THROW(scope.close()); });
    context.run_for(5s);

    EXPECT_TRUE(scope.is_closed());
    EXPECT_TRUE(below.is_closed());
    EXPECT_EQ(told, 2);
    return failed;
  });
}

TEST(ScopeWithoutMemory, ThatIsEmptyAndClosedIsDestroyed) {
  for_each_allocation([](int number) {
    asio::io_context context;
    std::optional<TaskScope> scope;
    scope.emplace("scope", context.get_executor());
    scope->close();

    return with_failing_allocation(number, [&] { scope.reset(); });
  });
}

TEST(ScopeWithoutMemory, ThatHasTasksIsDestroyedAndTellsThem) {
  for_each_allocation([](int number) {
    const auto runtime = Runtime::start({.threads = 1, .on_warning = [](std::string_view) {}});
    const auto owned = std::make_shared<int>();
    std::optional<TaskScope> scope;
    scope.emplace("a scope whose name does not fit into a short string", runtime->scope());
    scope->spawn(
        "a task whose name does not fit into a short string",
        [owned, token = scope->token()]() -> asio::awaitable<void> { co_await token.cancelled(); });

    const bool failed = with_failing_allocation(number, [&] { scope.reset(); });

    EXPECT_EQ(owned.use_count(), 1);
    EXPECT_TRUE(runtime->shutdown().graceful());
    return failed;
  });
}

TEST(RuntimeWithoutMemory, ThatWasNotShutDownIsDestroyedAndEndsItsTasks) {
  for_each_allocation([](int number) {
    auto runtime = Runtime::start({.name = "a runtime whose name does not fit into a short string",
                                   .threads = 1,
                                   .on_warning = [](std::string_view) {}});
    auto owned = std::make_shared<int>();
    const std::weak_ptr<int> observed = owned;
    runtime->spawn("a task whose name does not fit into a short string",
                   [owned, token = runtime->token()]() -> asio::awaitable<void> {
                     co_await token.cancelled();
                   });
    owned.reset();

    const bool failed = with_failing_allocation(number, [&] { runtime.reset(); });

    const auto last_look = std::chrono::steady_clock::now() + 10s;
    while (!observed.expired() && std::chrono::steady_clock::now() < last_look) {
      std::this_thread::yield();
    }
    EXPECT_TRUE(observed.expired());
    return failed;
  });
}

TEST(ShutdownWithoutMemory, KeepsTheStragglersThatItHasFound) {
  for_each_allocation([](int number) {
    const std::string name = "a deaf task whose name does not fit into a short string";
    const auto runtime = Runtime::start({.threads = 1});
    runtime->spawn(name, wait_for_ever);
    asio::post(runtime->get_executor(), asio::use_future).get();
    std::optional<ShutdownReport> report;

    const bool failed = with_failing_allocation(number, [&] {
      try {
        report = runtime->shutdown(quick);
      } catch (const std::bad_alloc&) {
        // Somebody may try again.
      }
    });
    if (!report) report = runtime->shutdown(quick);

    EXPECT_EQ(report->reached, Rung::interrupt);
    EXPECT_THAT(report->stragglers, ElementsAre(needing(name, Rung::interrupt)));
    return failed;
  });
}

TEST(ShutdownWithoutMemory, DoesNotThrowWhenAllTasksHaveEnded) {
  for_each_allocation([](int number) {
    const auto runtime = Runtime::start({.threads = 1});
    runtime->spawn("a deaf task whose name does not fit into a short string", wait_for_ever);
    asio::post(runtime->get_executor(), asio::use_future).get();
    bool threw_at_the_end = false;

    const bool failed = with_failing_allocation(number, [&] {
      try {
        runtime->shutdown(quick);
      } catch (const std::bad_alloc&) {
        threw_at_the_end = runtime->scope().size() == 0;
      }
    });

    EXPECT_FALSE(threw_at_the_end);
    runtime->shutdown(quick);
    return failed;
  });
}

/// On a thread whose list of locks is still empty.
template <typename LockAndUnlock>
void takes_no_lock_that_it_cannot_note(LockAndUnlock lock_and_unlock) {
  for_each_allocation([&](int number) {
    bool failed = false;
    std::thread([&] {
      Mutex mutex("store");
      failed = with_failing_allocation(number, [&] {
        try {
          lock_and_unlock(mutex);
        } catch (const std::bad_alloc&) {
          // Then it is not locked.
        }
      });
      EXPECT_TRUE(mutex.try_lock());
      mutex.unlock();
    }).join();
    return failed;
  });
}

TEST(SuspensionCheckerWithoutMemory, TakesNoLockThatItCannotNote) {
  takes_no_lock_that_it_cannot_note([](Mutex& mutex) {
    mutex.lock();
    mutex.unlock();
  });
}

TEST(SuspensionCheckerWithoutMemory, TriesNoLockThatItCannotNote) {
  takes_no_lock_that_it_cannot_note([](Mutex& mutex) {
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
  });
}

TEST(SpawnBlocking, WithoutMemorySaysSoAndLeavesNothingToTheShutdown) {
  for_each_allocation([](int number) {
    const auto runtime = Runtime::start({.threads = 1});
    const auto owned = std::make_shared<int>();
    bool without_memory = false;
    const auto call = [&] {
      auto operation = runtime->spawn_blocking(
          "a call whose name does not fit into a short string", [owned] {}, asio::deferred);
      return with_failing_allocation(number, [&] {
        try {
          auto result = std::move(operation)(asio::use_future);
          allocations_until_failure = -1;
          result.get();  // a completion that was lost would be a broken promise
        } catch (const std::bad_alloc&) {
          without_memory = true;
        }
      });
    };

    const bool failed = call();
    const ShutdownReport report = runtime->shutdown(quick);

    // Not the other way round: some allocations are tried again, or done without.
    EXPECT_TRUE(failed || !without_memory);
    EXPECT_EQ(owned.use_count(), 1);
    EXPECT_TRUE(report.graceful()) << report;
    EXPECT_EQ(runtime->scope().size(), 0u);
    return failed;
  });
}

TEST(SpawnBlocking, WhoseThreadOutlivesTheShutdownKeepsTheRuntimeNoLongerThanItRuns) {
  const HangGuard guard;
  auto owned = std::make_shared<int>();
  const std::weak_ptr<int> observed = owned;
  auto runtime =
      Runtime::start({.threads = 1, .on_warning = [owned = std::move(owned)](std::string_view) {}});
  std::latch created{2};
  std::latch shutting_down{1};
  std::latch may_end{1};
  std::thread caller([&, runtime] {
    std::function<void()> hold_up = [&] {
      created.count_down();
      shutting_down.wait();
    };
    after_thread_creation = &hold_up;
    runtime->spawn_blocking(
        "deaf call",
        [&] {
          created.count_down();
          may_end.wait();
        },
        asio::detached);
  });

  created.wait();
  shutting_down.count_down();
  const ShutdownReport report = runtime->shutdown({0ms, 0ms, 0ms});
  caller.join();
  may_end.count_down();
  runtime.reset();
  const auto last_look = std::chrono::steady_clock::now() + 5s;
  while (!observed.expired() && std::chrono::steady_clock::now() < last_look) {
    std::this_thread::yield();
  }

  EXPECT_THAT(report.stragglers, ElementsAre(needing("deaf call", Rung::abandon)));
  EXPECT_TRUE(observed.expired());
}

TEST(SpawnBlocking, ThatAShutdownOvertakesIsRefusedAndStartsNoThread) {
  const HangGuard guard;
  auto runtime = Runtime::start({.threads = 1});
  const auto owned = std::make_shared<int>();
  bool called = false;
  std::optional<ShutdownReport> report;
  std::function<void()> overtake = [&] {
    if (!report && runtime->scope().size() == 1) report = runtime->shutdown({0ms, 0ms, 0ms});
  };

  during_allocation = &overtake;
  auto result =
      runtime->spawn_blocking("call", [&called, owned] { called = true; }, asio::use_future);
  during_allocation = nullptr;

  EXPECT_THROW(result.get(), boost::system::system_error);
  ASSERT_TRUE(report);
  EXPECT_THAT(report->stragglers, ElementsAre(needing("call", Rung::abandon)));
  EXPECT_EQ(runtime->scope().size(), 0u);
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_FALSE(called);
}

TEST(SpawnBlocking, AnInterruptionThatComesBeforeThereIsAThreadReachesTheCall) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  std::future<ShutdownReport> report;
  std::function<void()> overtake = [&] {
    if (report.valid() || runtime->scope().size() == 0) return;
    const auto next = runtime->spawn("interrupted after the call", wait_for_ever);
    report = std::async(std::launch::async, [&] { return runtime->shutdown({0ms, 10s, 10s}); });
    EXPECT_THROW(next.async_join(asio::use_future).get(), boost::system::system_error);
  };

  during_allocation = &overtake;
  runtime->spawn_blocking(
      "call",
      [] {
        for (;;) {
          boost::this_thread::interruption_point();
          std::this_thread::yield();
        }
      },
      asio::detached);
  during_allocation = nullptr;

  EXPECT_EQ(report.get().reached, Rung::interrupt);
}

}  // namespace
