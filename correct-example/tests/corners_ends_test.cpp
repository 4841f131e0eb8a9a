// Corners where one end meets another: handlers whose runtime has ended, the last owner inside of a
// handler, shutdowns inside of shutdowns, and work that goes on after it was cancelled.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/hang_guard.hpp"
#include "correct-example/tests/let_tasks_begin.hpp"
#include "correct-example/tests/shutdown_reports.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/run_until_cancelled.hpp"
#include "runtime_sharing/runtime.hpp"
#include "runtime_sharing/runtime_slot.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using boost::system::system_error;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationCallback;
using runtime_sharing::CancellationToken;
using runtime_sharing::run_until_cancelled;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::RuntimeSlot;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskHandle;
using runtime_sharing::TaskScope;
using testing::ElementsAre;

/// Returns once it says true; the guard of the test ends a wait that is in vain.
template <typename Condition>
void wait_until(Condition condition) {
  while (!condition()) std::this_thread::yield();
}

/// What this thread has spent so far. Who waits is to spend next to nothing.
std::chrono::nanoseconds processor_time() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

// run_until_cancelled(): what is cancelled can still wait.

/// Waits again whenever its wait is cancelled.
asio::awaitable<void> try_for_ever(std::atomic<int>& waits) {
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  for (;;) {
    ++waits;
    try {
      co_await timer.async_wait(asio::use_awaitable);
    } catch (const system_error&) {
      // Once more.
    }
  }
}

asio::awaitable<void> run_in_a_race(CancellationToken token, asio::awaitable<void> work) {
  co_await run_until_cancelled(token, std::move(work));
}

TEST(RunUntilCancelled, WorkThatTriesAgainGoesOnSuspendingUntilTheStopDestroysIt) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  std::atomic<int> waits = 0;
  runtime->spawn("tries for ever", [&] { return run_in_a_race(token, try_for_ever(waits)); });
  wait_until([&] { return waits == 1; });
  let_tasks_begin(*runtime);

  token.cancel();
  wait_until([&] { return waits >= 2; });
  const ShutdownReport report = runtime->shutdown(quick);

  EXPECT_THAT(report.stragglers, ElementsAre(needing("tries for ever", Rung::stop))) << report;
  EXPECT_EQ(report.threads_abandoned, 0u) << report;
  EXPECT_EQ(waits, 3) << "the first, one after cancel(), one after the interruption";
}

/// Waits until it is cancelled; then its clean-up waits, too.
asio::awaitable<void> clean_up_when_cancelled(std::atomic<bool>& waits, bool& cleaned_up) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, asio::steady_timer::time_point::max());
  waits = true;
  try {
    co_await timer.async_wait(asio::use_awaitable);
  } catch (const system_error&) {
    // Below: a handler of an exception cannot await.
  }
  co_await asio::post(executor, asio::use_awaitable);
  cleaned_up = true;
}

TEST(RunUntilCancelled, WorkThatTheTokenCancelsMayAwaitItsCleanUp) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  std::atomic<bool> waits = false;
  bool cleaned_up = false;
  runtime->spawn("cleans up",
                 [&] { return run_in_a_race(token, clean_up_when_cancelled(waits, cleaned_up)); });
  wait_until([&] { return waits.load(); });
  let_tasks_begin(*runtime);

  token.cancel();
  const ShutdownReport report = runtime->shutdown();

  EXPECT_TRUE(cleaned_up);
  EXPECT_TRUE(report.graceful()) << report;
}

TEST(RunUntilCancelled, WorkThatIsInterruptedMayAwaitItsCleanUp) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  std::atomic<bool> waits = false;
  bool cleaned_up = false;
  auto task = runtime->spawn("cleans up", [&] {
    return run_in_a_race(token, clean_up_when_cancelled(waits, cleaned_up));
  });
  wait_until([&] { return waits.load(); });
  let_tasks_begin(*runtime);

  task.interrupt();
  const ShutdownReport report = runtime->shutdown();

  EXPECT_TRUE(cleaned_up);
  EXPECT_TRUE(report.graceful()) << report;
}

