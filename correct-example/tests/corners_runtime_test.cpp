// Corners of the runtime: shutdowns that would wait for themselves, deadlines at their limits, what
// is no failure, very many tasks, and callbacks of the user's that throw.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/hang_guard.hpp"
#include "correct-example/tests/let_tasks_begin.hpp"
#include "correct-example/tests/shutdown_reports.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <boost/thread/condition_variable.hpp>
#include <boost/thread/lock_types.hpp>
#include <boost/thread/mutex.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <fstream>
#include <future>
#include <latch>
#include <malloc.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using boost::system::system_error;
using namespace asio::experimental::awaitable_operators;
using runtime_sharing::CancellationCallback;
using runtime_sharing::CancellationToken;
using runtime_sharing::Deadlines;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskScope;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

error_code code_of(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const system_error& exception) {
    return exception.code();
  } catch (...) {
    return make_error_code(boost::system::errc::state_not_recoverable);  // none that is wanted
  }
  return {};
}

error_code code_of_shutdown(Runtime& runtime) {
  try {
    runtime.shutdown(quick);
  } catch (...) {
    return code_of(std::current_exception());
  }
  return {};
}

TEST(Shutdown, InACallbackThatItCallsItselfIsRefused) {
  const HangGuard guard(10s);
  const auto runtime = Runtime::start({.threads = 1});
  std::optional<error_code> refusal;
  const CancellationCallback callback(runtime->token(),
                                      [&] { refusal = code_of_shutdown(*runtime); });

  const ShutdownReport report = runtime->shutdown(quick);

  EXPECT_EQ(refusal, make_error_code(boost::system::errc::resource_deadlock_would_occur));
  EXPECT_TRUE(report.graceful());
}

TEST(Shutdown, InACallbackThatAnAsyncShutdownCallsIsRefused) {
  const HangGuard guard(10s);
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope scope("scope", runtime->scope());
  std::optional<error_code> refusal;
  const CancellationCallback callback(scope.token(), [&] { refusal = code_of_shutdown(*runtime); });

  const ShutdownReport report = runtime->async_shutdown(quick, asio::use_future).get();

  EXPECT_EQ(refusal, make_error_code(boost::system::errc::resource_deadlock_would_occur));
  EXPECT_TRUE(report.graceful());
}

/// A task that is deaf to everything but this token.
auto deaf_until(CancellationToken released) {
  return [released]() -> asio::awaitable<void> {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await released.cancelled(asio::use_awaitable);
  };
}

/// Begins the shutdown and looks whether it waits; then lets the deaf task go.
ShutdownReport shutdown_that_waits_for(Runtime& runtime, Deadlines deadlines,
                                       const CancellationToken& released) {
  auto shutdown = std::async(std::launch::async, [&] { return runtime.shutdown(deadlines); });
  shutdown.wait_for(300ms);  // time enough for a shutdown that does not wait
  released.cancel();
  return shutdown.get();
}

TEST(Deadlines, TheLongestWaitIsForEver) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken released;
  runtime->spawn("deaf", deaf_until(released));
  let_tasks_begin(*runtime);

  const ShutdownReport report =
      shutdown_that_waits_for(*runtime, {.wait = milliseconds::max()}, released);

  EXPECT_EQ(report.reached, Rung::wait) << report;
  EXPECT_TRUE(report.graceful()) << report;
}

TEST(Deadlines, TheLongestInterruptIsForEver) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken released;
  runtime->spawn("deaf", deaf_until(released));
  let_tasks_begin(*runtime);

  const ShutdownReport report =
      shutdown_that_waits_for(*runtime, {0ms, milliseconds::max(), milliseconds::max()}, released);

  EXPECT_EQ(report.reached, Rung::interrupt) << report;
  ASSERT_THAT(report.stragglers, ElementsAre(needing("deaf", Rung::interrupt)));
  EXPECT_FALSE(report.stragglers[0].destroyed);
}

TEST(Deadlines, TheLongestStopIsForEver) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken released;
  std::latch spinning{1};
  runtime->spawn("spinner", [&]() -> asio::awaitable<void> {
    spinning.count_down();
    while (!released.is_cancelled()) std::this_thread::yield();
    co_return;
  });
  spinning.wait();

  const ShutdownReport report =
      shutdown_that_waits_for(*runtime, {0ms, 10ms, milliseconds::max()}, released);

  EXPECT_EQ(report.threads_abandoned, 0u) << report;
}

TEST(Deadlines, ANegativeWaitLeavesTheInterruptItsTime) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken released;
  runtime->spawn("deaf", deaf_until(released));
  let_tasks_begin(*runtime);

  const ShutdownReport report = shutdown_that_waits_for(*runtime, {-1h, 20s, 1s}, released);

  EXPECT_EQ(report.reached, Rung::interrupt) << report;
}

