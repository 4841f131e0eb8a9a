// Corners of the scope: turns, an executor that goes or fails, who is told of a failure, and where
// a scope may be destroyed.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/hang_guard.hpp"
#include "correct-example/tests/let_tasks_begin.hpp"
#include "correct-example/tests/shutdown_reports.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using boost::system::system_error;
using namespace asio::experimental::awaitable_operators;
using runtime_sharing::CancellationToken;
using runtime_sharing::Deadlines;
using runtime_sharing::Errc;
using runtime_sharing::FailurePolicy;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskHandle;
using runtime_sharing::TaskScope;
using testing::IsEmpty;

/// Tasks that do nothing but give others a turn.
class Yielders {
 public:
  void spawn(Runtime& runtime, int count) {
    for (int i = 0; i < count; ++i) {
      runtime.spawn("yielder", [this]() -> asio::awaitable<void> {
        while (!stopped_ && turns_ < limit_) {
          ++turns_;
          co_await asio::post(asio::use_awaitable);
        }
      });
    }
    while (turns_ < 1'000) std::this_thread::yield();
  }
  long turns() const { return turns_; }
  void stop() { stopped_ = true; }
  /// Nobody waits for ever.
  void stop_at(long turns) { limit_ = turns; }

 private:
  std::atomic<long> turns_{0};
  std::atomic<long> limit_{std::numeric_limits<long>::max()};
  std::atomic<bool> stopped_{false};
};

TEST(Fairness, ATaskFromOutsideGetsItsTurnAfterABoundedNumberOfOthersTurns) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  Yielders yielders;
  yielders.spawn(*runtime, 2);
  long turns_when_begun = 0;

  runtime->spawn("outsider", [&]() -> asio::awaitable<void> {
    turns_when_begun = yielders.turns();
    yielders.stop();
    co_return;
  });
  const long turns_when_spawned = yielders.turns();
  yielders.stop_at(turns_when_spawned + 100'000);
  const ShutdownReport report = runtime->shutdown({30s, 0ms, 1s});

  EXPECT_LE(turns_when_begun - turns_when_spawned, 1'000);
  EXPECT_TRUE(report.graceful()) << report;
}

TEST(Fairness, ATaskFromOutsideGetsItsTurnAmongMoreTasksThatYieldForEverThanThreads) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 2});
  Yielders yielders;
  yielders.spawn(*runtime, 6);

  const auto outsider = runtime->spawn("outsider", []() -> asio::awaitable<void> { co_return; });
  const auto joined = outsider.async_join(asio::use_future).wait_for(5s);

  EXPECT_EQ(joined, std::future_status::ready);
  yielders.stop();
  runtime->shutdown({30s, 0ms, 1s});
}

TEST(Fairness, AStepFromOutsideGetsItsTurnAmongTasksThatYieldForEver) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  Yielders yielders;
  std::optional<asio::any_io_executor> executor_of_a_task;
  const CancellationToken token;
  runtime->spawn("task", [&]() -> asio::awaitable<void> {
    executor_of_a_task = co_await asio::this_coro::executor;
    co_await token.cancelled();
  });
  yielders.spawn(*runtime, 2);

  const auto arrived = asio::post(*executor_of_a_task, asio::use_future).wait_for(5s);

  EXPECT_EQ(arrived, std::future_status::ready);
  yielders.stop();
  token.cancel();
  runtime->shutdown({30s, 0ms, 1s});
  executor_of_a_task.reset();
}

TEST(ScopeDestructor, InAFrameThatIsDestroyedAtTheRungStopItNeitherWaitsNorWarns) {
  const HangGuard guard;
  std::vector<std::string> warnings;
  const auto runtime = Runtime::start(
      {.threads = 1, .on_warning = [&](std::string_view line) { warnings.emplace_back(line); }});
  const CancellationToken earlier_waits;
  std::latch later_begins{1};
  runtime->spawn("owner", [&]() -> asio::awaitable<void> {
    // One suspended earlier than the owner and one later: whichever is destroyed first.
    TaskScope scope("session", runtime->scope());
    scope.spawn("earlier", [&]() -> asio::awaitable<void> {
      earlier_waits.cancel();
      co_await wait_for_ever_disabling_cancellation();
    });
    co_await earlier_waits.cancelled();
    scope.spawn("later", [&]() -> asio::awaitable<void> {
      later_begins.count_down();
      co_await wait_for_ever_disabling_cancellation();
    });
    co_await wait_for_ever_disabling_cancellation();
  });
  later_begins.wait();
  let_tasks_begin(*runtime);

  const ShutdownReport report = runtime->shutdown({0ms, 100ms, 1500ms});

  EXPECT_EQ(report.threads_abandoned, 0u);
  EXPECT_EQ(report.reached, Rung::stop);
  EXPECT_THAT(warnings, IsEmpty());  // the report names them
}

