// 26 the retry that never rests · the pause is cancelled, and the retry loop looks at the token
// Group     Telling, and being told
// Symptom   "after logout one core is busy for ever"
// Expected  failures_after_tell 1 · failures_at_heartbeat at most 2
// Why       The token ends the pause, which counts as one more failure, and then it ends the loop.
#include "runtime_sharing/cancel_on.hpp"

#include <boost/asio.hpp>

#include <chrono>
#include <iostream>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using runtime_sharing::CancellationToken;
constexpr int bound = 10001;  // failures, so that this program ends

struct Count {
  int failures = 0;
  int at_heartbeat = 0;
};

asio::awaitable<void> keep_connecting(tcp::endpoint server, Count& count, CancellationToken token) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer pause(executor, 0s);
  // [retry]
  while (count.failures < bound && !token.is_cancelled()) {
    try {
      co_await pause.async_wait(cancel_on(token));
      tcp::socket socket(executor);
      co_await socket.async_connect(server, cancel_on(token));
      co_return;
    } catch (const std::exception&) {  // the server may be back in an hour
      ++count.failures;
      pause.expires_after(1h);
    }
  }
  // [/retry]
}

int main() {
  const CancellationToken token;
  asio::io_context runtime;
  tcp::acceptor nobody_listens(runtime, tcp::v4());  // bound, so that the port stays ours
  nobody_listens.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  Count count;

  // [spawn]
  asio::co_spawn(runtime, keep_connecting(nobody_listens.local_endpoint(), count, token),
                 asio::detached);
  // [/spawn]
  while (count.failures == 0 && runtime.run_one() > 0) continue;  // now it pauses for an hour
  const int before = count.failures;
  asio::post(runtime, [&] {
    token.cancel();
    asio::post(runtime, [&count] { count.at_heartbeat = count.failures; });
  });
  runtime.run();

  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  show("failures_after_tell", count.failures - before);
  show("failures_at_heartbeat", count.at_heartbeat);
}