TEST(Deadlines, ANegativeInterruptLeavesTheStopItsTime) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken released;
  std::latch spinning{1};
  runtime->spawn("spinner", [&]() -> asio::awaitable<void> {
    spinning.count_down();
    while (!released.is_cancelled()) std::this_thread::yield();
    co_return;
  });
  spinning.wait();

  const ShutdownReport report = shutdown_that_waits_for(*runtime, {0ms, -1h, 20s}, released);

  EXPECT_EQ(report.threads_abandoned, 0u) << report;
}

TEST(Deadlines, OfNothingAnIdleRuntimeNeedsNothing) {
  const HangGuard guard;
  for (int round = 0; round < 50; ++round) {
    const auto runtime = Runtime::start({.threads = 2});
    let_tasks_begin(*runtime);

    const ShutdownReport report = runtime->shutdown({0ms, 0ms, 0ms});

    ASSERT_EQ(report.reached, Rung::wait) << report;
    ASSERT_EQ(report.threads_abandoned, 0u) << report;
  }
}

TEST(ShutdownReport, CountsAnInterruptedGroupOfOperationsAsNoFailure) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  runtime->spawn("either",
                 []() -> asio::awaitable<void> { co_await (wait_for_ever() || wait_for_ever()); });
  runtime->spawn("both",
                 []() -> asio::awaitable<void> { co_await (wait_for_ever() && wait_for_ever()); });
  let_tasks_begin(*runtime);

  const ShutdownReport report = runtime->shutdown(quick);

  EXPECT_EQ(report.failures_total, 0u) << report;
  EXPECT_THAT(report.stragglers, UnorderedElementsAre(needing("either", Rung::interrupt),
                                                      needing("both", Rung::interrupt)));
}

/// Blocks in an interruption point of Boost.Thread.
void block_until_interrupted(std::latch& blocking) {
  boost::mutex mutex;
  boost::condition_variable never;
  boost::unique_lock<boost::mutex> lock(mutex);
  blocking.count_down();
  for (;;) never.wait(lock);
}

TEST(SpawnBlocking, ACallThatIsInterruptedEndsByOperationAborted) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  std::latch blocking{1};
  auto future = runtime->spawn_blocking(
      "sleeper", [&] { block_until_interrupted(blocking); }, asio::use_future);
  blocking.wait();

  const ShutdownReport report = runtime->shutdown(quick);

  error_code code;
  try {
    future.get();
  } catch (...) {
    code = code_of(std::current_exception());
  }
  EXPECT_EQ(code, asio::error::operation_aborted);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("sleeper", Rung::interrupt)));
  EXPECT_EQ(report.failures_total, 0u) << report;
}

TEST(SpawnBlocking, AnInterruptionThatComesWhileItsThreadStartsIsMeantForTheCall) {
  const HangGuard guard;
  std::atomic<int> starts{0};
  std::latch starting{1};
  const auto runtime = Runtime::start({.threads = 1, .on_thread_start = [&] {
                                         if (++starts != 2) return;  // the runtime's own one
                                         starting.count_down();
                                         while (!boost::this_thread::interruption_requested())
                                           std::this_thread::yield();
                                         boost::this_thread::interruption_point();
                                       }});
  std::latch never{1};
  auto future =
      runtime->spawn_blocking("sleeper", [&] { block_until_interrupted(never); }, asio::use_future);
  starting.wait();

  const ShutdownReport report = runtime->shutdown(quick);

  EXPECT_THROW(future.get(), system_error);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("sleeper", Rung::interrupt)));
}

TEST(SpawnBlocking, WhoAwaitsACallThatIsInterruptedHasNotFailed) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  std::latch blocking{1};
  const auto handle = runtime->spawn("awaits", [&]() -> asio::awaitable<void> {
    // So that the call's end ends the task, and not its own interruption.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const auto call = [&blocking] { block_until_interrupted(blocking); };
    co_await runtime->spawn_blocking("sleeper", call);
  });
  blocking.wait();

  const ShutdownReport report = runtime->shutdown(quick);

  EXPECT_EQ(report.failures_total, 0u) << report;
  error_code code;
  try {
    handle.async_join(asio::use_future).get();
  } catch (...) {
    code = code_of(std::current_exception());
  }
  EXPECT_EQ(code, asio::error::operation_aborted);
}

