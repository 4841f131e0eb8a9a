// 08 race and join · whoever ends first, by whatever way, cancels the other and is heard
// Group     Telling, and being told
// Symptom   "one side threw, `||` waits for ever"
// Expected  race_returned yes · sibling_cancelled yes · error_heard connection_reset
// Why       wait_for_one() counts an exception as an end: it cancels the other, waits, and tells.
#include <boost/asio.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include <exception>
#include <iostream>
#include <string>

namespace asio = boost::asio;
using Timer = asio::steady_timer;

struct Facts {
  bool returned = false;
  bool sibling_cancelled = false;
  std::string error = "none";
};

asio::awaitable<void> receive() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  throw boost::system::system_error(asio::error::connection_reset);
}

asio::awaitable<void> heartbeat(Facts& facts) {
  Timer next(co_await asio::this_coro::executor, Timer::time_point::max());
  const auto [error] = co_await next.async_wait(asio::as_tuple(asio::use_awaitable));
  facts.sibling_cancelled = error == asio::error::operation_aborted;
}

// [race]
asio::awaitable<void> race(Facts& facts) {
  const auto executor = co_await asio::this_coro::executor;
  const auto [order, receive_error, heartbeat_error] =
      co_await asio::experimental::make_parallel_group(
          asio::co_spawn(executor, receive(), asio::deferred),
          asio::co_spawn(executor, heartbeat(facts), asio::deferred))
          .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  // ^ Both have ended, the second because it was cancelled. What the first one threw counts.
  const auto first_error = order[0] == 0 ? receive_error : heartbeat_error;
  if (first_error) std::rethrow_exception(first_error);
}
// [/race]

asio::awaitable<void> session(Facts& facts) {
  try {
    co_await race(facts);
  } catch (const boost::system::system_error& error) {
    const bool reset = error.code() == asio::error::connection_reset;
    facts.error = reset ? "connection_reset" : error.what();
  }
  facts.returned = true;
}

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Facts facts;
  asio::io_context context;
  asio::co_spawn(context, session(facts), asio::detached);
  context.poll();  // whatever has not ended now has nothing left to wake it
  show("race_returned", facts.returned ? "yes" : "no");
  show("sibling_cancelled", facts.sibling_cancelled ? "yes" : "no");
  show("error_heard", facts.error);
}
