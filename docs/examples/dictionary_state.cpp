// The dictionary: sharing state, time.
#include "runtime_sharing/guarded.hpp"
#include "runtime_sharing/suspension_checker.hpp"

#include <boost/thread/concurrent_queues/sync_bounded_queue.hpp>

#include "dictionary.hpp"
#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <semaphore>
#include <shared_mutex>

namespace dictionary {
namespace {

// Sharing state

// [arc]
long arc() {
  const auto value = std::make_shared<const int>(42);
  const std::shared_ptr<const int> clone = value;
  return clone.use_count();
}
// [/arc]

// [std-mutex]
std::size_t std_mutex() {
  Guarded<std::string> text;
  text.with([](std::string& inside) { inside += "locked"; });
  return text.with([](const std::string& inside) { return inside.size(); });
}
// [/std-mutex]

// [poisoned]
std::string poisoned() {
  Guarded<std::string> text;
  try {
    text.with([](std::string& inside) {
      inside = "half a change";
      throw std::runtime_error("panic");
    });
  } catch (const std::runtime_error&) {
  }
  return text.with([](const std::string& inside) { return inside; });
}
// [/poisoned]

// [mutex-guard]
asio::awaitable<void> suspend_with(checked::Mutex& mutex) {
  const checked::Lock guard(mutex);
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}
std::string mutex_guard() {
  static std::string found;
  const auto before = checked::set_report_function(
      [](const checked::HeldLock& held) { found = std::string(held.lock) + " held"; });
  asio::io_context context;
  checked::Mutex rows("rows");
  asio::co_spawn(checked::executor(context.get_executor(), "task"), suspend_with(rows),
                 asio::detached);
  context.run();
  checked::set_report_function(before);
  return found;
}
// [/mutex-guard]

struct Inside {
  int now = 0;
  int most = 0;
};

// [async-mutex]
asio::awaitable<void> enter(Channel& permits, Inside& inside) {
  const int permit = co_await permits.async_receive(asio::use_awaitable);
  inside.most = std::max(inside.most, ++inside.now);
  for (int i = 0; i < 10; ++i) co_await asio::post(permits.get_executor(), asio::use_awaitable);
  --inside.now;
  permits.try_send(error_code(), permit);  // gives it back
}
asio::awaitable<int> most_inside(int permits) {
  Channel channel(co_await asio::this_coro::executor, static_cast<std::size_t>(permits));
  for (int permit = 0; permit < permits; ++permit) channel.try_send(error_code(), permit);
  Inside inside;
  TaskScope scope("example", channel.get_executor());
  for (int i = 0; i < 5; ++i) scope.spawn("task", enter, std::ref(channel), std::ref(inside));
  co_await scope.async_join();
  co_return inside.most;
}
asio::awaitable<int> async_mutex() {
  co_return co_await most_inside(1);
}
// [/async-mutex]

// [semaphore]
asio::awaitable<int> semaphore() {
  co_return co_await most_inside(3);
}
// [/semaphore]

// [counting-semaphore]
int counting_semaphore() {
  std::counting_semaphore<3> permits(3);
  int taken = 0;
  while (permits.try_acquire()) ++taken;  // acquire() would block this thread
  return taken;
}
// [/counting-semaphore]

// [bounded-scope]
asio::awaitable<bool> bounded_scope() {
  TaskScope scope("bounded", co_await asio::this_coro::executor, {}, {.max_tasks = 1});
  scope.spawn("first", fail);
  const bool accepted = scope.try_spawn("second", fail).has_value();
  co_await scope.async_join();
  co_return accepted;
}
// [/bounded-scope]

// [rw-lock]
std::string rw_lock() {
  std::shared_mutex mutex;
  const std::shared_lock reader(mutex);
  auto other = std::async(std::launch::async, [&] {
    const bool reads = std::shared_lock(mutex, std::try_to_lock).owns_lock();
    const bool writes = std::unique_lock(mutex, std::try_to_lock).owns_lock();
    return std::string(reads ? "reads" : "waits") + (writes ? ", writes" : ", does not write");
  });
  return other.get();
}
// [/rw-lock]

// [snapshot]
int snapshot() {
  std::atomic<std::shared_ptr<const int>> config = std::make_shared<const int>(1);
  const std::shared_ptr<const int> reader = config.load();  // may be held across a co_await
  config = std::make_shared<const int>(2);
  return *reader;
}
// [/snapshot]

// Time

// [duration]
static_assert(std::chrono::seconds(5) == 5000ms);  // a number without a unit does not compile
bool duration() {
  return std::chrono::seconds(5) == 5000ms;
}
// [/duration]

// [sleep]
asio::awaitable<bool> sleep() {
  Timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);  // the thread runs others meanwhile
  co_return Timer::clock_type::now() >= timer.expiry();
}
// [/sleep]

// [timeout]
asio::awaitable<std::string> timeout() {
  Timer deadline(co_await asio::this_coro::executor, 1ms);
  std::string seen;
  const auto first = co_await (wait_for_ever(seen) || deadline.async_wait(asio::use_awaitable));
  co_return seen + (first.index() == 0 ? "completed" : "timed out");
}
// [/timeout]

// [interval]
asio::awaitable<bool> interval() {
  const auto start = Timer::clock_type::now() - 1h;  // so all ticks are missed ones
  Timer next(co_await asio::this_coro::executor, start);
  for (int tick = 0; tick < 3; ++tick) {
    co_await next.async_wait(asio::use_awaitable);
    next.expires_at(next.expiry() + 1min);  // from the last tick, not from now
  }
  co_return next.expiry() == start + 3min;
}
// [/interval]

}  // namespace

void show_state() {
  show("arc", arc());
  show("std_mutex", std_mutex());
  show("poisoned", poisoned());
  show("mutex_guard", mutex_guard());
  show("async_mutex", run(async_mutex()));
  show("semaphore", run(semaphore()));
  show("counting_semaphore", counting_semaphore());
  show("bounded_scope", run(bounded_scope()));
  show("rw_lock", rw_lock());
  show("snapshot", snapshot());
  show("duration", duration());
  show("sleep", run(sleep()));
  show("timeout", run(timeout()));
  show("interval", run(interval()));
}

}  // namespace dictionary