/// How a task that awaits the shutdown of its own runtime fares.
std::optional<error_code> awaited_by_a_task_of(TaskScope& scope, Runtime& runtime) {
  std::optional<error_code> result;
  const auto handle = scope.spawn("waits for itself", [&]() -> asio::awaitable<void> {
    const auto [error, report] =
        co_await runtime.async_shutdown(quick, asio::as_tuple(asio::use_awaitable));
    result = error;
  });
  handle.async_join(asio::use_future).get();
  return result;
}

TEST(AsyncShutdown, AwaitedByATaskOfTheSameRuntimeIsRefusedAndChangesNothing) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 2});

  const auto refusal = awaited_by_a_task_of(runtime->scope(), *runtime);

  EXPECT_EQ(refusal, make_error_code(boost::system::errc::resource_deadlock_would_occur));
  EXPECT_FALSE(runtime->token().is_cancelled());
  EXPECT_TRUE(runtime->shutdown().graceful());
}

TEST(AsyncShutdown, AwaitedByATaskOfAScopeBelowIsRefusedAndChangesNothing) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 2});
  TaskScope scope("scope", runtime->scope());

  const auto refusal = awaited_by_a_task_of(scope, *runtime);

  EXPECT_EQ(refusal, make_error_code(boost::system::errc::resource_deadlock_would_occur));
  EXPECT_FALSE(runtime->token().is_cancelled());
  EXPECT_TRUE(runtime->shutdown().graceful());
}

std::size_t mapped_bytes() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(SpawnBlocking, ThreadsOfCallsThatHaveEndedGiveTheirMemoryBack) {
  const HangGuard guard;
  mallopt(M_ARENA_MAX, 1);  // it is about the stacks
  const auto runtime = Runtime::start({.threads = 1});
  runtime->spawn_blocking("the first", [] {}, asio::use_future).get();
  const auto before = mapped_bytes();
  std::latch release{1};
  std::vector<std::future<void>> calls;
  for (int i = 0; i < 200; ++i) {
    calls.push_back(runtime->spawn_blocking("call", [&] { release.wait(); }, asio::use_future));
  }

  release.count_down();
  for (auto& call : calls) call.get();
  // The last thread is on its way; the C library keeps the stacks of a few for the next ones.
  constexpr std::size_t most = 20 * 8 * 1024 * 1024;
  const auto last_look = std::chrono::steady_clock::now() + 5s;
  while (mapped_bytes() > before + most && std::chrono::steady_clock::now() < last_look) {
    std::this_thread::yield();
  }

  EXPECT_LT(mapped_bytes(), before + most);
  runtime->shutdown();
}

/// Scopes in scopes, the outermost first. They go from the innermost.
class NestedScopes {
 public:
  NestedScopes(Runtime& runtime, std::size_t depth) {
    for (TaskScope* above = &runtime.scope(); scopes_.size() < depth;
         above = scopes_.back().get()) {
      scopes_.push_back(std::make_unique<TaskScope>("scope", *above));
    }
  }
  ~NestedScopes() {
    while (!scopes_.empty()) scopes_.pop_back();
  }
  NestedScopes(const NestedScopes&) = delete;
  NestedScopes& operator=(const NestedScopes&) = delete;

  TaskScope& at(std::size_t depth) { return *scopes_.at(depth); }
  std::size_t depth() const { return scopes_.size(); }

 private:
  std::vector<std::unique_ptr<TaskScope>> scopes_;
};

/// For each rung; a sanitizer takes its time.
#if defined(WITH_ADDRESS_SANITIZER) || defined(WITH_THREAD_SANITIZER)
constexpr auto short_while = 1s;
#else
constexpr auto short_while = 100ms;
#endif
/// For machines that are busy.
constexpr auto margin = 2s;

TEST(Shutdown, OfTenThousandNestedScopesKeepsTheSumOfItsDeadlines) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 2});
  NestedScopes scopes(*runtime, 10'000);
  for (std::size_t depth = 0; depth < scopes.depth(); ++depth) {
    scopes.at(depth).spawn("deaf", wait_for_ever);
  }
  const Deadlines deadlines{short_while, short_while, short_while};

  const ShutdownReport report = runtime->shutdown(deadlines);

  EXPECT_LT(report.took, deadlines.wait + deadlines.interrupt + deadlines.stop + margin);
  EXPECT_EQ(report.threads_abandoned, 0u);
}

TEST(Shutdown, OfTwentyThousandTasksUnderFiveHundredScopesAbandonsNothing) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 2});
  NestedScopes scopes(*runtime, 500);
  for (std::size_t task = 0; task < 20'000; ++task) {
    scopes.at(task % scopes.depth()).spawn("deaf", wait_for_ever);
  }
  const Deadlines deadlines{short_while, short_while, short_while};

  const ShutdownReport report = runtime->shutdown(deadlines);

  EXPECT_LT(report.took, deadlines.wait + deadlines.interrupt + deadlines.stop + margin);
  EXPECT_EQ(report.threads_abandoned, 0u);
  EXPECT_LE(report.reached, Rung::stop);
}

