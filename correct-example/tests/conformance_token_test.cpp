#include "correct-example/tests/conformance.hpp"
#include "runtime_sharing/cancel_on.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

namespace {

namespace asio = boost::asio;
using conformance::Conformance;
using runtime_sharing::cancel_on;
using runtime_sharing::CancellationToken;

CancellationToken cancelled_token() {
  CancellationToken token;
  token.cancel();
  return token;
}

TEST_F(Conformance, CancellationTokenCancelled) {
  const auto token = cancelled_token();
  conforms([&](auto&& completion) {
    return token.cancelled(std::forward<decltype(completion)>(completion));
  });
}

TEST_F(Conformance, CancelOn) {
  const auto token = cancelled_token();
  asio::thread_pool pool(1);
  asio::steady_timer timer(pool, asio::steady_timer::time_point::max());
  conforms([&](auto&& completion) {
    return timer.async_wait(cancel_on(token, std::forward<decltype(completion)>(completion)));
  });
  pool.join();
}

}  // namespace
