// What people try when a lock across co_await blocks. Each changes who waits, or who may enter.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/thread/lock_guard.hpp>
#include <boost/thread/lock_types.hpp>
#include <boost/thread/recursive_mutex.hpp>

#include "experiments.hpp"
#include <algorithm>
#include <array>

namespace mutex_problem {
namespace {

using asio::ip::tcp;

/// What the two sides of the recursive mutex see. Used on the runtime's one thread, except where
/// the window waits for a flag.
struct Recursive {
  boost::recursive_mutex mutex;
  std::optional<Runtime> runtime;  // guarded by mutex, one should think
  std::optional<Runtime> taken;
  int inside = 0;
  int most_inside = 0;
  bool gone_under_the_guard = false;
  std::atomic<bool> was_taken{false};
  std::atomic<bool> ended{false};
};

asio::awaitable<void> hold_across_a_read(Recursive& shared, tcp::endpoint server) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  {
    // [tidy-guard]
    const boost::unique_lock<boost::recursive_mutex> guard(shared.mutex);
    // [/tidy-guard]
    shared.most_inside = std::max(shared.most_inside, ++shared.inside);
    // [tidy-suspension]
    co_await asio::async_write(socket, asio::buffer("alice\n", 6), asio::use_awaitable);
    std::array<char, 1> byte{};
    co_await socket.async_read_some(asio::buffer(byte), asio::use_awaitable);
    // [/tidy-suspension]
    shared.gone_under_the_guard = !shared.runtime.has_value();
    --shared.inside;
  }
  shared.ended = true;
}

void take_the_runtime(Recursive& shared) {
  const scenario::recording::Turn turn(&shared, "taker");
  const boost::lock_guard<boost::recursive_mutex> guard(shared.mutex);
  shared.most_inside = std::max(shared.most_inside, ++shared.inside);
  shared.taken.emplace(std::move(*shared.runtime));
  shared.runtime.reset();
  --shared.inside;
  shared.was_taken = true;
}

// "Then make it a recursive mutex." The deadlock is gone, and so is the exclusion: a recursive
// mutex keeps other threads out, and the other task runs on the same thread. It walks in and takes
// away what the first one holds the guard for.
Experiment fix_recursive_mutex() {
  return session(
      {.name = "fix-recursive-mutex",
       .expected = Outcome::undefined,
       .summary = "wrong fix: a recursive mutex",
       .facts = {is("runtime_gone_under_the_guard", true), is("tasks_inside_at_once", 2)}},
      [](Surroundings& surroundings, Client&) -> asio::awaitable<Observation> {
        surroundings.homeserver.fall_silent();
        auto& shared = *new Recursive;
        shared.runtime.emplace(1, surroundings.threads);
        const auto executor = shared.runtime->get_executor();
        asio::co_spawn(executor, hold_across_a_read(shared, surroundings.homeserver.endpoint()),
                       Task{"event receiver"});
        co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });

        asio::post(executor, [&shared] { take_the_runtime(shared); });
        co_await surroundings.ui.until([&] { return shared.was_taken.load(); });
        surroundings.homeserver.push(one_event);
        surroundings.homeserver.speak();
        co_await surroundings.ui.until([&] { return shared.ended.load(); });

        co_return Observation{shared.gone_under_the_guard ? Outcome::undefined : Outcome::finished,
                              {{"runtime_gone_under_the_guard", shared.gone_under_the_guard},
                               {"tasks_inside_at_once", shared.most_inside}}};
      });
}

/// Used on the runtime's one thread, except where the window waits for a flag.
struct Contended {
  explicit Contended(Runtime& runtime) : socket(runtime.get_executor()) {}

  ObservedMutex mutex;
  tcp::socket socket;
  std::atomic<bool> held{false};
  std::atomic<bool> resumed{false};
  std::atomic<bool> gave_up{false};
  bool resumed_meanwhile = false;
  int attempts = 0;
};

asio::awaitable<void> hold_for_an_answer(Contended& shared, tcp::endpoint server) {
  co_await shared.socket.async_connect(server, asio::use_awaitable);
  {
    // [tidy-guard]
    const boost::unique_lock<ObservedMutex> guard(shared.mutex);
    // [/tidy-guard]
    // [tidy-suspension]
    co_await asio::async_write(shared.socket, asio::buffer("alice\n", 6), asio::use_awaitable);
    shared.held = true;
    std::array<char, 1> byte{};
    co_await shared.socket.async_read_some(asio::buffer(byte), asio::use_awaitable);
    // [/tidy-suspension]
  }
  shared.resumed = true;
}

/// Gives up, where the field goes on for ever, a thousand attempts after the answer has come.
void spin_for_the_lock(Contended& shared) {
  const scenario::recording::Turn turn(&shared, "spinner");
  int attempts_since_the_answer = 0;
  while (!shared.mutex.try_lock()) {
    ++shared.attempts;
    if (shared.socket.available() > 0 && ++attempts_since_the_answer == 1000) {
      shared.resumed_meanwhile = shared.resumed;
      shared.gave_up = true;
      return;
    }
  }
  shared.mutex.unlock();
  shared.gave_up = true;
}

// "Then do not block: try_lock() until it succeeds." Nobody is blocked, the thread is busy, and the
// holder starves: its answer is there, and the one thread that could resume it is spinning.
Experiment fix_try_lock() {
  return session({.name = "fix-try-lock",
                  .expected = Outcome::starved,
                  .summary = "wrong fix: spin with try_lock()",
                  .facts = {at_least("attempts", 1000), is("holder_resumed_meanwhile", false),
                            is("holder_resumed_afterwards", true)}},
                 [](Surroundings& surroundings, Client&) -> asio::awaitable<Observation> {
                   surroundings.homeserver.fall_silent();
                   auto& runtime = *new Runtime(1, surroundings.threads);
                   auto& shared = *new Contended(runtime);
                   asio::co_spawn(runtime.get_executor(),
                                  hold_for_an_answer(shared, surroundings.homeserver.endpoint()),
                                  Task{"event receiver"});
                   co_await surroundings.ui.until(
                       [&] { return shared.held && surroundings.homeserver.sign_ins() == 1; });

                   asio::post(runtime.get_executor(), [&shared] { spin_for_the_lock(shared); });
                   surroundings.homeserver.push(one_event);
                   surroundings.homeserver.speak();
                   co_await surroundings.ui.until([&] { return shared.gave_up.load(); });
                   co_await surroundings.ui.until([&] { return shared.resumed.load(); });

                   const bool starved = shared.attempts >= 1000 && !shared.resumed_meanwhile;
                   co_return Observation{starved ? Outcome::starved : Outcome::finished,
                                         {{"attempts", shared.attempts},
                                          {"holder_resumed_meanwhile", shared.resumed_meanwhile},
                                          {"holder_resumed_afterwards", shared.resumed.load()}}};
                 });
}

}  // namespace

std::vector<Experiment> wrong_fixes() {
  return {fix_recursive_mutex(), fix_try_lock()};
}

}  // namespace mutex_problem
