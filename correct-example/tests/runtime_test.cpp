#include "runtime_sharing/runtime.hpp"

#include "correct-example/tests/endless_tasks.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime_slot.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <boost/thread/condition_variable.hpp>
#include <boost/thread/mutex.hpp>
#include <boost/thread/thread.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <latch>
#include <optional>
#include <thread>

namespace runtime_sharing {

void PrintTo(const Straggler& straggler, std::ostream* stream) {
  *stream << straggler.name << " needed " << to_string(straggler.needed);
}

}  // namespace runtime_sharing

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using boost::system::system_error;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;
using runtime_sharing::Deadlines;
using runtime_sharing::Errc;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::RuntimeSlot;
using runtime_sharing::ShutdownReport;
using runtime_sharing::Straggler;
using runtime_sharing::TaskScope;
using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr Deadlines quick{20ms, 2s, 2s};

auto needing(std::string name, Rung rung) {
  return AllOf(Field(&Straggler::name, name), Field(&Straggler::needed, rung));
}

/// Returns once every task spawned before has begun: the queue is fair on one thread.
void let_tasks_begin(Runtime& runtime) {
  asio::post(runtime.get_executor(), asio::use_future).get();
}

TEST(Runtime, AListeningTaskEndsOnTheGracefulPath) {
  const auto runtime = Runtime::start({.threads = 1});
  runtime->spawn("listener",
                 [&]() -> asio::awaitable<void> { co_await runtime->token().cancelled(); });

  const ShutdownReport report = runtime->shutdown();

  EXPECT_EQ(report.reached, Rung::wait);
  EXPECT_TRUE(report.graceful());
  EXPECT_EQ(report.tasks_total, 1u);
}

TEST(Runtime, ADeafTaskIsInterruptedAndNamed) {
  const auto runtime = Runtime::start({.threads = 1});
  runtime->spawn("deaf", wait_for_ever);

  const ShutdownReport report = runtime->shutdown(quick);

  EXPECT_EQ(report.reached, Rung::interrupt);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("deaf", Rung::interrupt)));
  EXPECT_FALSE(report.stragglers[0].destroyed);
  EXPECT_EQ(report.failures_total, 0u) << "cancellation is not a failure";
}

TEST(Runtime, ATaskThatDisablesCancellationIsStoppedDestroyedAndNamed) {
  const auto runtime = Runtime::start({.threads = 1});
  const auto owned = std::make_shared<int>();
  runtime->spawn("stubborn", [owned]() -> asio::awaitable<void> {
    const auto local = owned;
    co_await wait_for_ever_disabling_cancellation();
  });
  let_tasks_begin(*runtime);

  const ShutdownReport report = runtime->shutdown({20ms, 20ms, 2s});

  EXPECT_EQ(report.reached, Rung::stop);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("stubborn", Rung::stop)));
  EXPECT_TRUE(report.stragglers[0].destroyed);
  EXPECT_EQ(owned.use_count(), 1) << "the frame's destructors have run";
}

TEST(Runtime, ASpinningTaskIsAbandonedAndNamedAndMayReturnLater) {
  std::atomic<bool> release{false};
  std::promise<void> returned;
  std::weak_ptr<int> kept_alive;
  {
    const auto runtime =
        Runtime::start({.threads = 1, .on_thread_stop = [&] { returned.set_value(); }});
    std::latch spinning{1};
    const auto owned = std::make_shared<int>();
    kept_alive = owned;
    runtime->spawn("spinner", [&, owned]() -> asio::awaitable<void> {
      spinning.count_down();
      while (!release) std::this_thread::yield();
      co_return;
    });
    spinning.wait();

    const ShutdownReport report = runtime->shutdown({20ms, 20ms, 20ms});

    EXPECT_EQ(report.reached, Rung::abandon);
    EXPECT_EQ(report.threads_abandoned, 1u);
    EXPECT_THAT(report.stragglers, ElementsAre(needing("spinner", Rung::abandon)));
  }
  EXPECT_FALSE(kept_alive.expired()) << "an abandoned thread keeps what it may touch";
  release = true;
  returned.get_future().get();
  EXPECT_TRUE(kept_alive.expired());
}