// Handlers that wait for a token where nothing runs any more.

TEST(CancellationToken, DestroysAHandlerWhoseRuntimeHasEnded) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  const auto owned = std::make_shared<int>();
  bool called = false;
  token.cancelled(asio::bind_executor(runtime->get_executor(),
                                      [&called, owned](error_code) { called = true; }));
  runtime->shutdown();

  token.cancel();

  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_FALSE(called);
}

TEST(CancellationToken, DestroysAHandlerThatIsTheLastOwnerOfARuntimeThatHasEnded) {
  const HangGuard guard;
  auto runtime = Runtime::start({.threads = 1});
  const std::weak_ptr<Runtime> observed = runtime;
  const CancellationToken token;
  token.cancelled(asio::bind_executor(runtime->get_executor(), [runtime](error_code) {}));
  runtime->shutdown();
  runtime.reset();
  EXPECT_FALSE(observed.expired());

  token.cancel();

  EXPECT_TRUE(observed.expired());
}

asio::awaitable<void> own_until_cancelled(std::shared_ptr<Runtime>, CancellationToken token) {
  co_await token.cancelled();
}

TEST(CancellationToken, DestroysACoroutineThatIsTheLastOwnerOfARuntimeThatHasEnded) {
  const HangGuard guard;
  auto runtime = Runtime::start({.threads = 1});
  const std::weak_ptr<Runtime> observed = runtime;
  const CancellationToken token;
  asio::co_spawn(runtime->get_executor(), own_until_cancelled(runtime, token), asio::detached);
  let_tasks_begin(*runtime);
  runtime->shutdown();
  runtime.reset();
  EXPECT_FALSE(observed.expired());

  token.cancel();

  EXPECT_TRUE(observed.expired());
}

/// Cancels a token when it is destroyed.
struct CancelsAtItsEnd {
  explicit CancelsAtItsEnd(CancellationToken cancelled) : token(std::move(cancelled)) {}
  CancelsAtItsEnd(CancelsAtItsEnd&&) = default;
  CancelsAtItsEnd& operator=(CancelsAtItsEnd&&) = delete;
  ~CancelsAtItsEnd() {
    if (is_last) token.cancel();
  }
  std::unique_ptr<int> is_last = std::make_unique<int>();
  CancellationToken token;
};

