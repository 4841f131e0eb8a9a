// 2_wait · logout returns when no task is left
// Run       g++ -std=c++20 -O1 2_wait.cpp -o 2_wait -pthread && ./2_wait
// Expected  sample_stored yes · tasks_end before logout returns · late_task accepted, unseen ·
//           deaf_task holds the logout · relogin the old runtime
// Why       docs/00-from-nothing-to-the-fix.md        Next  3_refuse.cpp mends late_task
#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <condition_variable>
#include <future>
#include <iostream>
#include <set>

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;
using Lock = std::unique_lock<std::mutex>;
using Timer = asio::steady_timer;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);  // an error is no exception

struct Engine {  // runs the tasks, and may end before the runtime's owners let go
  asio::thread_pool pool{2};
  asio::any_io_executor strand = asio::make_strand(pool);  // one task at a time, on any thread
  Timer token{strand, Timer::time_point::max()};  // fires when the tasks are told, and stays fired
};

struct Runtime {
  bool spawn(const std::string& name, asio::awaitable<void> task) {
    const Lock door(mutex);
    running.insert(name);
    asio::post(engine->strand, [this, name, task = std::move(task)]() mutable {  // not under lock
      asio::co_spawn(engine->strand, std::move(task), [this, name](std::exception_ptr) {
        const Lock lock(mutex);
        running.erase(running.find(name));
        changed.notify_all();
      });
    });
    return true;
  }
  void tell() {
    asio::post(engine->strand, [this] { engine->token.expires_after(0s); });
  }
  asio::awaitable<void> told() { co_await engine->token.async_wait(as_result); }
  std::mutex mutex;  // guards all below but the engine; a task needs it to store, and to end
  std::multiset<std::string> running, stragglers;
  std::condition_variable changed;
  int stored = 0;
  std::unique_ptr<Engine> engine = std::make_unique<Engine>();
};
using Owner = std::shared_ptr<Runtime>;

asio::awaitable<void> sample(Owner runtime) {  // has a sample that must be stored
  Timer next(runtime->engine->strand, 1h);
  co_await (next.async_wait(as_result) || runtime->told());
  const Lock lock(runtime->mutex);
  ++runtime->stored;
}

asio::awaitable<void> receive(Owner runtime) {  // waits for a server that never writes
  asio::readable_pipe input(runtime->engine->strand);
  asio::writable_pipe server(runtime->engine->strand);
  asio::connect_pipe(input, server);
  char byte = 0;
  co_await (input.async_read_some(asio::buffer(&byte, 1), as_result) || runtime->told());
}

asio::awaitable<void> deaf(Owner runtime) {  // waits, and listens to nobody
  co_await Timer(runtime->engine->strand, 1h).async_wait(as_result);
}

bool login(Owner& slot) {
  if (!slot) slot = std::make_shared<Runtime>();
  return slot->spawn("sample", sample(slot)) && slot->spawn("receive", receive(slot));
}

void logout(Owner& slot, Lock& lock) {
  slot->tell();
  slot->changed.wait(lock, [&] { return slot->running.empty(); });
}

// The same in all steps, from here on. What has not happened after 5 s is called never.
Lock log_out(Owner& slot) {
  Lock lock(slot->mutex);  // held: no task can store or end, except where logout waits
  logout(slot, lock);
  return lock;
}

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Owner slot;
  login(slot);
  const Owner first = slot;  // the window's clock holds it too, and never lets go
  Lock lock = log_out(slot);
  show("sample_stored", first->stored > 0 ? "yes" : "no");
  const bool in_time = first->running.empty();
  const bool at_all = first->changed.wait_for(lock, 5s, [&] { return first->running.empty(); });
  show("tasks_end", in_time ? "before logout returns" : at_all ? "too late" : "never");
  lock.unlock();
  show("late_task", first->spawn("late", sample(first)) ? "accepted, unseen" : "refused");
  Owner other = std::make_shared<Runtime>(), second = other;  // of another user, with a deaf task
  second->spawn("deaf", deaf(second));
  auto logging_out = std::async(std::launch::async, [&] { log_out(other); });
  const bool returned = logging_out.wait_for(5s) == std::future_status::ready;
  const bool named = returned && !second->engine && second->stragglers.contains("deaf");
  show("deaf_task", named ? "named and ended" : returned ? "runs on" : "holds the logout");
  const auto fresh = first.use_count() > 1 ? "two at once" : "clean";
  show("relogin", !login(slot) ? "refused" : slot == first ? "the old runtime" : fresh);
  if (!named) std::quick_exit(0);  // what runs on cannot be joined
  if (const Owner third = slot; third != first) log_out(slot);
}