TEST(Runtime, EveryKindOfTaskAtOnceIsNamedAtItsRung) {
  std::atomic<bool> release{false};
  std::promise<void> returned;
  std::atomic<int> threads{2};
  const auto runtime = Runtime::start({.threads = 2, .on_thread_stop = [&] {
                                         if (--threads == 0) returned.set_value();
                                       }});
  std::latch spinning{1};
  runtime->spawn("listener",
                 [&]() -> asio::awaitable<void> { co_await runtime->token().cancelled(); });
  runtime->spawn("deaf", wait_for_ever);
  runtime->spawn("stubborn", wait_for_ever_disabling_cancellation);
  runtime->spawn("spinner", [&]() -> asio::awaitable<void> {
    spinning.count_down();
    while (!release) std::this_thread::yield();
    co_return;
  });
  spinning.wait();

  const ShutdownReport report = runtime->shutdown({100ms, 200ms, 200ms});

  EXPECT_EQ(report.reached, Rung::abandon);
  EXPECT_THAT(report.stragglers, UnorderedElementsAre(needing("deaf", Rung::interrupt),
                                                      needing("stubborn", Rung::stop),
                                                      needing("spinner", Rung::abandon)));
  release = true;
  returned.get_future().get();
}

TEST(Runtime, ATaskThatWaitsForADeafChildScopeIsNotDeafItself) {
  const auto runtime = Runtime::start({.threads = 1});
  auto components = std::make_shared<TaskScope>("components", runtime->scope());
  components->spawn("deaf", wait_for_ever);
  bool keeper_finished = false;
  runtime->spawn("keeper", [&keeper_finished, components]() -> asio::awaitable<void> {
    co_await components->async_wait();
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    keeper_finished = true;
  });

  const ShutdownReport report = runtime->shutdown(quick);

  EXPECT_TRUE(keeper_finished);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("deaf", Rung::interrupt)));
}

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

TEST(Runtime, ShutdownIsIdempotentAndConcurrentCallersGetTheSameReport) {
  const auto runtime = Runtime::start({.threads = 2});
  runtime->spawn("deaf", wait_for_ever);
  std::vector<std::future<ShutdownReport>> callers;
  std::latch all{4};
  for (int i = 0; i < 4; ++i) {
    callers.push_back(std::async(std::launch::async, [&] {
      all.arrive_and_wait();
      return runtime->shutdown(quick);
    }));
  }

  std::vector<ShutdownReport> reports;
  for (auto& caller : callers) reports.push_back(caller.get());
  reports.push_back(runtime->shutdown());

  for (const auto& report : reports) {
    EXPECT_EQ(report.took, reports[0].took);
    EXPECT_THAT(report.stragglers, ElementsAre(needing("deaf", Rung::interrupt)));
  }
}

TEST(Runtime, ALaterCallShortensTheDeadlines) {
  const auto runtime = Runtime::start({.threads = 1});
  runtime->spawn("deaf", wait_for_ever);
  auto patient = std::async(std::launch::async, [&] { return runtime->shutdown({1h, 1h, 1h}); });
  while (!runtime->is_shutting_down()) std::this_thread::yield();

  const ShutdownReport report = runtime->shutdown(quick);

  EXPECT_THAT(report.stragglers, ElementsAre(needing("deaf", Rung::interrupt)));
  EXPECT_EQ(patient.get().took, report.took);
}

TEST(Runtime, ShutdownOnAnOwnThreadIsRefusedAndChangesNothing) {
  const auto runtime = Runtime::start({.threads = 1});

  const auto code = asio::post(runtime->get_executor(), asio::use_future([&] {
                                 try {
                                   runtime->shutdown();
                                 } catch (const system_error& error) {
                                   return error.code();
                                 }
                                 return error_code();
                               }))
                        .get();

  EXPECT_EQ(code, boost::system::errc::resource_deadlock_would_occur);
  EXPECT_FALSE(runtime->is_shutting_down());
  runtime->shutdown();
}