/// Says that it is being destroyed, and waits.
struct HeldUpInItsDestructor {
  ~HeldUpInItsDestructor() {
    is_going.count_down();
    go_on.wait();
    has_gone = true;
  }
  std::latch& is_going;
  std::latch& go_on;
  std::atomic<bool>& has_gone;
};

TEST(ScopeDestructor, OnAThreadOfItsOwnersItWaitsForFramesThatTheRungStopDestroys) {
  const HangGuard guard;
  std::latch is_going{1};
  std::latch go_on{1};
  std::atomic<bool> has_gone{false};
  std::promise<void> warned;
  const auto runtime =
      Runtime::start({.threads = 1, .on_warning = [&](std::string_view) { warned.set_value(); }});
  auto scope = std::make_unique<TaskScope>("owner", runtime->scope());
  scope->spawn("task", [&]() -> asio::awaitable<void> {
    const HeldUpInItsDestructor held_up{is_going, go_on, has_gone};
    co_await wait_for_ever_disabling_cancellation();
  });
  let_tasks_begin(*runtime);
  auto report = runtime->async_shutdown({0ms, 0ms, 30s}, asio::use_future);
  is_going.wait();

  auto destroyed = std::async(std::launch::async, [&] {
    scope.reset();
    return has_gone.load();
  });
  warned.get_future().wait();  // the destructor waits from here on
  go_on.count_down();

  EXPECT_TRUE(destroyed.get());
  EXPECT_EQ(report.get().reached, Rung::stop);
}

TEST(ScopeDestructor, OnABlockingThreadOfItsRuntimeItDoesNotWait) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken released;

  const auto took = runtime
                        ->spawn_blocking(
                            "owner",
                            [&] {
                              const auto begun = std::chrono::steady_clock::now();
                              {
                                TaskScope scope("session", runtime->scope());
                                scope.spawn("deaf", [released]() -> asio::awaitable<void> {
                                  co_await released.cancelled();
                                });
                              }
                              return std::chrono::steady_clock::now() - begun;
                            },
                            asio::use_future)
                        .get();
  released.cancel();

  EXPECT_LT(took, Deadlines().wait);
  runtime->shutdown();
}

error_code refusal_of_spawn(TaskScope& scope) {
  try {
    scope.spawn("late", wait_for_ever);
  } catch (const system_error& error) {
    return error.code();
  }
  return {};
}

TEST(TaskScope, RefusesToSpawnWhenItsContextHasEnded) {
  std::optional<asio::io_context> context(std::in_place);
  TaskScope scope("scope", context->get_executor());
  scope.spawn("suspended", wait_for_ever);
  context->poll();

  context.reset();

  EXPECT_EQ(refusal_of_spawn(scope), Errc::scope_closed);
  EXPECT_FALSE(scope.try_spawn("late", wait_for_ever).has_value());
  EXPECT_EQ(scope.size(), 0u);
}

TEST(TaskScope, ThatWasNeverUsedRefusesToSpawnWhenItsContextHasEnded) {
  std::optional<asio::io_context> context(std::in_place);
  TaskScope scope("scope", context->get_executor());

  context.reset();

  EXPECT_EQ(refusal_of_spawn(scope), Errc::scope_closed);
}

/// Calls a function when it is destroyed, but not when it was moved from.
template <typename Function>
class AtItsEnd {
 public:
  explicit AtItsEnd(Function function) : function_(std::move(function)) {}
  AtItsEnd(AtItsEnd&& other) noexcept : function_(std::exchange(other.function_, std::nullopt)) {}
  AtItsEnd& operator=(AtItsEnd&&) = delete;
  ~AtItsEnd() {
    if (function_) (*function_)();
  }

 private:
  std::optional<Function> function_;
};

TEST(TaskScope, MadeWhileItsContextEndsRefusesToSpawn) {
  std::optional<TaskScope> scope;
  {
    asio::io_context context;
    asio::post(context,
               [end = AtItsEnd([&] { scope.emplace("late", context.get_executor()); })] {});
  }

  EXPECT_FALSE(scope->try_spawn("task", wait_for_ever));
}

