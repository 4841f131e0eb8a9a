// Corners of operations bound to a token: those that complete inline, or are destroyed elsewhere,
// or whose executor refuses.

#include "correct-example/tests/endless_tasks.hpp"
#include "correct-example/tests/hang_guard.hpp"
#include "correct-example/tests/let_tasks_begin.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#if defined(WITH_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#endif

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using namespace std::chrono_literals;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;
using runtime_sharing::Runtime;
using runtime_sharing::TaskHandle;

/// Uses the memory of a frame that has just gone, and leaves something else in it.
template <std::size_t Size>
asio::awaitable<void> scribble() {
  std::array<volatile unsigned char, Size> bytes;
  for (auto& byte : bytes) byte = 0xdd;
  co_await asio::post(asio::use_awaitable);
  for (auto& byte : bytes) byte = 0xdd;
}

/// The operation completes inside of its initiation, and what follows it does, too.
asio::awaitable<void> dispatch_inline(CancellationToken token) {
  for (int i = 0; i < 10; ++i) {
    co_await asio::dispatch(cancel_on(token));
    co_await scribble<8>();
    co_await asio::dispatch(cancel_on(token));
    co_await scribble<64>();
    co_await asio::dispatch(cancel_on(token));
    co_await scribble<128>();
    co_await asio::dispatch(cancel_on(token));
    co_await scribble<256>();
  }
}

#if defined(WITH_ADDRESS_SANITIZER)
TEST(CancelOn, IsTestedUnderASanitizerWithMemoryThatAsioDoesNotUseAgain) {
  asio::io_context context;
  bool kept = true;
  asio::post(context, [&] {
    asio::recycling_allocator<std::byte> allocator;
    auto* const memory = allocator.allocate(64);
    const volatile auto address = reinterpret_cast<std::uintptr_t>(memory);
    allocator.deallocate(memory, 64);
    kept = !__asan_address_is_poisoned(reinterpret_cast<void*>(address));
  });
  context.run();
  EXPECT_FALSE(kept);
}
#endif

// Asio uses the memory of frames again, so without a sanitizer it is the scribbling above that
// makes a late look at a frame a crash.
TEST(CancelOn, AnOperationOfATaskMayCompleteInline) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  bool finished = false;

  const auto handle = runtime->spawn("task", [&]() -> asio::awaitable<void> {
    co_await dispatch_inline(token);
    finished = true;
  });
  handle.async_join(asio::use_future).get();

  EXPECT_TRUE(finished);
  runtime->shutdown();
}

TEST(CancelOn, AnOperationOfAnyOtherCoroutineMayCompleteInline) {
  const HangGuard guard;
  asio::io_context context;
  const CancellationToken token;

  auto finished = asio::co_spawn(context, dispatch_inline(token), asio::use_future);
  context.run();

  EXPECT_NO_THROW(finished.get());
}

/// Keeps the handler of the one operation that is begun, and counts how often it is cancelled.
class Keeper {
 public:
  template <typename CompletionToken>
  auto async_keep(CompletionToken&& completion_token) {
    return asio::async_initiate<CompletionToken, void()>(
        [this]<typename Handler>(Handler&& handler) {
          asio::get_associated_cancellation_slot(handler).assign(
              [this](asio::cancellation_type) { ++cancelled_; });
          using Kept = std::decay_t<Handler>;
          kept_ = std::make_shared<Kept>(std::forward<Handler>(handler));
          begun_.set_value();
        },
        completion_token);
  }

  void wait_until_begun() { begun_.get_future().wait(); }
  /// As a context does that ends with the operation in it.
  void destroy() { kept_.reset(); }
  int cancelled() const { return cancelled_; }

 private:
  std::shared_ptr<void> kept_;
  std::promise<void> begun_;
  std::atomic<int> cancelled_{0};
};

