// What happens when memory or threads run out.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/failing_system.hpp"
#include "runtime_sharing/runtime_slot.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <boost/thread/exceptions.hpp>
#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using runtime_sharing::CancellationToken;
using runtime_sharing::DropGuard;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::RuntimeSlot;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskScope;
using testing::ElementsAre;
using testing::HasSubstr;

/// Calls `attempt` with the first allocation failing, then the second, and so on, until it gets
/// through; `check` after each failure. Returns how often it failed.
template <typename Attempt, typename Check>
int fail_each_allocation(Attempt attempt, Check check) {
  for (int failures = 0;; ++failures) {
    allocations_until_failure = failures;
    try {
      attempt();
      allocations_until_failure = -1;
      return failures;
    } catch (const std::bad_alloc&) {
      allocations_until_failure = -1;
      check();
    }
  }
}

std::ptrdiff_t threads_of_this_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

std::ptrdiff_t descriptors_of_this_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST(FaultInjection, ASpawnThatFailsLeavesTheScopeAsItWas) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  const auto owned = std::make_shared<int>();
  int ran = 0;

  const int failures = fail_each_allocation(
      [&] {
        scope.spawn("a task whose name does not fit into a short string",
                    [&ran, owned]() -> asio::awaitable<void> {
                      ++ran;
                      co_return;
                    });
      },
      [&] {
        EXPECT_EQ(scope.size(), 0u);
        EXPECT_EQ(owned.use_count(), 1);
      });
  scope.close();
  context.run();

  EXPECT_GT(failures, 0);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_TRUE(scope.wait_until(std::chrono::steady_clock::now()));
}

TEST(FaultInjection, ATaskThatDidNotStartIsNotInTheReport) {
  const auto runtime = Runtime::start({.threads = 1});

  fail_each_allocation(
      [&] {
        runtime->spawn("a task whose name does not fit into a short string",
                       []() -> asio::awaitable<void> { co_return; });
      },
      [&] { EXPECT_EQ(runtime->scope().size(), 0u); });

  EXPECT_EQ(runtime->shutdown().tasks_total, 1u);
}

TEST(FaultInjection, ACallableThatThrowsWhenItIsMovedLeavesTheScopeAsItWas) {
  struct Throwing {
    Throwing() = default;
    Throwing(const Throwing&) { throw std::runtime_error("copied"); }
    asio::awaitable<void> operator()() const { co_return; }
  };
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  const Throwing task;

  EXPECT_THROW(scope.spawn("task", task), std::runtime_error);

  EXPECT_EQ(scope.size(), 0u);
  scope.close();
  EXPECT_TRUE(scope.wait_until(std::chrono::steady_clock::now()));
}

TEST(FaultInjection, ACallableThatThrowsInsteadOfMakingACoroutineHasFailed) {
  const auto runtime = Runtime::start({.threads = 1});

  runtime->spawn("task", []() -> asio::awaitable<void> { throw std::runtime_error("on purpose"); });

  const auto report = runtime->shutdown();
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures.front().what, "on purpose");
}

TEST(FaultInjection, AChildTokenThatFailsLeavesItsParentUsable) {
  const CancellationToken parent;
  std::vector<CancellationToken> children;
  children.reserve(1);

  const int failures =
      fail_each_allocation([&] { children.push_back(parent.child_token()); }, [] {});
  parent.cancel();

  EXPECT_GT(failures, 0);
  EXPECT_TRUE(children.front().is_cancelled());
}

TEST(FaultInjection, CancelOfARuntimesTasksAllocatesNothing) {
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  for (int i = 0; i < 100; ++i) {
    runtime->spawn("task", [token]() -> asio::awaitable<void> { co_await token.cancelled(); });
  }
  asio::post(runtime->get_executor(), asio::use_future).get();

  allocations_until_failure = 0;
  const bool was_first = token.cancel();
  allocations_until_failure = -1;

  EXPECT_TRUE(was_first);
  EXPECT_EQ(runtime->shutdown({std::chrono::seconds(10), {}, {}}).reached, Rung::wait);
}

TEST(FaultInjection, ACancelAllocatesNothingHoweverManyThereWereBefore) {
  const auto runtime = Runtime::start({.threads = 1});

  for (int i = 0; i < 1000; ++i) {
    const CancellationToken token;
    runtime->spawn("task", [token]() -> asio::awaitable<void> { co_await token.cancelled(); });
    asio::post(runtime->get_executor(), asio::use_future).get();

    allocations_until_failure = 0;
    token.cancel();
    allocations_until_failure = -1;
  }

  EXPECT_EQ(runtime->shutdown({std::chrono::seconds(10), {}, {}}).reached, Rung::wait);
}

/// An executor whose first functions find no memory.
struct Unwilling {
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  Unwilling require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <typename Function>
  void execute(Function&& function) const {
    if ((*refusals)-- > 0) throw std::bad_alloc();
    context->get_executor().execute(std::forward<Function>(function));
  }
  bool operator==(const Unwilling&) const noexcept = default;

  asio::io_context* context;
  int* refusals;
};

