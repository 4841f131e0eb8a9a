#include "scenario/ui_loop.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/thread/thread.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace scenario {
namespace {

using asio_void = boost::asio::awaitable<void>;

/// The freeze is what the test is about: it sleeps on the loop's own thread, and lets nobody else
/// come first by that.
void block_for(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

asio_void return_at_once() {
  co_return;
}

asio_void wait_for_beats(UiLoop& ui, int count) {
  const int wanted = ui.beats() + count;
  co_await ui.until([&ui, wanted] { return ui.beats() >= wanted; });
}

asio_void block_the_loop(int milliseconds) {
  block_for(milliseconds);
  co_return;
}

TEST(UiLoop, RunsTheWorkToItsEnd) {
  UiLoop ui;
  bool ended = false;

  ui.run([](UiLoop& loop, bool& done) -> asio_void {
    co_await wait_for_beats(loop, 2);
    done = true;
  }(ui, ended));

  EXPECT_TRUE(ended);
}

TEST(UiLoop, RethrowsWhatTheWorkThrows) {
  UiLoop ui;
  const auto fail = []() -> asio_void {
    throw std::runtime_error("from the work");
    co_return;
  };

  EXPECT_THROW(ui.run(fail()), std::runtime_error);
}

TEST(UiLoop, RunsAgainAfterFailedWork) {
  UiLoop ui;
  const auto fail = []() -> asio_void {
    throw std::runtime_error("from the work");
    co_return;
  };
  EXPECT_THROW(ui.run(fail()), std::runtime_error);
  const int beats_before = ui.beats();

  ui.run(wait_for_beats(ui, 3));

  EXPECT_GE(ui.beats(), beats_before + 3);
}

TEST(UiLoop, BeatsWhileTheWorkWaits) {
  UiLoop ui;

  ui.run(wait_for_beats(ui, 5));

  EXPECT_GE(ui.beats(), 5);
}

TEST(UiLoop, MeasuresABlockedLoopAsAFreeze) {
  UiLoop ui;

  ui.run([](UiLoop& loop) -> asio_void {
    co_await wait_for_beats(loop, 1);
    block_for(100);
    co_await wait_for_beats(loop, 1);
  }(ui));

  EXPECT_GE(ui.longest_freeze_ms(), 95.0);
}

TEST(UiLoop, CountsAFreezeThatHasNotEndedYet) {
  UiLoop ui;
  double seen_before_the_next_beat = 0;

  ui.run([](UiLoop& loop, double& seen) -> asio_void {
    block_for(100);
    seen = loop.longest_freeze_ms();
    co_return;
  }(ui, seen_before_the_next_beat));

  EXPECT_GE(seen_before_the_next_beat, 95.0);
}

TEST(UiLoop, CountsAFreezeInTheLastStepOfTheWork) {
  UiLoop ui;

  ui.run(block_the_loop(100));

  EXPECT_GE(ui.longest_freeze_ms(), 95.0);
}

TEST(UiLoop, DoesNotCountTheTimeBetweenTwoRuns) {
  UiLoop ui;
  ui.run(wait_for_beats(ui, 1));

  block_for(500);
  ui.run(wait_for_beats(ui, 1));

  EXPECT_LT(ui.longest_freeze_ms(), 450.0);
}

TEST(UiLoop, ForgetsFreezesWhenTold) {
  UiLoop ui;
  ui.run(block_the_loop(500));

  ui.forget_freezes();
  ui.run(wait_for_beats(ui, 1));

  EXPECT_LT(ui.longest_freeze_ms(), 450.0);
}

TEST(UiLoop, WaitsForTheStateOfAnotherThread) {
  UiLoop ui;
  std::atomic<bool> ready{false};
  boost::thread other;

  ui.run([](UiLoop& loop, std::atomic<bool>& flag, boost::thread& thread) -> asio_void {
    thread = boost::thread([&flag] { flag = true; });
    co_await loop.until([&flag] { return flag.load(); });
  }(ui, ready, other));

  EXPECT_TRUE(ready);
  other.join();
}

TEST(UiLoop, RunsWhatOthersPostToIt) {
  UiLoop ui;
  bool posted_ran = false;
  boost::asio::post(ui.executor(), [&] { posted_ran = true; });

  ui.run(wait_for_beats(ui, 1));

  EXPECT_TRUE(posted_ran);
}

TEST(UiLoop, GoesOnAfterAHandlerOfAStrangerThrew) {
  UiLoop ui;
  bool ended = false;
  boost::asio::post(ui.executor(), [] { throw std::logic_error("a stranger's"); });
  const auto work = [](UiLoop& loop, bool& done) -> asio_void {
    co_await wait_for_beats(loop, 1);
    done = true;
  };
  EXPECT_THROW(ui.run(work(ui, ended)), std::logic_error);

  ui.run(wait_for_beats(ui, 2));

  EXPECT_TRUE(ended);
}

TEST(UiLoop, SaysSoWhenItsContextWasStopped) {
  UiLoop ui;
  boost::asio::post(ui.executor(), [&ui] { ui.executor().context().stop(); });

  EXPECT_THROW(ui.run(wait_for_beats(ui, 1000)), std::logic_error);

  ui.run(return_at_once());
}

}  // namespace
}  // namespace scenario
