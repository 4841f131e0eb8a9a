// Who waits for room in a scope that is full: turns are passed on, whatever becomes of the one who
// was called.

#include "correct-example/tests/endless_tasks.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using runtime_sharing::CancellationToken;
using runtime_sharing::Errc;
using runtime_sharing::Runtime;
using runtime_sharing::TaskHandle;
using runtime_sharing::TaskScope;
using testing::ElementsAre;
using testing::IsEmpty;

/// Spawns endless tasks into scopes with limits, and notes which were accepted, in which order.
class Spawner {
 public:
  explicit Spawner(asio::io_context& context) : context_(context) {}

  void wait_for_room(TaskScope& scope, const std::string& name) {
    scope.async_spawn(
        name, wait_for_ever,
        asio::bind_executor(context_, [this, name](error_code error, const TaskHandle&) {
          if (!error) accepted.push_back(name);
        }));
    context_.poll();
  }

  std::vector<std::string> accepted;

 private:
  asio::io_context& context_;
};

TEST(WaitingForRoom, OneWhoIsOvertakenKeepsItsPlaceInFront) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor(), CancellationToken(), {.max_tasks = 1});
  const auto running = scope.spawn("running", wait_for_ever);
  Spawner spawner(context);
  spawner.wait_for_room(scope, "first");
  spawner.wait_for_room(scope, "second");

  running.interrupt();
  while (scope.size() == 1) context.poll_one();
  const auto overtaker = scope.spawn("overtaker", wait_for_ever);
  context.poll();
  const auto accepted_meanwhile = spawner.accepted;
  overtaker.interrupt();
  context.poll();

  EXPECT_THAT(accepted_meanwhile, IsEmpty());
  EXPECT_THAT(spawner.accepted, ElementsAre("first"));
}

TEST(WaitingForRoom, OneWhoIsDestroyedAfterItWasCalledPassesItsTurnOn) {
  asio::io_context context;
  std::optional<asio::io_context> ending(std::in_place);
  TaskScope scope("scope", context.get_executor(), CancellationToken(), {.max_tasks = 1});
  const auto running = scope.spawn("running", wait_for_ever);
  Spawner goes_away(*ending);
  Spawner stays(context);
  goes_away.wait_for_room(scope, "called and destroyed");
  stays.wait_for_room(scope, "next");

  running.interrupt();
  context.poll();
  const auto accepted_meanwhile = stays.accepted;
  ending.reset();
  context.poll();

  EXPECT_THAT(accepted_meanwhile, IsEmpty());
  EXPECT_THAT(stays.accepted, ElementsAre("next"));
}

TEST(WaitingForRoom, OneWhoMovesOnToAnotherFullScopePassesItsTurnOn) {
  asio::io_context context;
  TaskScope outer("outer", context.get_executor(), CancellationToken(), {.max_tasks = 3});
  TaskScope inner("inner", outer, {.max_tasks = 1});
  const auto first = outer.spawn("first", wait_for_ever);
  const auto second = outer.spawn("second", wait_for_ever);
  outer.spawn("third", wait_for_ever);
  Spawner spawner(context);
  for (const auto* name : {"inner 1", "inner 2", "inner 3"}) spawner.wait_for_room(inner, name);
  spawner.wait_for_room(outer, "outer");

  first.interrupt();
  second.interrupt();
  context.poll();

  // Two have left. One of the inner scope's may come; it is full then, and the outer one has room.
  EXPECT_THAT(spawner.accepted, ElementsAre("inner 1", "outer"));
}

TEST(WaitingForRoom, SpawnsCancellationsAndEndsRaceAndEveryWaiterIsAnswered) {
  const auto runtime = Runtime::start({.threads = 2});
  TaskScope scope("scope", runtime->scope(), {.max_tasks = 2});
  constexpr int waiters_per_thread = 500;
  std::atomic<int> accepted{0};
  std::atomic<int> given_up{0};
  std::atomic<int> ran{0};
  std::latch begin{2};
  const auto spawn_and_give_up = [&] {
    asio::io_context context;
    auto keep_running = asio::make_work_guard(context);
    std::vector<asio::cancellation_signal> signals(waiters_per_thread);
    begin.arrive_and_wait();
    for (int i = 0; i < waiters_per_thread; ++i) {
      const auto signal = signals.begin() + i;
      scope.async_spawn(
          "task",
          [&]() -> asio::awaitable<void> {
            ++ran;
            co_return;
          },
          asio::bind_cancellation_slot(
              signal->slot(),
              asio::bind_executor(context, [&](error_code error, const TaskHandle&) {
                ++(error == asio::error::operation_aborted ? given_up : accepted);
              })));
      context.poll_one();
      if (i % 2 == 0) signal->emit(asio::cancellation_type::terminal);
    }
    keep_running.reset();
    context.run();
  };

  std::thread one(spawn_and_give_up);
  std::thread other(spawn_and_give_up);
  one.join();
  other.join();
  scope.close();
  scope.async_wait(asio::use_future).get();

  EXPECT_EQ(accepted + given_up, 2 * waiters_per_thread);
  EXPECT_EQ(ran, accepted);
  EXPECT_GE(accepted, waiters_per_thread);
  runtime->shutdown();
}

}  // namespace
