// 02 told between two waits · a cancellation that comes while no wait is pending ends none
// Group     Telling, and being told
// Symptom   "I cancelled, the flag says so, it sleeps on"
// Expected  cancelled yes · outcome sleeps on · waits_pending 1
// Why       A cancellation ends the operation that is pending; one that begins later is not told.
#include <boost/asio.hpp>
#include <boost/asio/experimental/channel.hpp>

#include <chrono>
#include <iostream>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Error = boost::system::error_code;
using Jobs = asio::experimental::channel<void(Error, int)>;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);  // an error is no exception

struct Worker {
  bool cancelled = false;
  bool ended = false;
};

asio::awaitable<bool> is_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

// [work]
asio::awaitable<void> work(Jobs& jobs, asio::steady_timer& pause, Worker& worker) {
  co_await asio::this_coro::throw_if_cancelled(false);  // so that what follows may await
  co_await jobs.async_receive(as_result);
  worker.cancelled = co_await is_cancelled();
  co_await pause.async_wait(as_result);
}
// [/work]

int main() {
  asio::cancellation_signal tell;
  asio::io_context runtime;
  Jobs jobs(runtime);
  asio::steady_timer pause(runtime, 1h);
  Worker worker;

  asio::co_spawn(runtime, work(jobs, pause, worker),
                 asio::bind_cancellation_slot(
                     tell.slot(), [&worker](std::exception_ptr) { worker.ended = true; }));
  runtime.poll();  // the worker waits for a job
  // [tell]
  asio::post(runtime, [&jobs, &tell] {
    jobs.try_send(Error(), 1);  // completes the wait, but the worker has not been resumed yet
    tell.emit(asio::cancellation_type::terminal);
  });
  // [/tell]
  runtime.poll();  // until nobody has anything to do

  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  show("cancelled", worker.cancelled ? "yes" : "no");
  show("outcome", worker.ended ? "ends" : "sleeps on");
  show("waits_pending", pause.cancel());
  runtime.poll();
}
