// Owners of a runtime, wherever they are: what they do with its executor while somebody else shuts
// it down, and where the last of them lets go.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/situations.hpp"
#include "runtime_sharing/runtime_slot.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <dlfcn.h>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <pthread.h>
#include <thread>
#include <utility>
#include <vector>

namespace {

/// Called by a thread before it creates another one.
thread_local std::function<void()> before_thread_is_created;

}  // namespace

/// A sanitizer that is linked statically has one of its own, by this name.
extern "C" [[gnu::weak]] int __interceptor_pthread_create(pthread_t*, const pthread_attr_t*,
                                                          void* (*)(void*), void*);

/// In the place of the C library's, for Boost.Thread too.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*function)(void*), void* argument) {
  if (before_thread_is_created) before_thread_is_created();
  static const auto next =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  const auto real = __interceptor_pthread_create ? &__interceptor_pthread_create : next;
  return real(thread, attributes, function, argument);
}

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::udp;
using boost::system::error_code;
using runtime_sharing::CancellationCallback;
using runtime_sharing::CancellationToken;
using runtime_sharing::Runtime;
using runtime_sharing::RuntimeSlot;
using runtime_sharing::ShutdownReport;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto never = asio::steady_timer::time_point::max();

// An owner's own I/O objects, while somebody else shuts the runtime down.

/// A component with a thread of its own. `prepare(runtime, owned)` makes what it works with, which
/// it calls again and again while another thread shuts the runtime down, and a little longer. What
/// its handlers own is released with the last owner of the runtime at the latest.
template <typename Prepare>
void use_while_another_thread_shuts_down(Prepare prepare) {
  for (int round = 0; round < 60; ++round) {
    const auto owned = std::make_shared<int>();
    {
      const auto runtime = Runtime::start({.threads = 2});
      std::latch both{2};
      std::thread component([&prepare, &both, runtime, owned] {
        auto act = prepare(*runtime, owned);
        both.arrive_and_wait();
        while (!runtime->ended().is_cancelled()) act();
        for (int i = 0; i < 20; ++i) act();
      });
      both.arrive_and_wait();

      const ShutdownReport report = runtime->shutdown();

      component.join();
      ASSERT_TRUE(report.graceful()) << report;
    }
    ASSERT_EQ(owned.use_count(), 1);
  }
}

TEST(Runtime, AnOwnerMayMakeAndDestroyItsTimersWhileAnotherThreadShutsDown) {
  use_while_another_thread_shuts_down([](Runtime& runtime, std::shared_ptr<int> owned) {
    return [&runtime, owned] {
      asio::steady_timer timer(runtime.get_executor(), never);
      timer.async_wait([owned](error_code) {});
    };
  });
}

TEST(Runtime, AnOwnerMayArmAndCancelItsTimerWhileAnotherThreadShutsDown) {
  use_while_another_thread_shuts_down([](Runtime& runtime, std::shared_ptr<int> owned) {
    auto timer = std::make_shared<asio::steady_timer>(runtime.get_executor());
    return [timer, owned] {
      timer->expires_at(never);
      timer->async_wait([owned](error_code) {});
      timer->cancel();
    };
  });
}

TEST(Runtime, AnOwnerMayUseAndCloseItsSocketsWhileAnotherThreadShutsDown) {
  use_while_another_thread_shuts_down([](Runtime& runtime, std::shared_ptr<int> owned) {
    return [&runtime, owned] {
      udp::socket socket(runtime.get_executor(), {asio::ip::address_v4::loopback(), 0});
      socket.async_wait(udp::socket::wait_read, [owned](error_code) {});
      socket.cancel();
      socket.async_wait(udp::socket::wait_read, [owned](error_code) {});
    };
  });
}

TEST(Runtime, AnOwnerMayDestroyWhatIsPendingWhileAnotherThreadShutsDown) {
  use_while_another_thread_shuts_down([](Runtime& runtime, std::shared_ptr<int> owned) {
    std::vector<std::unique_ptr<asio::steady_timer>> timers;
    std::vector<std::unique_ptr<udp::socket>> sockets;
    for (int i = 0; i < 50; ++i) {
      timers.push_back(std::make_unique<asio::steady_timer>(runtime.get_executor(), never));
      timers.back()->async_wait([owned](error_code) {});
      sockets.push_back(std::make_unique<udp::socket>(
          runtime.get_executor(), udp::endpoint(asio::ip::address_v4::loopback(), 0)));
      sockets.back()->async_wait(udp::socket::wait_read, [owned](error_code) {});
    }
    return [timers = std::move(timers), sockets = std::move(sockets)]() mutable {
      if (!timers.empty()) timers.pop_back();
      if (!sockets.empty()) sockets.pop_back();
    };
  });
}

/// What a component keeps alive by its own pending operations.
struct Session {
  explicit Session(Runtime& runtime)
      : timer(runtime.get_executor(), never),
        socket(runtime.get_executor(), {asio::ip::address_v4::loopback(), 0}) {}

  static void begin(const std::shared_ptr<Session>& self) {
    self->timer.async_wait([self](error_code) {});
    self->socket.async_wait(udp::socket::wait_read, [self](error_code) {});
  }

  asio::steady_timer timer;
  udp::socket socket;
};

