#include "benchmarks/logout.hpp"

#include "broken-example/mutex_problem/runtime.hpp"
#include "runtime_sharing/runtime.hpp"
#include "scenario/ui_loop.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "benchmarks/observer.hpp"
#include <stdexcept>

namespace bench {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// What is measured is the window, not a deadline.
constexpr runtime_sharing::Deadlines patient{10min, 1min, 1min};

/// A session whose tasks are parked; the window's loop runs `end`.
template <typename End>
boost::json::object measure(scenario::UiLoop& ui, Observer& observer, End end) {
  observer.wait_until_all_are_parked();
  Clock::duration took{};
  ui.run([](scenario::UiLoop& loop, End& logout, Clock::duration& taken) -> asio::awaitable<void> {
    // Two beats, so that the heart is known to beat.
    const int beats = loop.beats();
    co_await loop.until([&loop, beats] { return loop.beats() >= beats + 2; });
    loop.forget_freezes();
    const auto begun = Clock::now();
    co_await logout();
    taken = Clock::now() - begun;
  }(ui, end, took));
  return {{"freeze_ms", ui.longest_freeze_ms()},
          {"logout_ms", std::chrono::duration<double, std::milli>(took).count()}};
}

boost::json::object log_out_of_ours(const Work& work) {
  scenario::UiLoop ui;
  Observer observer(work.tasks);
  const auto runtime = runtime_sharing::Runtime::start({.threads = Work::threads});
  for (std::size_t i = 0; i < work.tasks; ++i) {
    runtime->spawn("task-" + std::to_string(i), [&observer, token = runtime->token()] {
      return [](Observer& tell, runtime_sharing::CancellationToken told) -> asio::awaitable<void> {
        tell.parked();
        co_await told.cancelled();
      }(observer, token);
    });
  }
  return measure(ui, observer, [&runtime]() -> asio::awaitable<void> {
    co_await runtime->async_shutdown(patient);
  });
}

asio::awaitable<void> park(Observer& observer) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  observer.parked();
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

boost::json::object log_out_of_mutex(const Work& work) {
  scenario::UiLoop ui;
  scenario::ThreadCensus threads;
  Observer observer(work.tasks);
  mutex_problem::GuardedRuntime shared;
  shared.runtime.emplace(Work::threads, threads);
  for (std::size_t i = 0; i < work.tasks; ++i) {
    const boost::lock_guard<mutex_problem::ObservedMutex> guard(shared.mutex);
    asio::co_spawn(shared.runtime->get_executor(), park(observer), asio::detached);
  }
  return measure(ui, observer, [&shared]() -> asio::awaitable<void> {
    shared.take().reset();
    co_return;
  });
}

}  // namespace

boost::json::object logout(const Work& work) {
  if (work.program == "ours") return log_out_of_ours(work);
  if (work.program == "mutex") return log_out_of_mutex(work);
  throw std::invalid_argument("logout is not measured for '" + work.program + "'");
}

}  // namespace bench
