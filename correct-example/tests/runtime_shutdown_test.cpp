// The rungs of a shutdown, who may call it, and what it races with.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/let_tasks_begin.hpp"
#include "correct-example/tests/shutdown_reports.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using boost::system::system_error;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;
using runtime_sharing::Errc;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskScope;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

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

TEST(Runtime, ATaskThatCouldNotBeginBehindASpinningOneIsNotCalledAbandoned) {
  std::atomic<bool> release{false};
  std::promise<void> returned;
  const auto runtime =
      Runtime::start({.threads = 1, .on_thread_stop = [&] { returned.set_value(); }});
  std::latch spinning{1};
  runtime->spawn("spinner", [&]() -> asio::awaitable<void> {
    spinning.count_down();
    while (!release) std::this_thread::yield();
    co_return;
  });
  spinning.wait();
  runtime->spawn("behind", wait_for_ever);

  const ShutdownReport report = runtime->shutdown({20ms, 20ms, 20ms});

  EXPECT_THAT(report.stragglers, UnorderedElementsAre(needing("spinner", Rung::abandon),
                                                      needing("behind", Rung::stop)));
  release = true;
  returned.get_future().get();
}

TEST(Runtime, AnInterruptedTaskIsWaitedForNoLongerThanItTakes) {
  const auto runtime = Runtime::start({.threads = 1});
  TaskScope below("below", runtime->scope());
  below.spawn("stubborn", wait_for_ever_disabling_cancellation);
  runtime->spawn("tidy", []() -> asio::awaitable<void> {
    try {
      co_await wait_for_ever();
    } catch (const system_error&) {
      // Interrupted: its clean-up takes a while.
    }
    asio::steady_timer timer(co_await asio::this_coro::executor, 50ms);
    co_await timer.async_wait(asio::use_awaitable);
  });
  let_tasks_begin(*runtime);

  const ShutdownReport report = runtime->shutdown({0ms, 3s, 20s});

  EXPECT_THAT(report.stragglers, UnorderedElementsAre(needing("stubborn", Rung::stop),
                                                      needing("tidy", Rung::interrupt)));
  // A third is for the stubborn one, a third for the other to end by itself.
  EXPECT_LT(report.took, 2900ms);
}

TEST(Runtime, AnInterruptedTaskLeavesNothingOfTheRuntimeBehind) {
  auto owned = std::make_shared<int>();
  const std::weak_ptr<int> observed = owned;
  auto runtime =
      Runtime::start({.threads = 1, .on_warning = [owned = std::move(owned)](std::string_view) {}});
  runtime->spawn("deaf", wait_for_ever);

  EXPECT_EQ(runtime->shutdown(quick).reached, Rung::interrupt);
  runtime.reset();

  EXPECT_TRUE(observed.expired());
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
  while (!runtime->token().is_cancelled()) std::this_thread::yield();

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
  EXPECT_FALSE(runtime->token().is_cancelled());
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
      while (!runtime->ended().is_cancelled()) asio::post(runtime->get_executor(), [] {});
    });
    both.arrive_and_wait();

    const ShutdownReport report = runtime->shutdown({0ms, 0ms, 10s});
    outsider.join();

    ASSERT_EQ(report.threads_abandoned, 0u) << report;
  }
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

}  // namespace
