// stress: everything at once, from several threads, against a simple model of what must hold.
//
//     stress                     two seconds, a seed of its own choice
//     stress --seed N            the same decisions again, thread by thread
//     stress --seconds S
//
// Each generation is a runtime of the slot. Three threads spawn, nest, cancel, close and join at
// random; then the runtime is shut down, by one of three ways, and the books must balance. What is
// random comes from the seed; how the threads interleave does not, so a seed may need several
// tries. Exit code: 0 all generations balanced, 1 one did not (its seed is printed), 2 wrong use.

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/run_until_cancelled.hpp"
#include "runtime_sharing/runtime_slot.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/thread/thread.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace runtime_sharing;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Random = std::mt19937_64;

/// The model: what the library owes us.
struct Books {
  std::atomic<std::size_t> accepted{0};
  std::atomic<std::size_t> begun{0};
  std::atomic<long> frames{0};  ///< that are there at this moment
  std::atomic<bool> shut_down{false};
  std::atomic<std::size_t> begun_too_late{0};
};

/// In the frame of every task: counted in, counted out.
class Entry {
 public:
  explicit Entry(Books& books) : books_(books) {
    ++books_.begun;
    ++books_.frames;
    if (books_.shut_down) ++books_.begun_too_late;
  }
  ~Entry() { --books_.frames; }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

 private:
  Books& books_;
};

/// What one generation works on. The lists only grow.
class World {
 public:
  World(std::shared_ptr<Runtime> started, Books& its_books, bool everybody_listens)
      : runtime(std::move(started)), books(its_books), all_listen(everybody_listens) {
    scopes_.push_back(std::make_shared<TaskScope>("session", runtime->scope()));
    scopes_.push_back(std::make_shared<TaskScope>(
        "bounded", runtime->scope(),
        ScopeLimits{.on_failure = FailurePolicy::keep_going, .max_tasks = 3}));
    tokens_.push_back(runtime->token());
  }

  std::shared_ptr<TaskScope> scope(Random& random) {
    const std::lock_guard lock(mutex_);
    return scopes_[random() % scopes_.size()];
  }
  CancellationToken token(Random& random) {
    const std::lock_guard lock(mutex_);
    return tokens_[random() % tokens_.size()];
  }
  std::optional<TaskHandle> handle(Random& random) {
    const std::lock_guard lock(mutex_);
    if (handles_.empty()) return std::nullopt;
    return handles_[random() % handles_.size()];
  }
  void add(std::shared_ptr<TaskScope> scope) {
    const std::lock_guard lock(mutex_);
    if (scopes_.size() < 12) scopes_.push_back(std::move(scope));
  }
  void add(CancellationToken token) {
    const std::lock_guard lock(mutex_);
    tokens_.push_back(std::move(token));
  }
  void add(TaskHandle handle) {
    const std::lock_guard lock(mutex_);
    handles_.push_back(std::move(handle));
  }

  const std::shared_ptr<Runtime> runtime;
  Books& books;
  const bool all_listen;  // no task needs more than to be told

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<TaskScope>> scopes_;
  std::vector<CancellationToken> tokens_;
  std::vector<TaskHandle> handles_;
};

