// 08 race and join · one side throws, and `||` goes on waiting for the other
// Group     Telling, and being told
// Symptom   "one side threw, `||` waits for ever"
// Expected  race_returned no · sibling_cancelled no · error_heard none
// Why       `a || b` waits for the first success. An exception is none, so it cancels nobody.
#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <iostream>
#include <string>

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
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
  co_await (receive() || heartbeat(facts));
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
