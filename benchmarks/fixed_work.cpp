#include "benchmarks/fixed_work.hpp"

#include <boost/asio/post.hpp>

#include <string>

namespace bench {

namespace asio = boost::asio;
using runtime_sharing::CancellationToken;

FixedWork::FixedWork() {
  CancellationToken warm_up;
  scope_.spawn("warm-up", [warm_up]() -> Awaitable { co_await warm_up.cancelled(); });
  run_what_is_ready();
  warm_up.cancel();
  scope_.spawn("warm-up", [this] { return take_steps(1); });
  run_what_is_ready();
  scope_.spawn("steps", [this]() -> Awaitable {
    co_await steps_may_begin_.cancelled();
    co_await take_steps(tasks);
  });
  run_what_is_ready();
}

void FixedWork::spawn() {
  for (int i = 0; i < tasks; ++i) {
    scope_.spawn("task-" + std::to_string(i),
                 [token = scope_.token()]() -> Awaitable { co_await token.cancelled(); });
  }
}

void FixedWork::wait() {
  run_what_is_ready();
}

void FixedWork::cancel() {
  scope_.token().cancel();
}

void FixedWork::finish() {
  run_what_is_ready();
}

void FixedWork::cancel_on() {
  steps_may_begin_.cancel();
  run_what_is_ready();
}

FixedWork::Awaitable FixedWork::take_steps(int steps) {
  const CancellationToken never;
  for (int i = 0; i < steps; ++i) co_await asio::post(runtime_sharing::cancel_on(never));
}

void FixedWork::run_what_is_ready() {
  context_.restart();
  context_.poll();
}

}  // namespace bench