TEST(CancellationToken, DestroysAHandlerThatBeginsToWaitWhileItsContextEnds) {
  const CancellationToken token;
  const auto owned = std::make_shared<int>();
  {
    asio::io_context context;
    asio::post(context, [end = AtItsEnd([&] {
                           token.cancelled(asio::bind_executor(context, [owned](error_code) {}));
                         })] {});
  }

  EXPECT_EQ(owned.use_count(), 1);
  token.cancel();
}

/// The executor of a strand; its last copy takes its time to go, as a thread does that is preempted
/// there.
class SlowToGo {
 public:
  SlowToGo(asio::io_context& context, std::atomic<bool>& goes, std::atomic<bool>& gone)
      : strand_(asio::make_strand(context)), last_(new int(), [&](const int* copies) {
          goes = true;
          std::this_thread::sleep_for(100ms);  // widens what must not be there
          gone = true;
          delete copies;
        }) {}

  asio::execution_context& query(asio::execution::context_t property) const noexcept {
    return asio::query(strand_, property);
  }
  SlowToGo require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <typename Function>
  void execute(Function&& function) const {
    asio::require(strand_, asio::execution::blocking.never)
        .execute(std::forward<Function>(function));
  }
  friend bool operator==(const SlowToGo& a, const SlowToGo& b) noexcept {
    return a.strand_ == b.strand_;
  }

 private:
  asio::strand<asio::io_context::executor_type> strand_;
  std::shared_ptr<int> last_;
};

TEST(TaskScope, ItsLastHandleMayGoWhileTheContextEnds) {
  const HangGuard guard;
  std::optional<asio::io_context> context(std::in_place);
  std::atomic<bool> goes{false};
  std::atomic<bool> gone{false};
  TaskHandle handle;
  {
    TaskScope scope("scope", asio::any_io_executor(SlowToGo(*context, goes, gone)));
    handle = scope.spawn("task", []() -> asio::awaitable<void> { co_return; });
    scope.close();
    context->run();
  }

  std::thread foreign([last = std::move(handle)]() mutable { last = TaskHandle(); });
  while (!goes) std::this_thread::yield();
  context.reset();

  EXPECT_TRUE(gone);
  foreign.join();
}

/// An executor that owns its context.
struct OwnsItsContext {
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  OwnsItsContext require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <typename Function>
  void execute(Function&& function) const {
    asio::require(context->get_executor(), asio::execution::blocking.never)
        .execute(std::forward<Function>(function));
  }
  bool operator==(const OwnsItsContext&) const noexcept = default;

  std::shared_ptr<asio::io_context> context;
};

TEST(TaskScope, ItsLastHandleMayEndTheContextThatItsExecutorOwns) {
  const HangGuard guard;
  auto context = std::make_shared<asio::io_context>();
  const std::weak_ptr<asio::io_context> watched = context;
  auto scope = std::make_unique<TaskScope>("scope", OwnsItsContext{context});
  scope->spawn("task", []() -> asio::awaitable<void> { co_return; });
  context->run();
  context.reset();

  scope.reset();

  EXPECT_TRUE(watched.expired());
}

TEST(TaskScope, BelowAScopeWhoseContextHasEndedRefusesToSpawn) {
  std::optional<asio::io_context> context(std::in_place);
  TaskScope scope("scope", context->get_executor());
  TaskScope earlier("earlier", scope);

  context.reset();
  TaskScope later("later", scope);

  EXPECT_EQ(refusal_of_spawn(earlier), Errc::scope_closed);
  EXPECT_EQ(refusal_of_spawn(later), Errc::scope_closed);
}

TEST(TaskScope, TellsWhoWantsRoomThatItsContextHasEnded) {
  std::optional<asio::io_context> context(std::in_place);
  asio::io_context window;
  TaskScope scope("scope", context->get_executor());
  std::optional<error_code> result;

  context.reset();
  scope.async_spawn(
      "late", wait_for_ever,
      asio::bind_executor(window, [&](error_code error, const TaskHandle&) { result = error; }));
  window.run_for(10s);

  EXPECT_EQ(result, error_code(Errc::scope_closed));
}

TEST(TaskScope, SpawnsRaceTheEndOfTheContext) {
  const HangGuard guard;
  for (int round = 0; round < 100; ++round) {
    std::optional<asio::io_context> context(std::in_place);
    TaskScope scope("scope", context->get_executor());
    std::latch both{2};
    std::thread spawner([&] {
      both.arrive_and_wait();
      while (scope.try_spawn("task", wait_for_ever)) {
      }
    });

    both.arrive_and_wait();
    context.reset();
    spawner.join();

    ASSERT_EQ(scope.size(), 0u);
  }
}

