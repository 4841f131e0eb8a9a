// One lifecycle at a time: starts and shutdowns that meet, and a thousand generations.

#include "runtime_sharing/runtime_slot.hpp"

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/shutdown_reports.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <latch>
#include <malloc.h>
#include <memory>
#include <set>
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
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::RuntimeSlot;
using runtime_sharing::ShutdownReport;
using testing::ElementsAre;
using enum RuntimeSlot::WhileStopping;

error_code error_of(const std::function<void()>& call) {
  try {
    call();
    return {};
  } catch (const system_error& error) {
    return error.code();
  }
}

/// What an asynchronous start came to.
std::future<error_code> error_of_start(RuntimeSlot& slot) {
  std::promise<error_code> promise;
  auto future = promise.get_future();
  slot.async_start(
      [promise = std::move(promise)](error_code error, auto) mutable { promise.set_value(error); });
  return future;
}

/// A slot whose runtime is being shut down, and goes on doing so until it is released.
class Stopping {
 public:
  Stopping() {
    slot.start()->spawn("cleans up",
                        [this]() -> asio::awaitable<void> { co_await release_.cancelled(); });
    report_ = slot.async_shutdown({1h, 1s, 1s}, asio::use_future);
  }
  ~Stopping() {
    release();
    if (report_.valid()) report_.wait();
  }
  Stopping(const Stopping&) = delete;
  Stopping& operator=(const Stopping&) = delete;

  void release() { release_.cancel(); }
  ShutdownReport report() { return report_.get(); }

  RuntimeSlot slot{{.threads = 1}};

 private:
  CancellationToken release_;
  std::future<ShutdownReport> report_;
};

