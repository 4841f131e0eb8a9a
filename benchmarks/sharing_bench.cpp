// sharing_bench · what it costs to get at the shared runtime, by one thread and by several
// Run       sharing_bench
// Each      one use: get hold of the runtime, ask it one cheap thing, let go
// Why       docs/benchmarks.md

#include "broken-example/mutex_problem/runtime.hpp"
#include "runtime_sharing/runtime_slot.hpp"

#include <boost/asio/thread_pool.hpp>
#include <boost/smart_ptr/atomic_shared_ptr.hpp>

#include <atomic>
#include <benchmark/benchmark.h>
#include <memory>

namespace {

namespace asio = boost::asio;
using runtime_sharing::Runtime;
using runtime_sharing::RuntimeSlot;
using runtime_sharing::TaskScope;

/// What every use is: cheap, without a lock, and not to be left out by the compiler.
void use(const Runtime& runtime) {
  benchmark::DoNotOptimize(runtime.generation());
}

/// The runtime and each way to share it, made once for all threads of all benchmarks.
struct Shared {
  Shared() {
    boost_atomic.store(boost::shared_ptr<Runtime>(runtime.get(), [](Runtime*) {}));
    guarded.runtime.emplace(1, threads);
  }
  ~Shared() { slot.shutdown(); }

  RuntimeSlot slot{{.threads = 2}};
  const std::shared_ptr<Runtime> runtime = slot.start();
  std::atomic<std::shared_ptr<Runtime>> std_atomic{runtime};
  boost::atomic_shared_ptr<Runtime> boost_atomic;
  scenario::ThreadCensus threads;
  mutex_problem::GuardedRuntime guarded;
};

Shared& shared() {
  static Shared instance;
  return instance;
}

void pointer_that_the_component_keeps(benchmark::State& state) {
  const std::shared_ptr<Runtime> own = shared().runtime;
  for (auto _ : state) use(*own);
}

void copy_of_the_shared_ptr(benchmark::State& state) {
  const auto& runtime = shared().runtime;
  for (auto _ : state) {
    const auto copy = runtime;
    use(*copy);
  }
}

void std_atomic_shared_ptr(benchmark::State& state) {
  for (auto _ : state) use(*shared().std_atomic.load());
}

void boost_atomic_shared_ptr(benchmark::State& state) {
  for (auto _ : state) use(*shared().boost_atomic.load());
}

void runtime_slot_current(benchmark::State& state) {
  for (auto _ : state) use(*shared().slot.current());
}

/// mutex_problem's way that is right: lock, look, use, unlock.
void mutex_and_optional(benchmark::State& state) {
  auto& guarded = shared().guarded;
  for (auto _ : state) {
    const boost::lock_guard<mutex_problem::ObservedMutex> guard(guarded.mutex);
    if (guarded.runtime) {
      benchmark::DoNotOptimize(guarded.runtime->get_executor().running_in_this_thread());
    }
  }
}

/// Each thread is a component with a scope of its own, and spawns tasks that end at once.
void spawn_into_a_scope_of_ones_own(benchmark::State& state) {
  TaskScope scope("component", shared().runtime->scope());
  for (auto _ : state) scope.spawn("task", []() -> asio::awaitable<void> { co_return; });
  scope.close();
  scope.wait_until(std::chrono::steady_clock::now() + std::chrono::minutes(1));
}

/// The floor under that: Asio's queue, which has one lock for all.
void post_to_a_thread_pool(benchmark::State& state) {
  static asio::thread_pool pool(2);
  for (auto _ : state) asio::post(pool, [] {});
}

BENCHMARK(pointer_that_the_component_keeps)->ThreadRange(1, 8)->UseRealTime();
BENCHMARK(copy_of_the_shared_ptr)->ThreadRange(1, 8)->UseRealTime();
BENCHMARK(std_atomic_shared_ptr)->ThreadRange(1, 8)->UseRealTime();
BENCHMARK(boost_atomic_shared_ptr)->ThreadRange(1, 8)->UseRealTime();
BENCHMARK(runtime_slot_current)->ThreadRange(1, 8)->UseRealTime();
BENCHMARK(mutex_and_optional)->ThreadRange(1, 8)->UseRealTime();
BENCHMARK(spawn_into_a_scope_of_ones_own)->ThreadRange(1, 2)->Iterations(50'000)->UseRealTime();
BENCHMARK(post_to_a_thread_pool)->ThreadRange(1, 2)->Iterations(50'000)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