TEST(CancellationToken, MayBeCancelledByAHandlerThatAnotherOneDestroys) {
  const HangGuard guard;
  asio::io_context context;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken first;
  const CancellationToken second;
  const auto owned = std::make_shared<int>();
  int woken = 0;
  first.cancelled(asio::bind_executor(runtime->get_executor(),
                                      [last = CancelsAtItsEnd(second)](error_code) {}));
  second.cancelled(asio::bind_executor(runtime->get_executor(), [owned](error_code) {}));
  second.cancelled(asio::bind_executor(context, [&](error_code) { ++woken; }));
  runtime->shutdown();

  first.cancel();
  context.run();

  EXPECT_EQ(woken, 1);
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(CancellationToken, MayBeCancelledByTheWarningThatAnotherOnesRefusedHandlerCauses) {
  const HangGuard guard;
  asio::io_context context;
  const CancellationToken first;
  const CancellationToken second;
  const auto owned = std::make_shared<int>();
  int woken = 0;
  const auto runtime =
      Runtime::start({.threads = 1, .on_warning = [&](std::string_view) { second.cancel(); }});
  first.cancelled(asio::bind_executor(runtime->get_executor(), [owned](error_code) {}));
  second.cancelled(asio::bind_executor(context, [&](error_code) { ++woken; }));
  runtime->shutdown();

  first.cancel();
  context.run_for(5s);

  EXPECT_EQ(woken, 1);
  EXPECT_EQ(owned.use_count(), 1);
}

/// An executor that takes nothing any more.
struct Refuses {
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  Refuses require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <typename Function>
  void execute(Function&&) const {
    throw std::runtime_error("the executor has ended");
  }
  bool operator==(const Refuses&) const noexcept = default;

  asio::io_context* context;
};

TEST(CancellationToken, DestroysAHandlerThatItsExecutorRefuses) {
  asio::io_context context;
  const CancellationToken token;
  const auto owned = std::make_shared<int>();
  token.cancelled(asio::bind_executor(Refuses{&context}, [owned](error_code) {}));

  EXPECT_TRUE(token.cancel());

  EXPECT_EQ(owned.use_count(), 1);
}

TEST(CancellationToken, DestroysAHandlerThatItsExecutorRefusesAfterItHasToldTheOthers) {
  const HangGuard guard;
  asio::io_context context;
  const CancellationToken token;
  std::promise<void> told;
  // As it is destroyed it waits for the other one.
  auto waits = std::async(std::launch::async, [&] { told.get_future().wait(); });
  token.cancelled(
      asio::bind_executor(Refuses{&context}, [waits = std::move(waits)](error_code) {}));
  token.cancelled(asio::bind_executor(context, [&](error_code) { told.set_value(); }));
  std::thread runner([work = asio::make_work_guard(context), &context]() mutable {
    work.reset();
    context.run();
  });

  EXPECT_TRUE(token.cancel());

  runner.join();
}

/// An executor that holds up whoever gives it something, and loses that.
struct HoldsUp {
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  HoldsUp require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <typename Function>
  void execute(Function&& function) const {
    const auto lost = std::forward<Function>(function);
    is_held_up->count_down();
    go_on->wait();
  }
  bool operator==(const HoldsUp&) const noexcept = default;

  asio::io_context* context;
  std::latch* is_held_up;
  std::latch* go_on;
};

TEST(CancellationToken, WhoeverIsWakingInAContextIsWaitedForByItsEnd) {
  const HangGuard guard;
  std::optional<asio::io_context> context(std::in_place);
  std::latch is_held_up{1};
  std::latch go_on{1};
  const CancellationToken token;
  token.cancelled(asio::bind_executor(HoldsUp{&*context, &is_held_up, &go_on}, [](error_code) {}));
  std::thread canceller([&] { token.cancel(); });
  is_held_up.wait();

  std::latch ending{1};
  std::atomic<bool> has_ended{false};
  std::chrono::nanoseconds spent{};
  std::thread owner([&] {
    ending.count_down();
    context.reset();
    has_ended = true;
    spent = processor_time();
  });
  ending.wait();
  std::this_thread::sleep_for(500ms);  // the time that a wait which does not sleep would burn
  EXPECT_FALSE(has_ended);
  go_on.count_down();
  canceller.join();
  owner.join();

  EXPECT_TRUE(has_ended);
  EXPECT_LT(spent, 100ms) << "it did not sleep";
}

TEST(AsyncShutdown, DestroysAHandlerThatIsTheLastOwnerOfAnotherRuntimeThatHasEnded) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  auto other = Runtime::start({.threads = 1});
  const std::weak_ptr<Runtime> observed = other;
  other->shutdown();

  runtime->async_shutdown(
      {}, asio::bind_executor(other->get_executor(), [other](error_code, ShutdownReport) {}));
  other.reset();
  wait_until([&] { return observed.expired(); });

  EXPECT_TRUE(runtime->shutdown().graceful());
}

TEST(CancelOn, TheSignalOfAPendingOperationMayOutliveItsContext) {
  const HangGuard guard;
  asio::cancellation_signal signal;
  const CancellationToken token;
  const auto owned = std::make_shared<int>();
  {
    asio::io_context context;
    const auto timer =
        std::make_shared<asio::steady_timer>(context, asio::steady_timer::time_point::max());
    auto handler = asio::bind_executor(asio::make_strand(context), [timer, owned](error_code) {});
    timer->async_wait(
        cancel_on(token, asio::bind_cancellation_slot(signal.slot(), std::move(handler))));
    context.poll();
  }

  EXPECT_EQ(owned.use_count(), 1);
  token.cancel();
}  // the signal destroys what is in its slot: the address sanitizer looks at it

