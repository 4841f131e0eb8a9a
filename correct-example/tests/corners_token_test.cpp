// Corners of the token: its memory, its bridges, groups of operations, handlers with wishes of
// their own.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/hang_guard.hpp"
#include "correct-example/tests/let_tasks_begin.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/run_until_cancelled.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <malloc.h>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using namespace asio::experimental::awaitable_operators;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;
using runtime_sharing::run_until_cancelled;
using runtime_sharing::Runtime;
using runtime_sharing::TaskScope;

TEST(CancellationToken, CancelPromisesNotToThrow) {
  const CancellationToken token;

  EXPECT_TRUE(noexcept(token.cancel()));
}

/// What is allocated now, in all of this process.
std::size_t bytes_in_use() {
  return mallinfo2().uordblks;
}

/// What comes and goes leaves nothing behind, 20,000 times.
template <typename ComeAndGo>
void expect_flat_memory(ComeAndGo come_and_go) {
  for (int i = 0; i < 1'000; ++i) come_and_go();  // the first ones may leave something for good
  const auto before = bytes_in_use();
  for (int done = 1'000; done <= 20'000; done += 1'000) {
    for (int i = 0; i < 1'000; ++i) come_and_go();
    ASSERT_LT(bytes_in_use(), before + 64 * 1024) << "after " << done;
  }
}

TEST(CancellationToken, StaysAsSmallAsItWasWhenManyShortLivedScopesHaveListenedToIt) {
  const HangGuard guard;
  const CancellationToken long_lived;
  asio::io_context context;

  expect_flat_memory([&] {
    TaskScope scope("short-lived", context.get_executor(), long_lived);
    scope.spawn("listens",
                [&]() -> asio::awaitable<void> { co_await asio::post(cancel_on(long_lived)); });
    scope.close();
    context.run();
    context.restart();
  });
}

TEST(CancellationToken, StaysAsSmallAsItWasWhenManyShortLivedContextsHaveListenedToIt) {
  const HangGuard guard;
  const CancellationToken long_lived;

  expect_flat_memory([&] {
    asio::io_context context;
    long_lived.cancelled(asio::bind_executor(context, [](error_code) {}));
  });
}

TEST(CancellationToken, ThatAStopHasCancelledLeavesNothingBehind) {
  expect_flat_memory([] {
    std::stop_source source;
    const CancellationToken linked(source.get_token());
    source.request_stop();
  });
}

TEST(TaskScope, WhoseTasksNeverBeginLeavesNothingBehind) {
  const HangGuard guard;

  expect_flat_memory([] {
    asio::io_context context;
    TaskScope scope("scope", context.get_executor());
    scope.spawn("never begins", wait_for_ever);
  });
}

/// Everything that keeps a bridged stop token alive, to be dropped from inside.
struct BridgedStop {
  using Callback = std::stop_callback<std::function<void()>>;

  explicit BridgedStop(const CancellationToken& parent)
      : token(parent.child_token()), stop(token->stop_token()) {
    const auto drop = [this] { drop_all(); };
    first.emplace(*stop, drop);
    second.emplace(*stop, drop);
  }
  void drop_all() {
    ++calls;
    second.reset();
    first.reset();
    stop.reset();
    token.reset();
  }

  int calls = 0;
  std::optional<CancellationToken> token;
  std::optional<std::stop_token> stop;
  std::optional<Callback> first;
  std::optional<Callback> second;
};

TEST(StopToken, ACallbackMayDropAllThatHoldsTheBridge) {
  const HangGuard guard;
  mallopt(M_PERTURB, 0xdd);  // what is let go is not what it was
  const CancellationToken parent;
  BridgedStop bridged(parent);

  parent.cancel();

  EXPECT_EQ(bridged.calls, 1);
  EXPECT_FALSE(bridged.token.has_value());
}

asio::awaitable<void> wait_for_ever_for_either() {
  co_await (wait_for_ever() || wait_for_ever());
}

asio::awaitable<void> wait_for_ever_for_both() {
  co_await (wait_for_ever() && wait_for_ever());
}

/// "the work" or "the token" won, or "an exception".
template <typename Work>
std::string who_wins_once_cancelled(Work work) {
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  std::string winner;
  const auto handle = runtime->spawn("task", [&]() -> asio::awaitable<void> {
    try {
      winner = co_await run_until_cancelled(token, work()) ? "the work" : "the token";
    } catch (const std::exception& error) {
      winner = std::string("an exception: ") + error.what();
    }
  });
  let_tasks_begin(*runtime);

  token.cancel();
  handle.async_join(asio::use_future).get();
  runtime->shutdown();
  return winner;
}

TEST(RunUntilCancelled, SaysThatTheTokenWasFirstWhenTheWorkIsAGroupOfOperations) {
  const HangGuard guard;

  EXPECT_EQ(who_wins_once_cancelled(wait_for_ever_for_either), "the token");
  EXPECT_EQ(who_wins_once_cancelled(wait_for_ever_for_both), "the token");
}

/// A handler that wants to stand at the beginning of a cache line, and notes where it does not.
struct alignas(64) OverAligned {
  OverAligned(std::atomic<int>& at_wrong_place, std::atomic<int>& called)
      : misplaced(&at_wrong_place), calls(&called) {
    look();
  }
  OverAligned(const OverAligned& other) : misplaced(other.misplaced), calls(other.calls) {
    look();
    other.look();
  }
  OverAligned& operator=(const OverAligned&) = delete;
  ~OverAligned() { look(); }

  void operator()(error_code = {}) const {
    look();
    ++*calls;
  }
  void look() const {
    const volatile auto address = reinterpret_cast<std::uintptr_t>(this);  // measured, not deduced
    if (address % alignof(OverAligned) != 0) ++*misplaced;
  }

  std::atomic<int>* misplaced;
  std::atomic<int>* calls;
};

/// Not in a coroutine, nor inlined into one: clang 19 keeps the handler in the frame then, whose
/// memory is Asio's and is not aligned for it.
[[gnu::noinline]] void wait_over_aligned(const CancellationToken& token, const auto& executor,
                                         std::atomic<int>& misplaced, std::atomic<int>& calls) {
  for (int i = 0; i < 16; ++i) {
    token.cancelled(asio::bind_executor(executor, OverAligned(misplaced, calls)));
  }
}

TEST(CancellationToken, KeepsAnOverAlignedHandlerOfATaskWhereItWantsToBe) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  std::atomic<int> misplaced{0};
  std::atomic<int> calls{0};
  runtime->spawn("task", [&]() -> asio::awaitable<void> {
    wait_over_aligned(token, co_await asio::this_coro::executor, misplaced, calls);
    co_await token.cancelled();
  });
  let_tasks_begin(*runtime);

  token.cancel();
  runtime->shutdown();

  EXPECT_EQ(calls, 16);
  EXPECT_EQ(misplaced, 0);
}

TEST(CancellationToken, KeepsAnOverAlignedHandlerOfAnyOtherContextWhereItWantsToBe) {
  asio::io_context context;
  const CancellationToken token;
  std::atomic<int> misplaced{0};
  std::atomic<int> calls{0};
  wait_over_aligned(token, context.get_executor(), misplaced, calls);

  token.cancel();
  context.run();

  EXPECT_EQ(calls, 16);
  EXPECT_EQ(misplaced, 0);
}

TEST(CancellationToken, CompletesAHandlerThatATaskBindsToAnotherContextThere) {
  asio::io_context context;
  asio::io_context window;
  TaskScope scope("scope", context.get_executor());
  const CancellationToken token;
  bool told = false;
  scope.spawn("task", [&]() -> asio::awaitable<void> {
    const asio::any_io_executor executor = window.get_executor();
    token.cancelled(asio::bind_executor(executor, [&](error_code) { told = true; }));
    co_return;
  });
  context.run();

  token.cancel();
  context.restart();
  context.run();
  EXPECT_FALSE(told);
  window.run();

  EXPECT_TRUE(told);
}

TEST(CancellationToken, CompletesAHandlerThatATaskBindsToAnotherTaskInTheCodeOfThat) {
  asio::io_context context;
  TaskScope scope("scope", context.get_executor());
  const CancellationToken token;
  asio::any_io_executor other;
  bool inside_of_the_other = false;
  scope.spawn("other", [&]() -> asio::awaitable<void> {
    other = co_await asio::this_coro::executor;
    co_await token.cancelled();
  });
  scope.spawn("task", [&]() -> asio::awaitable<void> {
    token.cancelled(asio::bind_executor(other, [&](error_code) {
      other.execute([&] { inside_of_the_other = true; });
      EXPECT_TRUE(inside_of_the_other);
    }));
    co_return;
  });
  context.poll();

  token.cancel();
  context.run();
  other = {};

  EXPECT_TRUE(inside_of_the_other);
}

}  // namespace