TEST(FaultInjection, ASpawnWaitsForAnExecutorWithoutMemory) {
  asio::io_context context;
  int refusals = 2;
  TaskScope scope("scope", Unwilling{&context, &refusals});
  int ran = 0;

  scope.spawn("task", [&ran]() -> asio::awaitable<void> {
    ++ran;
    co_return;
  });
  context.run();

  EXPECT_EQ(ran, 1);
  EXPECT_EQ(scope.size(), 0u);
}

/// An executor that has no memory at first to say that there is work.
struct Untracked {
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  Untracked require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  Untracked require(asio::execution::outstanding_work_t::tracked_t) const {
    if ((*refusals)-- > 0) throw std::bad_alloc();
    return *this;
  }
  template <typename Function>
  void execute(Function&& function) const {
    context->get_executor().execute(std::forward<Function>(function));
  }
  bool operator==(const Untracked&) const noexcept = default;

  asio::io_context* context;
  int* refusals;
};

TEST(FaultInjection, ASpawnThatFailsGivesItsPlaceBack) {
  asio::io_context context;
  int refusals = 1;
  TaskScope scope("scope", Untracked{&context, &refusals}, CancellationToken(), {.max_tasks = 1});
  int ran = 0;
  const auto run = [&ran]() -> asio::awaitable<void> {
    ++ran;
    co_return;
  };

  EXPECT_THROW(scope.spawn("without memory", run), std::bad_alloc);
  scope.spawn("with memory", run);
  context.run();

  EXPECT_EQ(ran, 1);
}

TEST(FaultInjection, ACancelWaitsForAnExecutorWithoutMemory) {
  asio::io_context context;
  int refusals = 2;
  const CancellationToken token;
  int woken = 0;
  for (int i = 0; i < 3; ++i) {
    token.cancelled(asio::bind_executor(Unwilling{&context, &refusals}, [&](auto) { ++woken; }));
  }

  EXPECT_TRUE(token.cancel());
  context.run();

  EXPECT_EQ(woken, 3);
}

TEST(FaultInjection, ADropGuardWaitsForAnExecutorWithoutMemory) {
  asio::io_context context;
  int refusals = 1;
  const CancellationToken token;
  int woken = 0;
  token.cancelled(asio::bind_executor(Unwilling{&context, &refusals}, [&](auto) { ++woken; }));

  {
    const DropGuard guard(token);
  }
  context.run();

  EXPECT_EQ(woken, 1);
}

/// Makes each allocation of an operation fail in turn, until the operation gets through. Each
/// failure is its result, or an exception out of the initiating call; none leaves it unanswered.
template <typename Initiate>
int fail_each_allocation_of_an_operation(asio::io_context& context, Initiate initiate) {
  for (int failures = 0;; ++failures) {
    std::optional<boost::system::error_code> result;
    context.restart();
    allocations_until_failure = failures;
    try {
      initiate([&result](boost::system::error_code error, const auto&) {
        allocations_until_failure = -1;
        result = error;
      });
    } catch (const std::bad_alloc&) {
      allocations_until_failure = -1;
      continue;
    }
    while (!result) context.run_one();
    if (!*result) return failures;
    EXPECT_EQ(*result, boost::system::errc::not_enough_memory);
  }
}

TEST(FaultInjection, ASpawnerThatWaitsForRoomHearsThatThereIsNoMemory) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  int ran = 0;

  const int failures = fail_each_allocation_of_an_operation(context, [&](auto handler) {
    scope.async_spawn(
        "a task whose name does not fit into a short string",
        [&ran]() -> asio::awaitable<void> {
          ++ran;
          co_return;
        },
        asio::bind_executor(context, handler));
  });
  context.run();

  EXPECT_GT(failures, 0);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(scope.size(), 0u);
}

TEST(FaultInjection, ALoginHearsThatThereIsNoMemory) {
  asio::io_context window;
  RuntimeSlot slot({.name = "a name that needs memory for each copy of it", .threads = 1});

  const int failures = fail_each_allocation_of_an_operation(
      window, [&](auto handler) { slot.async_start(asio::bind_executor(window, handler)); });

  EXPECT_GT(failures, 0);
  EXPECT_TRUE(slot.shutdown().graceful());
}

TEST(FaultInjection, ALogoutHearsThatThereIsNoMemory) {
  asio::io_context window;
  const auto runtime = Runtime::start({.threads = 1});

  const int failures = fail_each_allocation_of_an_operation(window, [&](auto handler) {
    runtime->async_shutdown({}, asio::bind_executor(window, handler));
  });

  EXPECT_GT(failures, 0);
  EXPECT_TRUE(runtime->ended().is_cancelled());
}

TEST(FaultInjection, TheEndOfAScopeHearsThatThereIsNoMemory) {
  asio::io_context window;
  TaskScope scope("scope", window.get_executor());

  const int failures = fail_each_allocation_of_an_operation(window, [&](auto handler) {
    scope.async_shutdown({}, asio::bind_executor(window, handler));
  });

  EXPECT_GT(failures, 0);
  EXPECT_TRUE(scope.is_closed());
}