TEST(RuntimeSlot, EachStartIsANewGeneration) {
  RuntimeSlot slot({.name = "client", .threads = 1});

  const auto first = slot.start();
  first->shutdown();
  const auto second = slot.start();
  const ShutdownReport report = second->shutdown();

  EXPECT_EQ(first->generation(), 1u);
  EXPECT_EQ(second->generation(), 2u);
  EXPECT_EQ(report.generation, 2u);
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

TEST(RuntimeSlot, KeepsTheGenerationThatHasBegunBeforeALogoutIsTold) {
  RuntimeSlot slot({.threads = 1});
  const auto first = slot.start();
  asio::io_context window;
  bool told = false;
  slot.async_shutdown({}, asio::bind_executor(window, [&](error_code, auto) { told = true; }));
  first->shutdown();
  const auto second = slot.start();

  window.run();

  EXPECT_TRUE(told);
  EXPECT_EQ(slot.current(), second);
  slot.shutdown();
}

TEST(RuntimeSlotLifecycle, LoginDuringLogoutIsRefusedIfItWants) {
  Stopping stopping;

  EXPECT_EQ(error_of([&] { stopping.slot.start(refuse); }), Errc::runtime_stopping);
}

TEST(RuntimeSlotLifecycle, LoginDuringLogoutWaitsIfItWants) {
  Stopping stopping;
  auto next =
      std::async(std::launch::async, [&] { return error_of([&] { stopping.slot.start(wait); }); });
  auto other = error_of_start(stopping.slot);

  const bool waited = next.wait_for(0s) == std::future_status::timeout &&
                      other.wait_for(0s) == std::future_status::timeout;
  stopping.release();
  // One of the two has the place; the other finds it taken, by a runtime that runs.
  const std::multiset<error_code> results{next.get(), other.get()};

  EXPECT_TRUE(waited);
  EXPECT_EQ(results, (std::multiset<error_code>{error_code(), Errc::runtime_running}));
  EXPECT_EQ(stopping.slot.current()->generation(), 2u);
  stopping.slot.shutdown();
}

TEST(RuntimeSlotLifecycle, ALoginThatWouldWaitForItsOwnThreadIsRefused) {
  Stopping stopping;
  const auto runtime = stopping.slot.current();

  const auto error = asio::post(runtime->get_executor(), std::packaged_task<error_code()>([&] {
                                  return error_of([&] { stopping.slot.start(wait); });
                                }))
                         .get();

  EXPECT_EQ(error, boost::system::errc::resource_deadlock_would_occur);
}

TEST(RuntimeSlotLifecycle, ALoginInACallbackOnTheEndDoesNotWaitForOneThatWaitsForTheCallback) {
  RuntimeSlot slot({.threads = 1});
  auto runtime = slot.start();
  const Runtime* const old = runtime.get();
  std::latch callback_runs{1};
  std::shared_ptr<Runtime> fresh;
  const CancellationCallback restart(runtime->ended(), [&] {
    callback_runs.count_down();
    while (slot.current().get() == old) std::this_thread::yield();  // the other login has begun
    fresh = slot.start();
  });
  auto report = runtime->async_shutdown({}, asio::use_future);
  runtime.reset();
  callback_runs.wait();

  const auto refusal = error_of([&] { slot.start(); });

  report.get();
  EXPECT_EQ(refusal, Errc::runtime_running);
  EXPECT_NE(fresh, nullptr);
  EXPECT_EQ(slot.current(), fresh);
}

/// Looks, as it is destroyed, whether there is another generation already.
struct LooksForTheNext {
  ~LooksForTheNext() { there_is_one = slot.current() != nullptr; }
  RuntimeSlot& slot;
  bool& there_is_one;
};

TEST(RuntimeSlotLifecycle, TheNextGenerationBeginsWhenTheOneBeforeHasLetGoOfWhatIsPending) {
  RuntimeSlot slot({.threads = 1});
  bool there_is_one = true;
  {
    const auto runtime = slot.start();
    const auto timer = std::make_shared<asio::steady_timer>(runtime->get_executor(),
                                                            asio::steady_timer::time_point::max());
    timer->async_wait([timer, pending = LooksForTheNext{slot, there_is_one}](error_code) {});
    there_is_one = true;
    runtime->shutdown();
  }

  slot.start();

  EXPECT_FALSE(there_is_one);
  EXPECT_EQ(slot.current()->generation(), 2u);
}

TEST(RuntimeSlotLifecycle, LogoutTwiceGetsOneReport) {
  Stopping stopping;
  auto second = stopping.slot.async_shutdown({1h, 1s, 1s}, asio::use_future);

  stopping.release();

  EXPECT_EQ(stopping.report().took, second.get().took);
  EXPECT_EQ(error_of([&] { stopping.slot.shutdown(); }), Errc::no_runtime);
}

TEST(RuntimeSlotLifecycle, QuitDuringLogoutRefusesThoseWhoWaitToLogIn) {
  Stopping stopping;
  auto waiting = error_of_start(stopping.slot);

  stopping.slot.close();
  stopping.release();

  EXPECT_EQ(waiting.get(), Errc::slot_closed);
  EXPECT_EQ(error_of([&] { stopping.slot.start(); }), Errc::slot_closed);
}

TEST(RuntimeSlotLifecycle, RacingLoginsAndLogoutsHaveOneLifecycleAtATimeAndLoseNone) {
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  RuntimeSlot slot({.threads = 1,
                    .on_thread_start = [&] { most = std::max(most.load(), ++running); },
                    .on_thread_stop = [&] { --running; }});
  std::atomic<int> starts{0};
  std::atomic<int> answers{0};
  std::latch begin{4};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, logs_in = i % 2 == 0] {
      begin.arrive_and_wait();
      for (int round = 0; round < 50; ++round) {
        const auto error = error_of([&] {
          if (logs_in) {
            slot.start(round % 2 == 0 ? wait : refuse);
            ++starts;
          } else {
            slot.shutdown();
          }
        });
        answers += !error || error == Errc::runtime_running || error == Errc::runtime_stopping ||
                   error == Errc::no_runtime;
      }
    });
  }

  for (auto& thread : threads) thread.join();
  if (slot.current()) slot.shutdown();

  EXPECT_EQ(answers, 200);
  EXPECT_GT(starts, 0);
  EXPECT_EQ(most, 1);
  EXPECT_EQ(running, 0);
}

#if defined(__linux__) && !defined(WITH_ADDRESS_SANITIZER) && !defined(WITH_THREAD_SANITIZER)
TEST(RuntimeSlotLifecycle, AThousandGenerationsLeaveNoThreadNoDescriptorAndNoMemory) {
  const auto entries = [](const char* folder) {
    return std::distance(std::filesystem::directory_iterator(folder), {});
  };
  RuntimeSlot slot({.threads = 2});
  const auto live = [&] {
    const auto runtime = slot.start();
    for (int i = 0; i < 10; ++i) {
      runtime->spawn("task", [token = runtime->token()]() -> asio::awaitable<void> {
        co_await token.cancelled();
      });
    }
    ASSERT_TRUE(slot.shutdown().graceful());
  };
  for (int i = 0; i < 100; ++i) live();  // what the first ones keep for all
  const auto threads = entries("/proc/self/task");
  const auto descriptors = entries("/proc/self/fd");
  const auto bytes = mallinfo2().uordblks;

  constexpr int generations = 1000;
  for (int i = 0; i < generations; ++i) live();

  EXPECT_EQ(entries("/proc/self/task"), threads);
  EXPECT_EQ(entries("/proc/self/fd"), descriptors);
  // Threads that overlapped in another way may leave a little; but not one block a generation.
  constexpr std::size_t smallest_block = 32;
  EXPECT_LT(mallinfo2().uordblks, bytes + generations * smallest_block);
}
#endif

}  // namespace
