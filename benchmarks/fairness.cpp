#include "benchmarks/fairness.hpp"

#include "runtime_sharing/runtime.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <semaphore>
#include <stdexcept>
#include <vector>

namespace bench {
namespace {

namespace asio = boost::asio;

constexpr int yielding_tasks = 8;
constexpr std::size_t arrivals = 1000;

struct Turns {
  std::atomic<std::uint64_t> taken{0};
  std::atomic<bool> enough{false};
};

asio::awaitable<void> yield_for_ever(Turns& turns) {
  const auto executor = co_await asio::this_coro::executor;
  while (!turns.enough) {
    turns.taken.fetch_add(1, std::memory_order_relaxed);
    co_await asio::post(executor, asio::use_awaitable);
  }
}

asio::awaitable<void> arrive(Turns& turns, std::uint64_t& at, std::binary_semaphore& arrived) {
  at = turns.taken.load(std::memory_order_relaxed);
  arrived.release();
  co_return;
}

/// `spawn` takes a coroutine's function and its arguments.
template <typename Spawn>
boost::json::object measure(Turns& turns, Spawn spawn) {
  for (int i = 0; i < yielding_tasks; ++i) spawn(&yield_for_ever, std::ref(turns));
  std::vector<std::uint64_t> waited;
  for (std::size_t i = 0; i < arrivals; ++i) {
    std::binary_semaphore arrived(0);
    std::uint64_t at = 0;
    const auto before = turns.taken.load();
    spawn(&arrive, std::ref(turns), std::ref(at), std::ref(arrived));
    arrived.acquire();
    waited.push_back(at - before);
  }
  turns.enough = true;
  std::ranges::sort(waited);
  return {{"turns_median", waited[arrivals / 2]}, {"turns_99", waited[arrivals * 99 / 100]}};
}

boost::json::object fairness_of_ours() {
  Turns turns;
  const auto runtime = runtime_sharing::Runtime::start({.threads = Work::threads});
  const auto facts = measure(turns, [&]<typename... Arguments>(Arguments... arguments) {
    runtime->spawn("task", arguments...);
  });
  runtime->shutdown();
  return facts;
}

boost::json::object fairness_of_asio() {
  Turns turns;
  asio::thread_pool pool(Work::threads);
  auto facts = measure(turns, [&](auto function, auto... arguments) {
    asio::co_spawn(pool, function(arguments...), asio::detached);
  });
  pool.join();
  return facts;
}

}  // namespace

boost::json::object fairness(const Work& work) {
  if (work.program == "ours") return fairness_of_ours();
  if (work.program == "asio-signal") return fairness_of_asio();
  throw std::invalid_argument("no fairness of '" + work.program + "'");
}

}  // namespace bench