TEST(FaultInjection, ARuntimeThatCannotAllocateLeavesNoThreadAndNoDescriptor) {
  Runtime::start({.threads = 1})->shutdown();  // what the first use of anything keeps
  const auto threads = threads_of_this_process();
  const auto descriptors = descriptors_of_this_process();

  const int failures = fail_each_allocation(
      [] {
        const auto runtime = Runtime::start({.threads = 2});
        allocations_until_failure = -1;
        runtime->shutdown();
      },
      [&] {
        EXPECT_EQ(threads_of_this_process(), threads);
        EXPECT_EQ(descriptors_of_this_process(), descriptors);
      });

  EXPECT_GT(failures, 0);
}

TEST(FaultInjection, AShutdownNeedsNoMemoryButForTheCallersReport) {
  const auto runtime = Runtime::start({.threads = 1});
  runtime->spawn("task", [token = runtime->token()]() -> asio::awaitable<void> {
    co_await token.cancelled();
  });
  ShutdownReport report;

  fail_each_allocation([&] { report = runtime->shutdown(); }, [] {});

  EXPECT_EQ(report.tasks_total, 1u);
  EXPECT_TRUE(report.graceful());
}

TEST(FaultInjection, ARuntimeThatGetsNoThreadSaysSoAndLeavesNothing) {
  Runtime::start({.threads = 1})->shutdown();
  const auto threads = threads_of_this_process();
  const auto descriptors = descriptors_of_this_process();

  for (int i = 0; i < 3; ++i) {
    threads_until_failure = i;
    EXPECT_THROW(Runtime::start({.threads = 3}), boost::thread_resource_error);
    threads_until_failure = -1;
    EXPECT_EQ(threads_of_this_process(), threads);
    EXPECT_EQ(descriptors_of_this_process(), descriptors);
  }
}

TEST(FaultInjection, ALoginThatGetsNoThreadSaysSoAndTheNextOneWorks) {
  asio::io_context window;
  RuntimeSlot slot({.threads = 1});
  boost::system::error_code refusal;

  threads_until_failure = 0;
  slot.async_start(asio::bind_executor(
      window,
      [&](boost::system::error_code error, const std::shared_ptr<Runtime>&) { refusal = error; }));
  window.run();
  threads_until_failure = -1;

  EXPECT_EQ(refusal, boost::system::errc::resource_unavailable_try_again);
  EXPECT_NE(slot.start(), nullptr);
  EXPECT_TRUE(slot.shutdown().graceful());
}

TEST(FaultInjection, ABlockingCallThatGetsNoThreadSaysSoAndIsNotCounted) {
  const auto runtime = Runtime::start({.threads = 1});

  threads_until_failure = 0;
  auto result = runtime->spawn_blocking("blocking", [] {}, asio::use_future);
  threads_until_failure = -1;

  EXPECT_THROW(result.get(), boost::thread_resource_error);
  EXPECT_EQ(runtime->scope().size(), 0u);
  EXPECT_TRUE(runtime->shutdown({0ms, 0ms, 0ms}).graceful());
}

TEST(FaultInjection, AnAsyncShutdownThatGetsNoThreadSaysSoAndCanBeCalledAgain) {
  const auto runtime = Runtime::start({.threads = 1});

  threads_until_failure = 0;
  auto refused = runtime->async_shutdown({}, asio::use_future);
  threads_until_failure = -1;

  EXPECT_THROW(refused.get(), boost::system::system_error);
  EXPECT_FALSE(runtime->token().is_cancelled());
  EXPECT_TRUE(runtime->async_shutdown({}, asio::use_future).get().graceful());
}

/// On its own thread the destructor leaves the shutdown to another one, and the system has none.
TEST(FaultInjection, ARuntimeThatIsDroppedAndGetsNoThreadForItsShutdownIsStopped) {
  std::thread([] {}).join();  // ThreadSanitizer has a thread of its own from the first one on
  const auto threads = threads_of_this_process();
  const auto left = std::make_shared<std::promise<void>>();
  const auto warnings = std::make_shared<std::vector<std::string>>();
  auto runtime = Runtime::start(
      {.threads = 1,
       .on_thread_stop = [left] { left->set_value(); },
       .on_warning = [warnings](std::string_view warning) { warnings->emplace_back(warning); }});
  auto owned = std::make_shared<int>();
  const std::weak_ptr<int> observed = owned;
  runtime->spawn("deaf task", [owned = std::move(owned)] { return wait_for_ever(); });
  const auto executor = runtime->get_executor();

  asio::post(executor, [last_owner = std::move(runtime)]() mutable {
    threads_until_failure = 0;
    last_owner.reset();
    threads_until_failure = -1;
  });

  ASSERT_EQ(left->get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(observed.expired());
  EXPECT_THAT(*warnings, ElementsAre(HasSubstr("was dropped without shutdown()"),
                                     HasSubstr("it could only be stopped: ")));
  while (threads_of_this_process() > threads) std::this_thread::yield();  // it is detached
}

}  // namespace
