// The dictionary: running, blocking, shutdown.
#include <boost/thread/thread.hpp>

#include "dictionary.hpp"
#include <atomic>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <thread>

namespace dictionary {
namespace {

// Running

// [worker-threads]
int worker_threads() {
  asio::thread_pool pool(4);
  std::latch together(4);  // three threads never pass it
  std::atomic<int> passed = 0;
  for (int i = 0; i < 4; ++i) {
    asio::post(pool, [&] {
      together.arrive_and_wait();
      ++passed;
    });
  }
  pool.join();
  return passed;
}
// [/worker-threads]

// [current-thread]
bool current_thread() {
  asio::io_context context;
  bool here = false;
  asio::post(context, [&, caller = std::this_thread::get_id()] {
    here = std::this_thread::get_id() == caller;
  });
  context.run();
  return here;
}
// [/current-thread]

// [arc-runtime]
std::string arc_runtime() {
  const auto runtime = Runtime::start({.threads = 1});
  const std::shared_ptr<Runtime> owner = runtime;  // a clone
  runtime->shutdown();                             // whoever else owns it
  try {
    owner->spawn("late", fail);
  } catch (const boost::system::system_error& refused) {
    return refused.code() == Errc::runtime_shut_down ? "refused" : refused.what();
  }
  return "accepted";
}
// [/arc-runtime]

// [once-lock]
int once_lock() {
  std::once_flag once;
  int filled = 0;
  for (const int generation : {1, 2}) std::call_once(once, [&] { filled = generation; });
  return filled;
}
// [/once-lock]

// [option-take]
std::uint64_t option_take() {
  RuntimeSlot slot({.threads = 1});
  slot.start();
  slot.shutdown();  // tells and waits; take() only takes
  const auto generation = slot.start()->generation();
  slot.shutdown();
  return generation;
}
// [/option-take]

// [no-reactor]
bool no_reactor() {
  asio::thread_pool pool(1);
  pool.join();
  bool ran = false;
  asio::post(pool, [&] { ran = true; });  // accepted without an error
  return ran;
}
// [/no-reactor]

// [tokio-test]
std::size_t tokio_test() {
  asio::io_context context;
  Timer never(context, 1h);
  never.async_wait([](error_code) {});
  asio::post(context, [] {});
  return context.poll();  // runs what is ready, and waits for nothing
}
// [/tokio-test]

// Blocking

// [spawn-blocking]
int spawn_blocking() {
  const auto runtime = Runtime::start({.threads = 1});
  auto result = runtime->spawn_blocking("square", std::multiplies<>(), 7, 7, asio::use_future);
  const int number = result.get();
  runtime->shutdown();
  return number;
}
// [/spawn-blocking]

// [std-async]
int std_async() {
  return std::async(std::launch::async, std::multiplies<>(), 7, 7).get();
}
// [/std-async]

// [thread-sleep]
bool thread_sleep() {
  bool interrupted = false;
  boost::thread sleeper([&] {
    try {
      boost::this_thread::sleep(boost::posix_time::hours(1));
    } catch (const boost::thread_interrupted&) {
      interrupted = true;
    }
  });
  sleeper.interrupt();
  sleeper.join();
  return interrupted;
}
// [/thread-sleep]

// Shutdown

// [drop-runtime]
int drop_runtime() {
  int warnings = 0;
  auto runtime =
      Runtime::start({.threads = 1, .on_warning = [&](std::string_view) { ++warnings; }});
  runtime.reset();  // shuts it down with the default deadlines: somebody forgot
  return warnings;
}
// [/drop-runtime]

// [shutdown-timeout]
asio::awaitable<void> deaf(std::promise<void>& started) {
  Timer never(co_await asio::this_coro::executor, 1h);
  started.set_value();
  co_await never.async_wait(asio::use_awaitable);
}
std::string shutdown_timeout() {
  const auto runtime = Runtime::start({.threads = 1});
  std::promise<void> started;
  runtime->spawn("deaf", deaf, std::ref(started));
  started.get_future().wait();
  const auto report = runtime->shutdown({.wait = 0ms, .interrupt = 1min});
  const auto& straggler = report.stragglers.at(0);
  return straggler.name + ": " + std::string(to_string(straggler.needed));
}
// [/shutdown-timeout]

// [drain]
asio::awaitable<void> listen(CancellationToken token) {
  co_await token.cancelled();
}
asio::awaitable<bool> drain() {
  TaskScope scope("connections", co_await asio::this_coro::executor);
  scope.spawn("listener", listen, scope.token());
  const auto report = co_await scope.async_shutdown({.wait = 30s});
  co_return report.graceful();
}
// [/drain]

// [drop-sender]
bool drop_sender() {
  const CancellationToken token;
  {
    const DropGuard guard(token);
  }
  return token.is_cancelled();
}
// [/drop-sender]

// [drop-join-set]
bool drop_join_set() {
  asio::io_context context;
  auto set = std::make_unique<TaskScope>("set", context.get_executor());
  const CancellationToken token = set->token();
  set.reset();
  return token.is_cancelled();
}
// [/drop-join-set]

}  // namespace

void show_running() {
  show("tokio_main", run(answer()));
  show("worker_threads", worker_threads());
  show("current_thread", current_thread());
  show("arc_runtime", arc_runtime());
  show("once_lock", once_lock());
  show("option_take", option_take());
  show("no_reactor", no_reactor());
  show("tokio_test", tokio_test());
  show("spawn_blocking", spawn_blocking());
  show("std_async", std_async());
  show("thread_sleep", thread_sleep());
  show("drop_runtime", drop_runtime());
  show("shutdown_timeout", shutdown_timeout());
  show("drain", run(drain()));
  show("drop_sender", drop_sender());
  show("drop_join_set", drop_join_set());
}

}  // namespace dictionary
