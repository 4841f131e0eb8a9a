// What one thread has done before it lets go of something, whoever takes that up sees. In each test
// one object of the library stands between two threads, and nothing else that would order them: a
// memory order that is too weak is a data race, which ThreadSanitizer reports every time. Without
// it these tests see no more than that the hand-over works.

#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/detail/serial_queue.hpp"
#include "runtime_sharing/detail/wake_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace runtime_sharing {
namespace {

/// Calls the two one after the other, each on its own thread, and orders nothing between them.
template <typename First, typename Second>
void on_two_threads(First first, Second second) {
  std::atomic<bool> is_done{false};
  std::thread earlier([&] {
    first();
    is_done.store(true, std::memory_order_relaxed);
  });
  std::thread later([&] {
    while (!is_done.load(std::memory_order_relaxed)) std::this_thread::yield();
    second();
  });
  earlier.join();
  later.join();
}

// ---- A task's queue of steps

struct CountingStep final : detail::Step {
  explicit CountingStep(int& its_count) : count(its_count) {}
  void run() override { ++count; }
  void discard() noexcept override { ++count; }

  int& count;
};

class SerialQueueOfTwoThreads : public testing::Test {
 protected:
  void begin_with(detail::Step& step) {
    ASSERT_TRUE(queue.begin_with(step));
    queue.run();
    EXPECT_TRUE(queue.rest());
  }
  void push_and_run(detail::Step& step) {
    ASSERT_TRUE(queue.push(step));
    queue.run();
    EXPECT_TRUE(queue.rest());
  }

  int count = 0;
  CountingStep first{count};
  CountingStep second{count};
  detail::SerialQueue queue;
};

TEST_F(SerialQueueOfTwoThreads, WhoPushesComesAfterTheLastRun) {
  on_two_threads([&] { begin_with(first); }, [&] { push_and_run(second); });
  EXPECT_EQ(count, 2);
}

TEST_F(SerialQueueOfTwoThreads, WhoBeginsComesAfterTheLastRun) {
  on_two_threads([&] { push_and_run(first); }, [&] { begin_with(second); });
  EXPECT_EQ(count, 2);
}

TEST_F(SerialQueueOfTwoThreads, WhoRunsComesAfterThePush) {
  on_two_threads([&] { EXPECT_TRUE(queue.push(first)); }, [&] { queue.run(); });
  EXPECT_EQ(count, 1);
}

TEST_F(SerialQueueOfTwoThreads, WhoClosesComesAfterThePush) {
  on_two_threads([&] { EXPECT_TRUE(queue.push(first)); }, [&] { queue.close(); });
  EXPECT_EQ(count, 1);
}

TEST_F(SerialQueueOfTwoThreads, WhoClosesComesAfterTheLastRun) {
  on_two_threads([&] { begin_with(first); }, [&] { queue.close(); });
  EXPECT_EQ(count, 1);
}

// ---- Tokens

TEST(ByteLock, OrdersThoseWhoHoldIt) {
  detail::ByteLock lock;
  int guarded = 0;
  const auto increment = [&] {
    const std::lock_guard held(lock);
    ++guarded;
  };
  on_two_threads(increment, increment);
  EXPECT_EQ(guarded, 2);
}

TEST(CancellationTokenOfTwoThreads, WhoSeesItCancelledSeesWhatWasDoneBefore) {
  const CancellationToken token;
  int written = 0;
  on_two_threads(
      [&] {
        written = 1;
        token.cancel();
      },
      [&] {
        EXPECT_TRUE(token.is_cancelled());
        EXPECT_EQ(written, 1);
      });
}

TEST(CancellationTokenOfTwoThreads, WhoSeesAChildCancelledSeesItToo) {
  const CancellationToken parent;
  const CancellationToken child = parent.child_token();
  const auto look = [&] { EXPECT_TRUE(child.is_cancelled()); };
  int written = 0;
  const auto cancel = [&] {
    written = 1;
    parent.cancel();
  };
  const auto look_and_read = [&] {
    look();
    EXPECT_EQ(written, 1);
  };
  // The first look leaves a short cut to the second.
  on_two_threads(cancel, [&] { on_two_threads(look, look_and_read); });
}

TEST(CancellationTokenOfTwoThreads, WhoDestroysItComesAfterWhoeverUsedIt) {
  std::optional<CancellationToken> one(std::in_place);
  std::optional<CancellationToken> other(*one);
  const auto use_and_drop = [](auto& handle) {
    EXPECT_FALSE(handle->is_cancelled());
    handle.reset();
  };
  on_two_threads([&] { use_and_drop(one); }, [&] { use_and_drop(other); });
}

class SilentQueue final : public detail::WakeQueue {
  void wake_up() noexcept override {}
};

class SilentWaiter final : public detail::TokenWaiter {
 public:
  explicit SilentWaiter(const CancellationToken& token)
      : TokenWaiter(detail::TokenState::of(token)) {}

 private:
  bool deliver() override { return true; }
  void drop() noexcept override {}
};

class LanesOfTwoThreads : public testing::Test {
 protected:
  void TearDown() override {
    for (auto& queue : queues) {
      queue->close();
      queue->drop_all();
    }
  }

  const CancellationToken token;
  SilentWaiter waiters[3] = {SilentWaiter(token), SilentWaiter(token), SilentWaiter(token)};
  boost::intrusive_ptr<SilentQueue> queues[3] = {new SilentQueue, new SilentQueue, new SilentQueue};
};

TEST_F(LanesOfTwoThreads, WhoGoesByALaneComesAfterItWasMade) {
  ASSERT_TRUE(waiters[0].wait(*queues[0]));
  on_two_threads([&] { ASSERT_TRUE(waiters[1].wait(*queues[1])); },
                 [&] { ASSERT_TRUE(waiters[2].wait(*queues[2])); });
}

TEST_F(LanesOfTwoThreads, WhoTakesALaneOverComesAfterItsQueueWasClosed) {
  ASSERT_TRUE(waiters[0].wait(*queues[0]));
  on_two_threads([&] { queues[0]->close(); }, [&] { ASSERT_TRUE(waiters[1].wait(*queues[1])); });
}

}  // namespace
}  // namespace runtime_sharing