TEST(CancelOn, AnOperationThatWasDestroyedIsCancelledNoMore) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  Keeper keeper;
  const auto handle = runtime->spawn(
      "task", [&]() -> asio::awaitable<void> { co_await keeper.async_keep(cancel_on(token)); });
  keeper.wait_until_begun();
  let_tasks_begin(*runtime);

  keeper.destroy();
  EXPECT_THROW(handle.async_join(asio::use_future).get(), boost::system::system_error);
  token.cancel();
  let_tasks_begin(*runtime);

  EXPECT_EQ(keeper.cancelled(), 0);
  runtime->shutdown();
}

/// An operation that completes where its handler's executor is: the context if it has none.
template <typename CompletionToken>
void async_arrive(asio::io_context& context, CompletionToken&& completion_token) {
  asio::async_compose<CompletionToken, void()>(
      [started = false](auto& self) mutable {
        if (!std::exchange(started, true)) return asio::post(std::move(self));
        self.complete();
      },
      completion_token, context);
}

TEST(CancelOn, OfTwoTokensLeavesAHandlerWithoutAnExecutorWhereItsOperationIs) {
  const HangGuard guard;
  asio::io_context context;
  const CancellationToken session;
  const CancellationToken request;
  std::thread::id called_on;

  async_arrive(context, cancel_on(session, cancel_on(request, [&called_on] {
                                    called_on = std::this_thread::get_id();
                                  })));
  context.run();

  EXPECT_EQ(called_on, std::this_thread::get_id());
}

TEST(CancelOn, AnOperationThatIsPendingIsCancelledOnce) {
  const HangGuard guard;
  const auto runtime = Runtime::start({.threads = 1});
  const CancellationToken token;
  Keeper keeper;
  runtime->spawn("task",
                 [&]() -> asio::awaitable<void> { co_await keeper.async_keep(cancel_on(token)); });
  keeper.wait_until_begun();
  let_tasks_begin(*runtime);

  token.cancel();
  let_tasks_begin(*runtime);

  EXPECT_EQ(keeper.cancelled(), 1);
  keeper.destroy();
  runtime->shutdown();
}

TEST(CancelOn, ATimerThatItsHandlerOwnsMayBeLetGoByWhoeverCancels) {
  asio::io_context context;
  const CancellationToken token;
  auto timer = std::make_shared<asio::steady_timer>(context, asio::steady_timer::time_point::max());
  error_code result;
  timer->async_wait(cancel_on(token, [timer, &result](error_code error) { result = error; }));

  token.cancel();
  timer.reset();
  context.run();

  EXPECT_EQ(result, asio::error::operation_aborted);
}

/// Keeps the handlers of operations, for whoever completes or destroys them on any thread.
class Shelf {
 public:
  template <typename CompletionToken>
  auto async_keep(CompletionToken&& completion_token) {
    return asio::async_initiate<CompletionToken, void()>(
        [this]<typename Handler>(Handler&& handler) {
          auto kept =
              std::make_unique<KeptHandler<std::decay_t<Handler>>>(std::forward<Handler>(handler));
          const std::lock_guard lock(mutex_);
          kept_.push_back(std::move(kept));
        },
        completion_token);
  }

  struct Kept {
    virtual ~Kept() = default;
    virtual void complete() = 0;
  };
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return kept_.size();
  }
  /// One of them; null if there is none.
  std::unique_ptr<Kept> take() {
    const std::lock_guard lock(mutex_);
    if (kept_.empty()) return nullptr;
    auto kept = std::move(kept_.back());
    kept_.pop_back();
    return kept;
  }

 private:
  template <typename Handler>
  struct KeptHandler final : Kept {
    explicit KeptHandler(Handler&& its_handler) : handler(std::move(its_handler)) {}
    void complete() override { asio::post(std::move(handler)); }
    Handler handler;
  };

  std::mutex mutex_;
  std::vector<std::unique_ptr<Kept>> kept_;
};