// async_spawn(): a place that nobody takes.

/// An executor that calls a function of the test's before each post.
struct HeldUp {
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  HeldUp require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <typename Function>
  void execute(Function&& function) const {
    (*before_post)();
    asio::require(context->get_executor(), asio::execution::blocking.never)
        .execute(std::forward<Function>(function));
  }
  bool operator==(const HeldUp&) const noexcept = default;

  asio::io_context* context;
  std::function<void()>* before_post;
};

asio::awaitable<void> end_at_once() {
  co_return;
}

asio::awaitable<void> wait_for(CancellationToken token) {
  co_await token.cancelled();
}

TEST(AsyncSpawn, AWaitThatIsCancelledWhenItsTurnHasComeButIsNotYetToldPassesThePlaceOn) {
  const HangGuard guard;
  asio::io_context context;
  asio::io_context never_run;
  std::function<void()> before_post = [] {};
  TaskScope outer("outer", context.get_executor(), CancellationToken(), {.max_tasks = 1});
  TaskScope inner("inner", outer, {.max_tasks = 1});
  const CancellationToken may_end;
  inner.spawn("first", wait_for, may_end);
  asio::cancellation_signal signal;
  std::optional<error_code> second;
  std::optional<error_code> third;
  // In this order they are told: the one that is held up, and the second, which is cancelled.
  inner.async_spawn(
      "held up", end_at_once,
      asio::bind_executor(HeldUp{&never_run, &before_post}, [](error_code, const TaskHandle&) {}));
  never_run.poll();
  context.poll();
  outer.async_spawn(
      "second", end_at_once,
      asio::bind_cancellation_slot(
          signal.slot(), asio::bind_executor(context, [&](error_code error, const TaskHandle&) {
            second = error;
          })));
  context.poll();
  outer.async_spawn(
      "third", end_at_once,
      asio::bind_executor(context, [&](error_code error, const TaskHandle&) { third = error; }));
  context.poll();
  std::latch is_held_up(1);
  std::latch go_on(1);
  bool first_time = true;
  before_post = [&] {
    if (!std::exchange(first_time, false)) return;
    is_held_up.count_down();
    go_on.wait();
  };

  may_end.cancel();
  context.restart();
  std::thread teller([&] {
    while (first_time) context.run_one();
  });
  is_held_up.wait();
  asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
  while (!second) context.run_one_for(10ms);
  go_on.count_down();
  teller.join();
  context.restart();
  context.run_for(5s);

  EXPECT_EQ(second, error_code(asio::error::operation_aborted));
  EXPECT_EQ(third, error_code());
  EXPECT_EQ(outer.size(), 0u);
}

// Shutdowns, and what of the user's is on the way.

TEST(Shutdown, KeepsItsDeadlinesWhenOnWarningBlocks) {
  const HangGuard guard;
  struct Latches {
    std::latch is_blocked{1};
    std::latch go_on{1};
  };
  auto latches = std::make_shared<Latches>();
  auto runtime = Runtime::start({.threads = 1, .on_warning = [latches](std::string_view warning) {
                                   if (warning.find("threw") == warning.npos) return;
                                   latches->is_blocked.count_down();
                                   latches->go_on.wait();
                                 }});
  asio::post(runtime->get_executor(), [] { throw std::runtime_error("a raw handler's"); });
  latches->is_blocked.wait();

  const ShutdownReport report = runtime->shutdown({20ms, 20ms, 20ms});
  latches->go_on.count_down();
  runtime.reset();
  wait_until([&] { return latches.use_count() == 1; });  // the thread is gone

  EXPECT_EQ(report.threads_abandoned, 1u) << report;
  EXPECT_LT(report.took, 4s) << "it was waited for like a thread that is on its way";
}