asio::awaitable<void> sleep(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

enum class Kind {
  quick,
  busy,
  listens,
  bound,
  raced,
  deaf,
  stubborn,
  throws,
  waits_for_scope,
  spins,
  end
};

asio::awaitable<void> live(Books& books, Kind kind, CancellationToken token, TaskScope& parent) {
  const Entry entry(books);
  switch (kind) {
    case Kind::quick:
      break;
    case Kind::busy:
      for (int i = 0; i < 20 && !token.is_cancelled(); ++i)
        co_await asio::post(asio::use_awaitable);
      break;
    case Kind::listens:
      co_await token.cancelled();
      break;
    case Kind::bound: {
      asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
      co_await timer.async_wait(cancel_on(token, asio::as_tuple(asio::use_awaitable)));
      co_await asio::post(asio::use_awaitable);  // a clean-up that awaits
      break;
    }
    case Kind::raced:
      co_await run_until_cancelled(token, sleep(1h));
      break;
    case Kind::deaf:
      co_await sleep(1h);
      break;
    case Kind::stubborn:
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      co_await sleep(1h);
      break;
    case Kind::throws:
      co_await asio::post(asio::use_awaitable);
      throw std::runtime_error("on purpose");
    case Kind::waits_for_scope: {
      TaskScope below("below", parent);
      for (int i = 0; i < 3; ++i) {
        const auto listen = [&books, token]() -> asio::awaitable<void> {
          const Entry below_entry(books);
          co_await token.cancelled();
        };
        if (below.try_spawn("below", listen)) ++books.accepted;
      }
      below.close();
      co_await below.async_wait();
      break;
    }
    case Kind::spins:
      while (!token.is_cancelled()) std::this_thread::yield();
      break;
    case Kind::end:
      break;
  }
}

constexpr const char* name_of(Kind kind) {
  constexpr const char* names[] = {"quick", "busy",     "listens", "bound",           "raced",
                                   "deaf",  "stubborn", "throws",  "waits for scope", "spins"};
  return names[static_cast<unsigned>(kind)];
}

void spawn_one(World& world, Random& random) {
  // Few of those that hold a thread or need the later rungs.
  auto kind = static_cast<Kind>(random() % static_cast<unsigned>(Kind::end));
  if ((kind == Kind::spins || kind == Kind::stubborn) && random() % 8 != 0) kind = Kind::busy;
  if ((kind == Kind::deaf || kind == Kind::stubborn) && world.all_listen) kind = Kind::listens;
  auto scope = world.scope(random);
  auto token = kind == Kind::spins ? scope->token() : world.token(random);
  auto& books = world.books;
  const auto task = [&books, kind, token, scope] { return live(books, kind, token, *scope); };
  switch (random() % 3) {
    case 0:
      if (auto handle = scope->try_spawn(name_of(kind), task)) {
        ++books.accepted;
        world.add(*handle);
      }
      return;
    case 1:
      scope->async_spawn(name_of(kind), task,
                         asio::bind_executor(world.runtime->get_executor(),
                                             [&books](boost::system::error_code error, auto) {
                                               if (!error) ++books.accepted;
                                             }));
      return;
    default:
      try {
        world.add(scope->spawn(name_of(kind), task));
        ++books.accepted;
      } catch (const boost::system::system_error&) {
        // Refused: it must never run.
      }
  }
}

void act(World& world, Random& random) {
  switch (random() % 16) {
    case 0:
      world.add(world.token(random).child_token());
      break;
    case 1:
      if (const auto token = world.token(random);
          random() % 4 == 0 && token != world.runtime->token())
        token.cancel();
      break;
    case 2:
      world.add(std::make_shared<TaskScope>("child", *world.scope(random)));
      break;
    case 3:
      if (random() % 6 == 0) world.scope(random)->close();
      break;
    case 4:
      if (random() % 6 == 0) world.scope(random)->token().cancel();
      break;
    case 5:
      if (const auto handle = world.handle(random)) {
        handle->async_join(
            asio::bind_executor(world.runtime->get_executor(), [](const std::exception_ptr&) {}));
        if (random() % 2 == 0) handle->interrupt();
      }
      break;
    case 6: {
      const auto token = world.token(random);
      const CancellationCallback callback(token, [token] { token.cancel(); });
      break;
    }
    case 7: {
      const auto stop = world.token(random).stop_token();
      const CancellationToken linked(stop);
      world.add(linked.child_token());
      break;
    }
    case 8:
      world.runtime->spawn_blocking(
          "blocking",
          [&accepted = world.books.accepted] {
            ++accepted;
            for (int i = 0; i < 50; ++i) boost::this_thread::interruption_point();
          },
          [](const std::exception_ptr&) {});
      break;
    default:
      spawn_one(world, random);
  }
}

ShutdownReport shut_down(RuntimeSlot& slot, Random& random, bool all_listen) {
  const auto few = [&] { return std::chrono::milliseconds(random() % 4); };
  const Deadlines deadlines = all_listen ? Deadlines{20s, 0s, 20s} : Deadlines{few(), few(), 20s};
  switch (random() % 3) {
    case 0:
      return slot.shutdown(deadlines);
    case 1: {  // twice at once
      ShutdownReport other;
      const auto runtime = slot.current();
      std::thread second([&] { other = runtime->shutdown(deadlines); });
      auto report = slot.shutdown(deadlines);
      second.join();
      if (other.tasks_total != report.tasks_total) throw std::logic_error("two reports differ");
      return report;
    }
    default:
      return slot.async_shutdown(deadlines, asio::use_future).get();
  }
}

void check(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error(what);
}

void live_a_generation(RuntimeSlot& slot, std::uint64_t seed) {
  Random random(seed);
  Books books;
  ShutdownReport report;
  const bool all_listen = random() % 3 == 0;
  {
    auto world = std::make_unique<World>(slot.start(), books, all_listen);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&world, own_seed = random()] {
        Random own(own_seed);
        for (int step = 0; step < 60; ++step) act(*world, own);
      });
    }
    if (random() % 2 == 0) {
      for (auto& thread : threads) thread.join();
      threads.clear();
    }
    report = shut_down(slot, random, all_listen);  // perhaps while they go on
    books.shut_down = true;
    for (auto& thread : threads) thread.join();
  }
  if (all_listen && !report.graceful()) {
    std::cerr << report << '\n';
    throw std::logic_error("a task that listens was not told");
  }
  check(report.threads_abandoned == 0, "a thread was abandoned that would have returned");
  check(books.begun_too_late == 0, "a task began after the shutdown had returned");
  check(books.frames == 0, std::to_string(books.frames) + " frames are left");
  check(books.begun <= report.tasks_total, "more tasks began than were accepted");
  check(books.accepted <= report.tasks_total, "an accepted task is not in the report");
}

std::uint64_t number_after(const std::string& flag, int argc, char** argv,
                           std::uint64_t otherwise) {
  for (int i = 1; i + 1 < argc; i += 2) {
    if (argv[i] == flag) return std::stoull(argv[i + 1]);
  }
  return otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = 0;
  try {
    for (int i = 1; i < argc; i += 2) {
      const std::string flag = argv[i];
      if ((flag != "--seed" && flag != "--seconds") || i + 1 == argc)
        throw std::invalid_argument(flag);
    }
    seed = number_after("--seed", argc, argv, std::random_device()());
    const auto seconds = number_after("--seconds", argc, argv, 2);
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    RuntimeSlot slot({.name = "stress", .threads = 2});
    Random seeds(seed);
    int generations = 0;
    do {
      live_a_generation(slot, seeds());
      ++generations;
    } while (Clock::now() < end);
    std::cout << "seed " << seed << ": " << generations << " generations, all balanced\n";
    return 0;
  } catch (const std::invalid_argument& error) {
    std::cerr << "stress: '" << error.what() << "' is not understood; use --seed N, --seconds S\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "stress: " << error.what() << "; again by: stress --seed " << seed << '\n';
    return 1;
  }
}