TEST(Runtime, AsyncShutdownWorksFromAnOwnThreadAndCompletesOnTheCallersExecutor) {
  asio::io_context window;
  const auto runtime = Runtime::start({.threads = 1});
  runtime->spawn("listener",
                 [&]() -> asio::awaitable<void> { co_await runtime->token().cancelled(); });
  std::optional<ShutdownReport> report;
  bool on_window = false;

  asio::post(runtime->get_executor(), [&] {
    runtime->async_shutdown({}, asio::bind_executor(window, [&](error_code, ShutdownReport done) {
                              on_window = window.get_executor().running_in_this_thread();
                              report = std::move(done);
                            }));
  });
  const auto keep_window = asio::make_work_guard(window);
  while (!report) window.run_one();

  EXPECT_TRUE(on_window);
  EXPECT_TRUE(report->graceful());
}

TEST(Runtime, AWindowThatAwaitsAsyncShutdownGoesOnMeanwhile) {
  asio::io_context window;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken clicked;
  runtime->spawn("waits for a click",
                 [&]() -> asio::awaitable<void> { co_await clicked.cancelled(); });
  std::optional<ShutdownReport> report;

  asio::co_spawn(
      window,
      [&]() -> asio::awaitable<void> {
        report = co_await runtime->async_shutdown({.wait = 1h}, asio::use_awaitable);
      },
      asio::detached);
  asio::post(window, [&] { clicked.cancel(); });  // comes only if the window is free
  window.run();

  EXPECT_TRUE(report->graceful());
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
  constexpr auto one_too_many = ShutdownReport::max_failures + 1;
  for (std::size_t i = 0; i < one_too_many; ++i) {
    runtime->spawn("bad", []() -> asio::awaitable<void> {
      throw std::runtime_error("disk full");
      co_return;
    });
  }

  const ShutdownReport report = runtime->shutdown();

  EXPECT_EQ(report.failures.size(), ShutdownReport::max_failures);
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

TEST(Runtime, CleanUpMayAwaitAfterTheTaskIsTold) {
  const auto runtime = Runtime::start({.threads = 2});
  bool cleaned_up = false;
  bool spawn_refused = false;
  runtime->spawn("tidy", [&]() -> asio::awaitable<void> {
    co_await runtime->token().cancelled();
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    try {
      runtime->spawn("too late", wait_for_ever);
    } catch (const system_error& error) {
      spawn_refused = error.code() == Errc::runtime_shut_down;
    }
    cleaned_up = true;
  });

  const ShutdownReport report = runtime->shutdown();

  EXPECT_TRUE(cleaned_up);
  EXPECT_TRUE(spawn_refused);
  EXPECT_TRUE(report.graceful());
}

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

  EXPECT_THROW(future.get(), boost::thread_interrupted);
  EXPECT_THAT(report.stragglers, ElementsAre(needing("wait for ever", Rung::interrupt)));
}

TEST(Runtime, ABlockingCallThatIgnoresInterruptionIsAbandonedByTheDeadline) {
  const auto runtime = Runtime::start({.threads = 1});
  std::latch blocking{1};
  std::latch release{1};
  std::promise<void> returned;
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
  EXPECT_THAT(report.stragglers, ElementsAre(needing("deaf call", Rung::abandon)));
  release.count_down();
  EXPECT_NO_THROW(future.get());
}

TEST(Runtime, CancelRacesSpawnRacesCompletionRacesShutdown) {
  for (int round = 0; round < 100; ++round) {
    const auto runtime = Runtime::start({.threads = 2});
    std::latch both{2};
    std::atomic<int> ran{0};
    int accepted = 0;
    std::thread spawner([&] {
      both.arrive_and_wait();
      try {
        for (;;) {
          runtime->spawn("task", [&]() -> asio::awaitable<void> {
            asio::steady_timer timer(co_await asio::this_coro::executor, 10us);
            co_await timer.async_wait(
                cancel_on(runtime->token(), asio::as_tuple(asio::use_awaitable)));
            ++ran;
          });
          ++accepted;
          std::this_thread::yield();  // the other one shall have a chance on a busy machine
        }
      } catch (const system_error&) {
      }
    });
    both.arrive_and_wait();
    const ShutdownReport report = runtime->shutdown({10s, 0ms, 10s});
    const int ran_by_then = ran;
    spawner.join();

    ASSERT_TRUE(report.graceful()) << report;
    ASSERT_EQ(ran_by_then, accepted);
  }
}