TEST(FailurePolicy, ACancelledGroupOfOperationsIsNoFailure) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor(), CancellationToken(),
                  {.on_failure = FailurePolicy::cancel_scope});
  const auto either = scope.spawn(
      "either", []() -> asio::awaitable<void> { co_await (wait_for_ever() || wait_for_ever()); });
  const auto both = scope.spawn(
      "both", []() -> asio::awaitable<void> { co_await (wait_for_ever() && wait_for_ever()); });
  context.poll();

  either.interrupt();
  context.poll();
  const bool told_by_either = scope.token().is_cancelled();
  both.interrupt();
  context.poll();

  EXPECT_EQ(scope.size(), 0u);
  EXPECT_FALSE(told_by_either);
  EXPECT_FALSE(scope.token().is_cancelled());
}

asio::awaitable<void> fail() {
  throw std::runtime_error("on purpose");
  co_return;
}

TEST(FailurePolicy, AFailureFarBelowCancelsEveryScopeAboveThatWantsIt) {
  asio::io_context context;
  const CancellationToken outside;
  TaskScope indifferent("indifferent", context.get_executor(), outside);
  TaskScope top("top", indifferent, {.on_failure = FailurePolicy::cancel_scope});
  TaskScope middle("middle", top);
  TaskScope beside("beside", top);
  TaskScope bottom("bottom", middle);
  bool told = false;
  beside.spawn("sibling", [&, token = beside.token()]() -> asio::awaitable<void> {
    co_await token.cancelled();
    told = true;
  });

  bottom.spawn("fails", fail);
  context.poll();

  EXPECT_TRUE(top.token().is_cancelled());
  EXPECT_TRUE(told);
  EXPECT_FALSE(indifferent.token().is_cancelled());
  EXPECT_FALSE(outside.is_cancelled());
  outside.cancel();
  context.run();
}

/// Lives for as long as a task of its own.
struct Session {
  explicit Session(Runtime& runtime) : scope("session", runtime.scope()) {}

  TaskScope scope;
};

TEST(ScopeDestructor, ByItsOwnLastTaskItWarnsOfNothing) {
  const HangGuard guard;
  std::vector<std::string> warnings;
  const auto runtime = Runtime::start(
      {.threads = 1, .on_warning = [&](std::string_view line) { warnings.emplace_back(line); }});
  const CancellationToken may_end;
  auto session = std::make_shared<Session>(*runtime);
  const std::weak_ptr<Session> observed = session;
  session->scope.spawn(
      "last", [session, may_end]() -> asio::awaitable<void> { co_await may_end.cancelled(); });

  session.reset();
  may_end.cancel();
  const ShutdownReport report = runtime->shutdown();

  EXPECT_TRUE(observed.expired());
  EXPECT_TRUE(report.graceful()) << report;
  EXPECT_THAT(warnings, IsEmpty());
}

/// An executor whose next function fails, by something else than a lack of memory.
struct Failing {
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  Failing require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <typename Function>
  void execute(Function&& function) const {
    if ((*calls_until_failure)-- == 0) throw std::runtime_error("the executor fails");
    asio::require(context->get_executor(), asio::execution::blocking.never)
        .execute(std::forward<Function>(function));
  }
  bool operator==(const Failing&) const noexcept = default;

  asio::io_context* context;
  int* calls_until_failure;
};

TEST(TaskScope, LosesNoTaskToAnExecutorThatThrows) {
  for (int call = 0; call < 12; ++call) {
    asio::io_context context;
    int calls_until_failure = -1;
    TaskScope scope("scope", Failing{&context, &calls_until_failure});
    for (int i = 0; i < 3; ++i) {
      scope.spawn("task", []() -> asio::awaitable<void> {
        for (int j = 0; j < 3; ++j) co_await asio::post(asio::use_awaitable);
      });
    }
    scope.close();

    calls_until_failure = call;
    for (int i = 0; i < 3; ++i) {
      try {
        context.run_for(1s);
      } catch (const std::runtime_error&) {
        // Whoever runs the context hears of it. What was there must go on, or end.
      }
    }

    ASSERT_EQ(scope.size(), 0u) << "when call " << call << " failed";
  }
}

TEST(TaskScope, CloseAndDestructionPromiseNotToThrow) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());

  EXPECT_TRUE(noexcept(scope.close()));
  EXPECT_TRUE(std::is_nothrow_destructible_v<TaskScope>);
}

}  // namespace