[[noreturn]] void throw_out_of_a_warning(std::string_view) {
  throw std::runtime_error("out of on_warning");
}

TEST(OnWarning, ThatThrowsWhenAHandlerHasThrownEndsNoThread) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1, .on_warning = throw_out_of_a_warning});

  asio::post(runtime->get_executor(), [] { throw std::runtime_error("out of a handler"); });

  EXPECT_NO_THROW(asio::post(runtime->get_executor(), asio::use_future).get());
  EXPECT_TRUE(runtime->shutdown().graceful());
}

TEST(OnWarning, ThatThrowsWhenARuntimeIsDroppedLetsItEnd) {
  const HangGuard guard;
  const auto owned = std::make_shared<int>();
  {
    const auto runtime = Runtime::start({.threads = 1, .on_warning = throw_out_of_a_warning});
    runtime->spawn("task", [owned, token = runtime->token()]() -> asio::awaitable<void> {
      co_await token.cancelled();
    });
  }

  EXPECT_EQ(owned.use_count(), 1);
}

TEST(OnWarning, ThatThrowsWhenAScopeIsDroppedLetsItEnd) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1, .on_warning = throw_out_of_a_warning});
  const auto owned = std::make_shared<int>();
  {
    TaskScope scope("scope", runtime->scope());
    scope.spawn("task", [owned, token = scope.token()]() -> asio::awaitable<void> {
      co_await token.cancelled();
    });
  }

  EXPECT_EQ(owned.use_count(), 1);
  runtime->shutdown();
}

/// A task that throws at one of its moves or copies.
class ThrowsWhenMoved {
 public:
  explicit ThrowsWhenMoved(int moves_until_it_throws)
      : moves_left_(std::make_shared<int>(moves_until_it_throws)) {}
  ThrowsWhenMoved(const ThrowsWhenMoved& other) : moves_left_(other.moves_left_) {
    if ((*moves_left_)-- == 0) throw std::runtime_error("while it was moved");
  }
  ThrowsWhenMoved& operator=(const ThrowsWhenMoved&) = delete;

  asio::awaitable<void> operator()() const { co_return; }
  bool has_thrown() const { return *moves_left_ < 0; }

 private:
  std::shared_ptr<int> moves_left_;
};

TEST(AsyncSpawn, ATaskThatThrowsWhileItIsMovedIsNotForgottenInSilence) {
  const HangGuard guard;
  bool has_thrown = true;
  for (int moves = 0; has_thrown; ++moves) {
    std::atomic<int> warnings{0};
    const auto runtime =
        Runtime::start({.threads = 1, .on_warning = [&](std::string_view) { ++warnings; }});
    TaskScope scope("scope", runtime->scope());
    const ThrowsWhenMoved task(moves);
    bool went_on = false;

    runtime->spawn("awaits", [&]() -> asio::awaitable<void> {
      try {
        co_await scope.async_spawn("spawned", task);
      } catch (const std::exception&) {
        // The error is an answer.
      }
      went_on = true;
    });
    scope.close();
    const ShutdownReport report = runtime->shutdown(quick);
    has_thrown = task.has_thrown();

    EXPECT_TRUE(went_on || report.failures_total > 0 || warnings > 0)
        << "when move " << moves << " threw";
  }
}

/// An operation that throws when it is begun: when the coroutine is suspended already.
asio::awaitable<void> begin_an_operation_that_throws() {
  const auto initiation = [](auto&&) { throw std::runtime_error("while it was begun"); };
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(initiation,
                                                                        asio::use_awaitable);
}

TEST(TaskScope, AnOperationThatThrowsWhenItIsBegunIsNotForgottenInSilence) {
  const HangGuard guard;
  for (const bool in_first_step : {false, true}) {
    std::atomic<int> warnings{0};
    const auto runtime =
        Runtime::start({.threads = 1, .on_warning = [&](std::string_view) { ++warnings; }});

    runtime->spawn("task", [in_first_step]() -> asio::awaitable<void> {
      if (!in_first_step) co_await asio::post(asio::use_awaitable);
      co_await begin_an_operation_that_throws();
    });
    const ShutdownReport report = runtime->shutdown(quick);

    EXPECT_TRUE(report.failures_total > 0 || warnings > 0)
        << (in_first_step ? "in the first step" : "in a later step");
  }
}

}  // namespace
