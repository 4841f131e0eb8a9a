// 20 the runtime is a static · a slot in main makes one per login, and ends each
// Group     The runtime, its start and its end
// Symptom   "the second login gets a dead runtime", and a crash after main
// Expected  second_generation 2 · second_task_ran yes · log_at_goodbye alive
// Why       What main owns can be ended, made again, and is gone before any static is destroyed.
#include <boost/asio.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

namespace asio = boost::asio;

const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };

bool log_is_alive = true;  // a bool has no destructor: it may be read after main
struct Log {
  ~Log() { log_is_alive = false; }
  std::vector<std::string> lines = {"the first line"};
};
Log& log() {
  static Log lines;
  return lines;
}

struct Goodbye {  // in a task's frame: says goodbye when the frame is destroyed
  ~Goodbye() {
    show("log_at_goodbye", log_is_alive ? "alive" : "destroyed");
#ifndef __SANITIZE_ADDRESS__  // undefined, and silent on most days: only a checked build does it
    if (!log_is_alive) return;
#endif
    log().lines.emplace_back("goodbye");
  }
};

int runtimes_made = 0;
struct Runtime {
  asio::io_context context;
  const int generation = ++runtimes_made;
};

// [slot]
struct Slot {
  Runtime& start() {
    runtime = std::make_unique<Runtime>();
    return *runtime;
  }
  void end() { runtime.reset(); }
  std::unique_ptr<Runtime> runtime;
};
// [/slot]

asio::awaitable<void> session() {
  log().lines.emplace_back("hello");
  Goodbye goodbye;
  co_await asio::steady_timer(co_await asio::this_coro::executor, std::chrono::hours(1))
      .async_wait(asio::use_awaitable);
}

asio::awaitable<void> second(bool& ran) {
  ran = true;
  co_return;
}

int main() {
  bool ran = false;
  Slot slot;
  Runtime& alice = slot.start();
  asio::co_spawn(alice.context, session(), asio::detached);
  alice.context.poll();
  slot.end();
  Runtime& bob = slot.start();
  asio::co_spawn(bob.context, second(ran), asio::detached);
  bob.context.poll();
  show("second_generation", bob.generation);
  show("second_task_ran", ran ? "yes" : "no");
  slot.end();
}
