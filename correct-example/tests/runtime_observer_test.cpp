// What an observer is told, and when.

#include "runtime_sharing/runtime_observer.hpp"

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/shutdown_reports.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include <algorithm>
#include <future>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using runtime_sharing::Deadlines;
using runtime_sharing::ObservedTask;
using runtime_sharing::Rung;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskScope;
using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Not;

/// Writes down what it is told, in order.
class Notes final : public runtime_sharing::RuntimeObserver {
 public:
  void runtime_begins(std::uint64_t generation) noexcept override {
    note("generation " + std::to_string(generation));
  }
  void turn_begins(const ObservedTask& task) noexcept override {
    note(std::string(task.name) + " begins a turn");
    const std::lock_guard lock(mutex_);
    turn_of_[task.id] = std::this_thread::get_id();
  }
  void turn_ends(const ObservedTask& task, bool ended) noexcept override {
    note(std::string(task.name) + (ended ? " ends" : " is suspended"));
    const std::lock_guard lock(mutex_);
    if (turn_of_[task.id] != std::this_thread::get_id()) notes_.push_back("on another thread");
  }
  void task_destroyed(const ObservedTask& task) noexcept override {
    note(std::string(task.name) + " is destroyed");
  }
  void rung_reached(std::string_view scope, Rung rung) noexcept override {
    note(std::string(scope) + ": " + std::string(to_string(rung)));
  }
  void shutdown_ended(std::string_view scope, const ShutdownReport& report) noexcept override {
    note(std::string(scope) + ": ended after " + std::string(to_string(report.reached)));
  }

  std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return notes_;
  }

 private:
  void note(std::string what) noexcept {
    const std::lock_guard lock(mutex_);
    notes_.push_back(std::move(what));
  }

  mutable std::mutex mutex_;  // guards the others
  std::vector<std::string> notes_;
  std::map<const void*, std::thread::id> turn_of_;
};

asio::awaitable<void> yield_once() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

TEST(RuntimeObserver, IsToldOfEachTurnAndOfTheShutdownInOrder) {
  const auto notes = std::make_shared<Notes>();
  const auto runtime = Runtime::start({.generation = 3, .threads = 1, .observer = notes});

  runtime->spawn("task", yield_once);
  runtime->shutdown();

  const std::string name = "runtime 'runtime', generation 3";
  EXPECT_THAT(notes->all(), Contains(name + ": wait"));
  auto turns = notes->all();
  std::erase(turns, name + ": wait");  // before, between or after them
  EXPECT_THAT(turns, ElementsAre("generation 3", "task begins a turn", "task is suspended",
                                 "task begins a turn", "task ends", name + ": ended after wait"));
}

/// Looks at a scope when a task of it is said to have ended.
class Look final : public runtime_sharing::RuntimeObserver {
 public:
  void turn_ends(const ObservedTask&, bool ended) noexcept override {
    if (ended && scope != nullptr) size = scope->size();
  }

  const TaskScope* scope = nullptr;
  std::size_t size = 0;
};

TEST(RuntimeObserver, HearsOfATasksEndBeforeItsScopeDoes) {
  const auto look = std::make_shared<Look>();
  const auto runtime = Runtime::start({.threads = 1, .observer = look});
  TaskScope scope("session", runtime->scope());
  look->scope = &scope;

  scope.spawn("task", yield_once);
  scope.async_join(asio::use_future).get();

  EXPECT_EQ(look->size, 1u);
  runtime->shutdown();
}

TEST(RuntimeObserver, IsToldOfEachRungThatSomebodyNeeds) {
  const auto notes = std::make_shared<Notes>();
  const auto runtime = Runtime::start({.threads = 1, .observer = notes});
  runtime->spawn("deaf", wait_for_ever);
  runtime->spawn("stubborn", wait_for_ever_disabling_cancellation);
  asio::post(runtime->get_executor(), asio::use_future).get();

  runtime->shutdown({.wait = {}, .interrupt = {}});

  const std::string name = "runtime 'runtime', generation 1";
  auto rungs = notes->all();
  std::erase_if(rungs, [&](const auto& note) { return !note.starts_with(name); });
  EXPECT_THAT(rungs, ElementsAre(name + ": wait", name + ": interrupt", name + ": stop",
                                 name + ": ended after stop"));
  EXPECT_THAT(notes->all(), Contains("stubborn is destroyed"));
  EXPECT_THAT(notes->all(), Not(Contains("stubborn ends")));
}

TEST(RuntimeObserver, IsToldOfATaskThatIsDestroyedBeforeItsFirstTurn) {
  const auto notes = std::make_shared<Notes>();
  const auto runtime = Runtime::start({.threads = 1, .observer = notes});
  std::latch occupied(1), release(1);
  asio::post(runtime->get_executor(), [&] {
    occupied.count_down();
    release.wait();
  });
  occupied.wait();
  runtime->spawn("late", yield_once);
  auto ended = std::async(std::launch::async,
                          [&] { return runtime->shutdown({.wait = {}, .interrupt = {}}); });
  while (
      !std::ranges::any_of(notes->all(), [](const auto& note) { return note.ends_with(": stop"); }))
    std::this_thread::yield();

  release.count_down();
  ended.get();

  EXPECT_THAT(notes->all(), Contains("late is destroyed"));
  EXPECT_THAT(notes->all(), Not(Contains("late begins a turn")));
}

TEST(RuntimeObserver, IsToldOfAScopesShutdownAndOfABlockingCall) {
  const auto notes = std::make_shared<Notes>();
  const auto runtime = Runtime::start({.threads = 1, .observer = notes});
  TaskScope scope("session", runtime->scope());
  scope.spawn("deaf", wait_for_ever);

  scope.async_shutdown(Deadlines::immediate(), asio::use_future).get();
  runtime->spawn_blocking("blocking", [] {}, asio::use_future).get();
  runtime->shutdown();

  EXPECT_THAT(notes->all(), IsSupersetOf({"scope 'session': wait", "scope 'session': interrupt",
                                          "blocking begins a turn", "blocking ends"}));
}

TEST(RuntimeObserver, FindsTheTurnsOfATaskOneAfterTheOtherOnWhateverThreads) {
  const auto notes = std::make_shared<Notes>();
  const auto runtime = Runtime::start({.threads = 4, .observer = notes});
  for (int task = 0; task < 20; ++task) {
    runtime->spawn("task", []() -> asio::awaitable<void> {
      for (int turn = 0; turn < 50; ++turn) co_await yield_once();
    });
  }

  runtime->shutdown();

  const auto all = notes->all();
  EXPECT_EQ(std::ranges::count(all, "task begins a turn"), 20 * 51);
  EXPECT_EQ(std::ranges::count(all, "task is suspended"), 20 * 50);
  EXPECT_EQ(std::ranges::count(all, "task ends"), 20);
  EXPECT_THAT(all, Not(Contains("on another thread")));
}

TEST(RuntimeObserver, LivesUntilTheRuntimeIsGone) {
  auto notes = std::make_shared<Notes>();
  const std::weak_ptr<Notes> weak = notes;
  auto runtime = Runtime::start({.threads = 1, .observer = std::move(notes)});
  runtime->shutdown();

  EXPECT_FALSE(weak.expired());
  runtime.reset();

  EXPECT_TRUE(weak.expired());
}

}  // namespace
