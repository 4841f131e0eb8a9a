// What a task or a call is made of: closures that own what they capture, a function with its
// arguments, and handlers bound to every executor that Asio's own operations take.
//
// g++ 12 destroys the captures of a closure twice that is written inside a co_await expression, so
// here each is named first. What is compiled with a macro only does not compile yet; a test
// compiles it with each of them.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/situations.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

namespace {

namespace asio = boost::asio;
using runtime_sharing::CancellationToken;
using runtime_sharing::Runtime;
using runtime_sharing::TaskHandle;
using runtime_sharing::TaskScope;

/// One owner of something, as a closure captures it: counts itself, and knows if it is destroyed
/// more than once.
class Owner {
 public:
  explicit Owner(std::shared_ptr<int> owned) : owned_(std::move(owned)) { ++alive; }
  Owner(Owner&& other) noexcept : owned_(std::move(other.owned_)) { ++alive; }
  Owner(const Owner& other) : owned_(other.owned_) { ++alive; }
  Owner& operator=(const Owner&) = delete;
  ~Owner() { --alive; }

  bool owns_something() const { return owned_ != nullptr; }

  static inline std::atomic<int> alive{0};

 private:
  std::shared_ptr<int> owned_;
};

/// Runs `test(runtime)` as a task to its end, and expects that every owner has gone once.
template <typename Test>
void expect_no_owner_is_left(Test test) {
  const auto owned = std::make_shared<int>();
  {
    const auto runtime = Runtime::start({.threads = 2});
    const TaskHandle task =
        runtime->spawn("test", [&, &runtime = *runtime] { return test(runtime, owned); });
    in_time(task.async_join(asio::use_future), "the end of the test");
    EXPECT_EQ(Owner::alive, 0);
    EXPECT_EQ(owned.use_count(), 1);
    EXPECT_TRUE(runtime->shutdown().graceful());
  }
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(Closures, WhatASpawnedTaskCapturesIsItsOwnToTheEnd) {
  expect_no_owner_is_left(
      [](Runtime& runtime, std::shared_ptr<int> owned) -> asio::awaitable<void> {
        bool owned_to_the_end = false;
        TaskHandle handle;
        {
          auto child = [owner = Owner(owned), &owned_to_the_end]() -> asio::awaitable<void> {
            co_await asio::post(asio::use_awaitable);
            owned_to_the_end = owner.owns_something();
          };
          handle = runtime.spawn("child", std::move(child));
        }
        co_await handle.async_join();
        EXPECT_TRUE(owned_to_the_end);
        EXPECT_EQ(Owner::alive, 0);
      });
}

TEST(Closures, WhatATaskThatWaitedForRoomCapturesIsItsOwnToTheEnd) {
  expect_no_owner_is_left(
      [](Runtime& runtime, std::shared_ptr<int> owned) -> asio::awaitable<void> {
        bool owned_to_the_end = false;
        TaskHandle handle;
        {
          auto child = [owner = Owner(owned), &owned_to_the_end]() -> asio::awaitable<void> {
            co_await asio::post(asio::use_awaitable);
            owned_to_the_end = owner.owns_something();
          };
          handle = co_await runtime.scope().async_spawn("child", std::move(child));
        }
        co_await handle.async_join();
        EXPECT_TRUE(owned_to_the_end);
        EXPECT_EQ(Owner::alive, 0);
      });
}

TEST(Closures, WhatABlockingCallCapturesIsItsOwnToTheEndAndGoneThen) {
  expect_no_owner_is_left(
      [](Runtime& runtime, std::shared_ptr<int> owned) -> asio::awaitable<void> {
        bool owned_to_the_end = false;
        auto left = Owner::alive.load();
        {
          auto call = [owner = Owner(owned), &owned_to_the_end] {
            owned_to_the_end = owner.owns_something();
          };
          co_await runtime.spawn_blocking("call", std::move(call));
          left = Owner::alive;
        }
        EXPECT_TRUE(owned_to_the_end);
        EXPECT_EQ(left, 1) << "what is left is the closure that was moved from";
      });
}

/// The body of a task; everything that it needs is an argument.
asio::awaitable<void> work(Owner owner, std::unique_ptr<int> only, std::string text, int& sum) {
  co_await asio::post(asio::use_awaitable);
  EXPECT_TRUE(owner.owns_something());
  EXPECT_EQ(text, "as it was");
  sum += *only;
}

int compute(Owner& owner, const std::unique_ptr<int>& only, const std::string& text) {
  EXPECT_TRUE(owner.owns_something());
  EXPECT_EQ(text, "as it was");
  return *only;
}

TEST(Closures, ASpawnTakesAFunctionAndItsArgumentsLikeAThread) {
  expect_no_owner_is_left(
      [](Runtime& runtime, std::shared_ptr<int> owned) -> asio::awaitable<void> {
        int sum = 0;
        std::string text = "as it was";
        const auto one =
            runtime.spawn("one", work, Owner(owned), std::make_unique<int>(1), text, std::ref(sum));
        text = "changed";
        co_await one.async_join();
        const auto two = runtime.scope().try_spawn(
            "two", work, Owner(owned), std::make_unique<int>(2), "as it was", std::ref(sum));
        co_await two.value().async_join();
        const auto three = runtime.scope().spawn(
            "three", work, Owner(owned), std::make_unique<int>(3), "as it was", std::ref(sum));
        co_await three.async_join();
        EXPECT_EQ(sum, 6);
        EXPECT_EQ(Owner::alive, 0);
      });
}

TEST(Closures, AnAsyncSpawnTakesAFunctionAndItsArgumentsLikeAThread) {
  expect_no_owner_is_left(
      [](Runtime& runtime, std::shared_ptr<int> owned) -> asio::awaitable<void> {
        int sum = 0;
        const TaskHandle child = co_await runtime.scope().async_spawn(
            "child", work, Owner(owned), std::make_unique<int>(1), "as it was", std::ref(sum));
        co_await child.async_join();
        EXPECT_EQ(sum, 1);
        EXPECT_EQ(Owner::alive, 0);
      });
}

TEST(Closures, ABlockingCallTakesAFunctionAndItsArgumentsLikeAThread) {
  expect_no_owner_is_left(
      [](Runtime& runtime, std::shared_ptr<int> owned) -> asio::awaitable<void> {
        const int result = co_await runtime.spawn_blocking(
            "call",
            [](Owner owner, std::unique_ptr<int> only, std::string text) {
              return compute(owner, only, text);
            },
            Owner(owned), std::make_unique<int>(7), "as it was");
        EXPECT_EQ(result, 7);
        EXPECT_EQ(Owner::alive, 0);
      });
}

/// Begins an operation with a handler bound to each kind of strand on a runtime. It must be called,
/// and called there.
template <typename Begin>
void completes_on_each_strand(Begin begin) {
  const auto window = Runtime::start({.name = "window", .threads = 2});
  const auto completes_on = [&](auto strand) {
    std::promise<bool> on_strand;
    begin(asio::bind_executor(
        strand, [&, strand](auto&&...) { on_strand.set_value(strand.running_in_this_thread()); }));
    EXPECT_TRUE(in_time(on_strand.get_future(), "the completion"));
  };

  completes_on(asio::strand<Runtime::executor_type>(window->get_executor()));
  completes_on(asio::strand<asio::any_io_executor>(window->get_executor()));

  EXPECT_TRUE(window->shutdown().graceful());
}

TEST(Conformance, CancelledCompletesOnWhateverStrandItsHandlerIsBoundTo) {
  completes_on_each_strand([](auto handler) {
    const CancellationToken token;
    token.cancelled(std::move(handler));
    token.cancel();
  });
}

TEST(Conformance, TheWaitForAScopeCompletesOnWhateverStrandItsHandlerIsBoundTo) {
  const auto runtime = Runtime::start({.threads = 1});
  completes_on_each_strand([&](auto handler) {
    TaskScope scope("scope", runtime->scope());
    scope.async_wait(std::move(handler));
    scope.close();
  });
  runtime->shutdown();
}

TEST(Conformance, AsyncShutdownCompletesOnWhateverStrandItsHandlerIsBoundTo) {
  completes_on_each_strand([](auto handler) {
    const auto runtime = Runtime::start({.threads = 1});
    runtime->async_shutdown({}, std::move(handler));
  });
}

TEST(Conformance, AsyncSpawnCompletesOnWhateverStrandItsHandlerIsBoundTo) {
  const auto runtime = Runtime::start({.threads = 1});
  completes_on_each_strand([&](auto handler) {
    auto nothing = []() -> asio::awaitable<void> { co_return; };
    runtime->scope().async_spawn("child", std::move(nothing), std::move(handler));
  });
  runtime->shutdown();
}

}  // namespace
