// price_bench · what it costs to be cancellable, while nobody cancels
// Run       price_bench
// Each      a look at the token; one step `co_await post`, bare, with the token bound to it, and
//           raced with the token or a timer; the same with 10,000 others waiting on that token
// Why       docs/benchmarks.md

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/task_scope.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <benchmark/benchmark.h>
#include <stop_token>
#include <string>

namespace {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;
using runtime_sharing::TaskScope;

void look_at_our_token(benchmark::State& state) {
  const CancellationToken token;
  for (auto _ : state) benchmark::DoNotOptimize(token.is_cancelled());
}

void look_at_a_stop_token(benchmark::State& state) {
  const std::stop_source source;
  const std::stop_token token = source.get_token();
  for (auto _ : state) benchmark::DoNotOptimize(token.stop_requested());
}

/// Runs `steps(state, token)` as a task of a scope, while `state.range(0)` other tasks wait on the
/// scope's token; all on this thread.
template <typename Steps>
void run_in_scope(benchmark::State& state, Steps steps) {
  asio::io_context context(1);
  TaskScope scope("bench", context.get_executor());
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    scope.spawn("task-" + std::to_string(i),
                [&scope]() -> asio::awaitable<void> { co_await scope.token().cancelled(); });
  }
  context.poll();
  context.restart();
  scope.spawn("steps", [&]() -> asio::awaitable<void> {
    co_await steps(state, scope.token());
    scope.token().cancel();
  });
  scope.close();
  context.run();
}

/// The same in a coroutine of raw Asio, on a strand.
template <typename Steps>
void run_in_strand(benchmark::State& state, Steps steps) {
  asio::io_context context(1);
  asio::co_spawn(asio::make_strand(context), steps(state), asio::detached);
  context.run();
}

void step_bare(benchmark::State& state) {
  run_in_scope(state, [](auto& steps, CancellationToken) -> asio::awaitable<void> {
    for (auto _ : steps) co_await asio::post(asio::use_awaitable);
  });
}

void step_bound(benchmark::State& state) {
  run_in_scope(state, [](auto& steps, CancellationToken token) -> asio::awaitable<void> {
    for (auto _ : steps) co_await asio::post(cancel_on(token));
  });
}

void step_raced_with_the_token(benchmark::State& state) {
  run_in_scope(state, [](auto& steps, CancellationToken token) -> asio::awaitable<void> {
    for (auto _ : steps)
      co_await (asio::post(asio::use_awaitable) || token.cancelled(asio::use_awaitable));
  });
}

void raw_step_bare(benchmark::State& state) {
  run_in_strand(state, [](auto& steps) -> asio::awaitable<void> {
    for (auto _ : steps) co_await asio::post(asio::use_awaitable);
  });
}

void raw_step_with_a_slot(benchmark::State& state) {
  run_in_strand(state, [](auto& steps) -> asio::awaitable<void> {
    asio::cancellation_signal signal;
    for (auto _ : steps) {
      co_await asio::post(asio::bind_cancellation_slot(signal.slot(), asio::use_awaitable));
    }
  });
}

void raw_step_raced_with_a_timer(benchmark::State& state) {
  run_in_strand(state, [](auto& steps) -> asio::awaitable<void> {
    for (auto _ : steps) {
      asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
      co_await (asio::post(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    }
  });
}

constexpr std::int64_t one_other = 1;
constexpr std::int64_t many_others = 10'000;

BENCHMARK(look_at_our_token);
BENCHMARK(look_at_a_stop_token);
BENCHMARK(step_bare)->Arg(one_other);
BENCHMARK(step_bound)->Arg(one_other)->Arg(many_others);
BENCHMARK(step_raced_with_the_token)->Arg(one_other)->Arg(many_others);
BENCHMARK(raw_step_bare);
BENCHMARK(raw_step_with_a_slot);
BENCHMARK(raw_step_raced_with_a_timer);

}  // namespace

BENCHMARK_MAIN();