TEST(CancelOn, AnOperationMayBeDestroyedElsewhereWhileItsTaskIsInterrupted) {
  const HangGuard guard;
  constexpr int rounds = 300;
  constexpr std::size_t tasks = 16;
  const auto runtime = Runtime::start({.threads = 2});
  const CancellationToken token;
  Shelf shelf;
  std::barrier both_together(2);
  std::thread elsewhere([&] {
    for (int round = 0; round < rounds; ++round) {
      both_together.arrive_and_wait();
      for (int i = 0; auto kept = shelf.take(); ++i) {
        if (i % 4 == 0) kept->complete();
      }
      both_together.arrive_and_wait();
    }
  });

  for (int round = 0; round < rounds; ++round) {
    std::vector<TaskHandle> handles;
    while (handles.size() < tasks) {
      handles.push_back(runtime->spawn(
          "task", [&]() -> asio::awaitable<void> { co_await shelf.async_keep(cancel_on(token)); }));
    }
    while (shelf.size() < tasks) std::this_thread::yield();

    both_together.arrive_and_wait();
    for (const auto& handle : handles) handle.interrupt();
    both_together.arrive_and_wait();
    for (const auto& handle : handles) handle.async_join(asio::use_future).wait();
  }

  elsewhere.join();
  EXPECT_EQ(runtime->scope().size(), 0u);
  runtime->shutdown();
}

TEST(CancelOn, OfTwoTokensIsBegunOnOneThreadAndCompletesOnAnotherAndIsCancelledByAThird) {
  const HangGuard guard;
  asio::thread_pool pool(2);
  std::atomic<const CancellationToken*> to_cancel{nullptr};
  std::atomic<bool> is_over{false};
  std::thread third([&] {
    while (!is_over) {
      const auto* const token = to_cancel.load();
      if (token == nullptr) continue;
      const CancellationToken kept = *token;
      to_cancel = nullptr;
      kept.cancel();
    }
  });
  std::atomic<int> completed{0};

  for (int i = 0; i < 5'000; ++i) {
    const CancellationToken session;
    const CancellationToken request;
    const auto strand = asio::make_strand(pool);
    asio::steady_timer timer(strand, std::chrono::microseconds(i % 60));
    std::promise<void> done;
    if (i % 3 != 0) to_cancel = i % 3 == 1 ? &session : &request;
    timer.async_wait(cancel_on(session, cancel_on(request, [&](error_code) {
                                 ++completed;
                                 done.set_value();
                               })));
    done.get_future().wait();
    while (to_cancel != nullptr) std::this_thread::yield();
    asio::post(strand, asio::use_future).get();  // the timer's slot is not touched any more
  }

  is_over = true;
  third.join();
  EXPECT_EQ(completed, 5'000);
}

/// An executor that takes nothing while it is full.
struct MayBeFull {
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  MayBeFull require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <typename Function>
  void execute(Function&& function) const {
    if (*is_full) throw std::runtime_error("the executor is full");
    asio::require(context->get_executor(), asio::execution::blocking.never)
        .execute(std::forward<Function>(function));
  }
  bool operator==(const MayBeFull&) const noexcept = default;

  asio::io_context* context;
  const bool* is_full;
};

TEST(CancelOn, AnOperationWhoseExecutorHasRefusedIsStillCancelledByItsOwnSlot) {
  const HangGuard guard;
  asio::io_context context;
  bool is_full = false;
  const CancellationToken token;
  asio::cancellation_signal own;
  asio::steady_timer timer(context, asio::steady_timer::time_point::max());
  error_code result;
  timer.async_wait(cancel_on(
      token, asio::bind_cancellation_slot(
                 own.slot(), asio::bind_executor(MayBeFull{&context, &is_full},
                                                 [&](error_code error) { result = error; }))));

  is_full = true;
  token.cancel();
  is_full = false;
  asio::post(context, [&] { own.emit(asio::cancellation_type::terminal); });
  context.run();

  EXPECT_EQ(result, asio::error::operation_aborted);
}

TEST(CancelOn, AHandlerThatIsKeptElsewhereMayOutliveTheContextOfItsExecutor) {
  Shelf shelf;
  const CancellationToken token;
  {
    asio::io_context context;
    shelf.async_keep(cancel_on(token, asio::bind_executor(context, [] {})));
  }

  EXPECT_NE(shelf.take(), nullptr);  // and is destroyed
}

}  // namespace