TEST(Shutdown, KeepsItsDeadlinesWhenOnThreadStopBlocks) {
  const HangGuard guard;
  auto go_on = std::make_shared<std::latch>(1);
  auto runtime = Runtime::start({.threads = 1, .on_thread_stop = [go_on] { go_on->wait(); }});

  const ShutdownReport report = runtime->shutdown({20ms, 20ms, 20ms});
  go_on->count_down();
  runtime.reset();
  wait_until([&] { return go_on.use_count() == 1; });  // the thread is gone

  EXPECT_EQ(report.threads_abandoned, 1u) << report;
  EXPECT_LT(report.took, 1s) << "it was waited for like a thread that destroys frames";
}

TEST(Shutdown, AbandonsAHandlerThatWasPostedToTheContextItselfAndBlocks) {
  const HangGuard guard;
  auto runtime = Runtime::start({.threads = 1});
  auto& context = static_cast<asio::io_context&>(
      asio::query(runtime->get_executor(), asio::execution::context));
  struct Latches {
    std::latch is_blocked{1};
    std::latch go_on{1};
  };
  auto latches = std::make_shared<Latches>();
  asio::post(context, [latches] {
    latches->is_blocked.count_down();
    latches->go_on.wait();
  });
  latches->is_blocked.wait();

  const ShutdownReport report = runtime->shutdown({20ms, 20ms, 20ms});
  latches->go_on.count_down();
  runtime.reset();
  wait_until([&] { return latches.use_count() == 1; });

  EXPECT_EQ(report.threads_abandoned, 1u) << report;
}

TEST(Shutdown, WaitsForAHandlerThatWasPostedToTheContextItselfAndIsLate) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  auto& context = static_cast<asio::io_context&>(
      asio::query(runtime->get_executor(), asio::execution::context));
  std::latch is_blocked{1};
  std::latch go_on{1};
  asio::post(context, [&] {
    is_blocked.count_down();
    go_on.wait();
  });
  is_blocked.wait();
  std::thread lets_it_go([&] {
    wait_until([&] { return runtime->token().is_cancelled(); });
    // Past every deadline, and the time that a wait which does not sleep would burn.
    std::this_thread::sleep_for(500ms);
    go_on.count_down();
  });

  const auto spent_before = processor_time();
  const ShutdownReport report = runtime->shutdown({0ms, 0ms, 0ms});
  const auto spent = processor_time() - spent_before;
  lets_it_go.join();

  EXPECT_EQ(report.threads_abandoned, 0u) << report;
  EXPECT_LT(spent, 100ms) << "it did not sleep";
}

TEST(Shutdown, OfARuntimeInACallbackOfAShutdownThatItsOwnCallbackWaitsForIsRefused) {
  const HangGuard guard(10s);
  const auto runtime = Runtime::start({.threads = 1});
  const auto other = Runtime::start({.threads = 1});
  std::optional<error_code> refusal;
  std::optional<ShutdownReport> report_of_other;
  const CancellationCallback of_the_first(runtime->token(),
                                          [&] { report_of_other = other->shutdown(quick); });
  const CancellationCallback of_the_other(other->token(), [&] {
    try {
      runtime->shutdown(quick);
    } catch (const system_error& error) {
      refusal = error.code();
    }
  });

  const ShutdownReport report = runtime->shutdown(quick);

  EXPECT_EQ(refusal, make_error_code(boost::system::errc::resource_deadlock_would_occur));
  EXPECT_TRUE(report.graceful()) << report;
  ASSERT_TRUE(report_of_other);
  EXPECT_TRUE(report_of_other->graceful()) << *report_of_other;
}

asio::awaitable<void> wait_for_deaf_to_all_else(CancellationToken released) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await released.cancelled(asio::use_awaitable);
}

TEST(Shutdown, DoesNotWaitForTheShutdownOfARuntimeThatACallbackDrops) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  auto dropped = Runtime::start({.threads = 1});
  const CancellationToken released;
  dropped->spawn("deaf", wait_for_deaf_to_all_else, released);
  let_tasks_begin(*dropped);
  const CancellationToken dropped_has_ended = dropped->ended();
  std::optional<bool> drop_has_waited;
  const CancellationCallback callback(runtime->token(), [&] {
    dropped.reset();
    drop_has_waited = dropped_has_ended.is_cancelled();
  });

  const ShutdownReport report = runtime->shutdown(quick);
  released.cancel();
  wait_until([&] { return dropped_has_ended.is_cancelled(); });

  EXPECT_EQ(drop_has_waited, false);
  EXPECT_TRUE(report.graceful()) << report;
}