TEST(Runtime, PostsFromOutsideRaceAForcedStop) {
  for (int round = 0; round < 100; ++round) {
    const auto runtime = Runtime::start({.threads = 2});
    runtime->spawn("stubborn", wait_for_ever_disabling_cancellation);
    std::latch both{2};
    std::thread outsider([&] {
      both.arrive_and_wait();
      while (!runtime->has_shut_down()) asio::post(runtime->get_executor(), [] {});
    });
    both.arrive_and_wait();

    const ShutdownReport report = runtime->shutdown({0ms, 0ms, 10s});
    outsider.join();

    ASSERT_EQ(report.threads_abandoned, 0u) << report;
  }
}

TEST(Runtime, WhatIsPostedAfterTheShutdownIsDestroyedAtOnce) {
  const auto runtime = Runtime::start({.threads = 1});
  runtime->shutdown();
  const auto owned = std::make_shared<int>();

  asio::post(runtime->get_executor(), [copy = owned, runtime] {});

  EXPECT_EQ(owned.use_count(), 1);
}

TEST(Runtime, ConcurrentCancelsOfManyTokensWakeEveryTask) {
  for (int round = 0; round < 300; ++round) {
    const auto runtime = Runtime::start({.threads = 2});
    std::vector<runtime_sharing::CancellationToken> tokens(8);
    for (const auto& token : tokens) {
      runtime->spawn("task", [token]() -> asio::awaitable<void> { co_await token.cancelled(); });
    }
    const auto cancel_from = [&](std::size_t first) {
      for (std::size_t i = first; i < tokens.size(); i += 2) tokens[i].cancel();
    };

    std::thread even(cancel_from, 0);
    std::thread odd(cancel_from, 1);
    even.join();
    odd.join();

    const ShutdownReport report = runtime->shutdown({10s, 0ms, 10s});
    ASSERT_EQ(report.reached, Rung::wait) << report;
  }
}

TEST(Runtime, InterruptRacesCompletion) {
  for (int round = 0; round < 100; ++round) {
    const auto runtime = Runtime::start({.threads = 2});
    for (int i = 0; i < 60; ++i) {
      runtime->spawn("task", [i]() -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, i * 5us);
        co_await timer.async_wait(asio::use_awaitable);
      });
    }

    const ShutdownReport report = runtime->shutdown({0ms, 10s, 10s});

    ASSERT_LE(report.reached, Rung::interrupt) << report;
    ASSERT_EQ(report.failures_total, 0u) << report;
  }
}

TEST(RuntimeSlot, EachStartIsANewGeneration) {
  RuntimeSlot slot({.name = "client", .threads = 1});

  const auto first = slot.start();
  first->shutdown();
  const auto second = slot.start();
  second->shutdown();

  EXPECT_EQ(first->generation(), 1u);
  EXPECT_EQ(second->generation(), 2u);
  EXPECT_EQ(slot.current(), second);
}

TEST(RuntimeSlot, DoesNotStartASecondRuntimeBesideARunningOne) {
  RuntimeSlot slot({.threads = 1});
  const auto first = slot.start();

  error_code code;
  try {
    slot.start();
  } catch (const system_error& error) {
    code = error.code();
  }

  EXPECT_EQ(code, Errc::runtime_running);
  first->shutdown();
}

TEST(RuntimeSlot, SaysSoWhenThereIsNothingToShutDown) {
  RuntimeSlot slot({.threads = 1});

  error_code code;
  try {
    slot.async_shutdown({}, asio::use_future).get();
  } catch (const system_error& error) {
    code = error.code();
  }

  EXPECT_EQ(slot.current(), nullptr);
  EXPECT_EQ(code, Errc::no_runtime);
  EXPECT_THROW(slot.shutdown(), system_error);
}

TEST(RuntimeSlot, LetsGoOfARuntimeThatItHasShutDown) {
  RuntimeSlot slot({.threads = 1});
  const std::weak_ptr<Runtime> first = slot.start();
  first.lock()->spawn("deaf", wait_for_ever);

  const ShutdownReport report = slot.async_shutdown(quick, asio::use_future).get();

  EXPECT_THAT(report.stragglers, ElementsAre(needing("deaf", Rung::interrupt)));
  EXPECT_TRUE(first.expired());
  EXPECT_NO_THROW(slot.start()->shutdown());
}

}  // namespace