TEST(Runtime, WhatAnOwnerHasPendingIsLeftAloneByAShutdownAndGoesWithTheLastOwner) {
  auto runtime = Runtime::start({.threads = 1});
  runtime->spawn("listener", [token = runtime->token()]() -> asio::awaitable<void> {
    co_await token.cancelled();
  });
  std::weak_ptr<Session> session;
  {
    const auto begun = std::make_shared<Session>(*runtime);
    Session::begin(begun);
    session = begun;
  }

  const ShutdownReport report = runtime->shutdown();
  const bool left_alone = !session.expired();
  runtime.reset();

  EXPECT_TRUE(report.graceful()) << report;
  EXPECT_TRUE(left_alone) << "nothing is torn down on the graceful path";
  EXPECT_TRUE(session.expired());
}

// The last owner lets go.

TEST(Runtime, TheLastOwnerMayBeDroppedByACallbackOnItsEnd) {
  auto owner = Runtime::start({.threads = 1});
  const std::weak_ptr<Runtime> runtime = owner;
  std::promise<void> dropped;
  const CancellationCallback drop(owner->ended(), [&] {
    owner.reset();
    dropped.set_value();
  });

  owner->async_shutdown({}, asio::detached);

  in_time(dropped.get_future(), "the callback");
  EXPECT_TRUE(runtime.expired());
}

TEST(Runtime, TheOnlyOwnerMayBeResetByATaskThatIsToldWhileItIsShutDown) {
  for (int round = 0; round < 100; ++round) {
    auto owner = Runtime::start({.name = "mine", .threads = 1});
    owner->spawn("resets", [&owner, token = owner->token()]() -> asio::awaitable<void> {
      co_await token.cancelled();
      owner.reset();
    });

    const ShutdownReport report = owner->shutdown();

    ASSERT_EQ(report.runtime, "mine");
    ASSERT_EQ(report.tasks_total, 1u);
    ASSERT_TRUE(report.graceful()) << report;
  }
}

TEST(Runtime, TheOnlyOwnerMayBeResetByACallbackWhileItIsShutDown) {
  for (int round = 0; round < 100; ++round) {
    auto owner = Runtime::start({.name = "mine", .threads = 1});
    const CancellationCallback reset(owner->token(), [&owner] { owner.reset(); });

    const ShutdownReport report = owner->shutdown();

    ASSERT_EQ(report.runtime, "mine");
    ASSERT_TRUE(report.graceful()) << report;
  }
}

TEST(Runtime, TheLastOwnerDroppedInATaskOfAnotherRuntimeDoesNotBlockThatRuntime) {
  const auto other = Runtime::start({.name = "other", .threads = 1});
  auto owner = Runtime::start({.name = "mine", .threads = 1});
  const CancellationToken ended = owner->ended();
  const CancellationToken release;
  std::atomic<bool> ended_by_itself{false};
  owner->spawn("cleans up", [release, &ended_by_itself]() -> asio::awaitable<void> {
    co_await release.cancelled();
    ended_by_itself = true;
  });
  let_tasks_run(*owner);

  other->spawn("drops", [&owner, release]() -> asio::awaitable<void> {
    owner.reset();
    release.cancel();  // comes before the deadline only if nothing has waited for that
    co_return;
  });

  in_time(ended.cancelled(asio::use_future), "the end of the dropped runtime");
  EXPECT_TRUE(ended_by_itself) << "the task was waited for on a thread that it waited for";
  other->shutdown();
}

TEST(Runtime, AShutdownThatBlocksAThreadOfAnotherRuntimeWarns) {
  const Warnings warnings;
  const auto other = Runtime::start({.name = "other", .threads = 1});
  const auto runtime =
      Runtime::start({.name = "mine", .threads = 1, .on_warning = warnings.sink()});

  const ShutdownReport report = in_time(
      asio::post(other->get_executor(), asio::use_future([&] { return runtime->shutdown(); })),
      "a shutdown on a thread of another runtime");

  EXPECT_TRUE(report.graceful()) << report;
  EXPECT_THAT(warnings.taken(), SizeIs(1));
  other->shutdown();
}

// What is handed to a runtime that has ended.

TEST(Runtime, WarnsOnceThatSomethingWasHandedToItAfterItsEnd) {
  const Warnings warnings;
  const auto runtime = Runtime::start({.threads = 1, .on_warning = warnings.sink()});
  runtime->shutdown();
  const auto before = warnings.taken();

  const auto strand = asio::make_strand(runtime->get_executor());
  for (int i = 0; i < 3; ++i) {
    asio::post(runtime->get_executor(), [] {});
    asio::post(strand, [] {});
  }

  EXPECT_THAT(before, IsEmpty());
  EXPECT_THAT(warnings.taken(), SizeIs(1));
}

// A slot.

TEST(RuntimeSlot, AThreadThatStartsMayAskForTheCurrentRuntime) {
  std::promise<void> first_has_asked;
  std::atomic<int> asked{0};
  std::optional<RuntimeSlot> slot;
  slot.emplace(Runtime::Options{.threads = 2, .on_thread_start = [&] {
                                  slot->current();
                                  if (++asked == 1) first_has_asked.set_value();
                                }});
  // The second thread of the runtime is created only when the first one has its answer.
  int created = 0;
  before_thread_is_created = [&] {
    if (++created == 2) in_time(first_has_asked.get_future(), "an answer to the first thread");
  };

  const auto runtime = slot->start();

  before_thread_is_created = {};
  EXPECT_EQ(slot->current(), runtime);
  slot->shutdown();
  EXPECT_EQ(asked, 2);
}

}  // namespace