TEST(Shutdown, DoesNotWaitForTheTasksOfAScopeThatACallbackDrops) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  std::optional<TaskScope> scope(std::in_place, "scope", runtime->scope());
  scope->spawn("deaf", wait_for_ever);
  let_tasks_begin(*runtime);
  std::chrono::steady_clock::duration drop_took{};
  const CancellationCallback callback(runtime->token(), [&] {
    const auto begun = std::chrono::steady_clock::now();
    scope.reset();
    drop_took = std::chrono::steady_clock::now() - begun;
  });

  const ShutdownReport report = runtime->shutdown(quick);

  EXPECT_FALSE(scope);
  EXPECT_LT(drop_took, 1s) << "elsewhere a scope with tasks waits for 2 s";
  EXPECT_THAT(report.stragglers, ElementsAre(needing("deaf", Rung::interrupt))) << report;
}

/// Asks for the present runtime when it is destroyed.
struct AsksAtItsEnd {
  AsksAtItsEnd(RuntimeSlot& asked, bool& was_answered) : slot(&asked), answered(&was_answered) {}
  AsksAtItsEnd(AsksAtItsEnd&& other) noexcept
      : slot(std::exchange(other.slot, nullptr)), answered(other.answered) {}
  AsksAtItsEnd& operator=(AsksAtItsEnd&&) = delete;
  ~AsksAtItsEnd() {
    if (slot == nullptr) return;
    slot->current();
    *answered = true;
  }
  RuntimeSlot* slot;
  bool* answered;
};

TEST(RuntimeSlot, MayBeAskedByWhatIsDestroyedWithTheGenerationBefore) {
  const HangGuard guard;
  RuntimeSlot slot({.threads = 1});
  auto before = slot.start();
  bool answered = false;
  const auto wait = [&] {
    auto timer = std::make_shared<asio::steady_timer>(before->get_executor(),
                                                      asio::steady_timer::time_point::max());
    auto* const waiting = timer.get();
    waiting->async_wait(
        [timer = std::move(timer), asks = AsksAtItsEnd(slot, answered)](error_code) {});
  };
  wait();
  before->shutdown();
  before.reset();
  EXPECT_FALSE(answered);

  const auto after = slot.start();

  EXPECT_TRUE(answered);
  EXPECT_EQ(slot.current(), after);
  slot.shutdown();
}

// A task that is suspended in the operation of another context cannot be destroyed from here.

asio::awaitable<void> wait_elsewhere(asio::io_context& context, std::shared_ptr<int>) {
  asio::steady_timer own(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  own.async_wait([](error_code) {});
  asio::steady_timer timer(context, asio::steady_timer::time_point::max());
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await timer.async_wait(asio::use_awaitable);
}

TEST(ShutdownReport, CallsATaskAbandonedThatIsSuspendedInAnotherContextsOperation) {
  const HangGuard guard;
  std::optional<asio::io_context> other(std::in_place);
  const auto runtime = Runtime::start({.threads = 1});
  const auto owned = std::make_shared<int>();
  runtime->spawn("elsewhere", wait_elsewhere, std::ref(*other), owned);
  let_tasks_begin(*runtime);

  const ShutdownReport report = runtime->shutdown({20ms, 20ms, 20ms});
  const auto tasks_left = runtime->scope().size();
  const bool is_left_behind = owned.use_count() > 1;
  other.reset();

  EXPECT_THAT(report.stragglers, ElementsAre(needing("elsewhere", Rung::abandon))) << report;
  EXPECT_EQ(report.threads_abandoned, 0u) << report;
  EXPECT_EQ(tasks_left, 1u);
  EXPECT_TRUE(is_left_behind);
  EXPECT_EQ(owned.use_count(), 1) << "it ends with the context that it is suspended in";
}

}  // namespace
