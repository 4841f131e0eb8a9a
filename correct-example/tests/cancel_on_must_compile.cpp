// Compiled once without a macro, and once for each of these: completion tokens wrap each other in
// any order.

#include "runtime_sharing/cancel_on.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

using boost::asio::as_tuple;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using runtime_sharing::cancel_on;

boost::asio::awaitable<void> use(boost::asio::steady_timer& timer,
                                 runtime_sharing::CancellationToken token) {
  boost::system::error_code error;
  co_await timer.async_wait(cancel_on(token, redirect_error(use_awaitable, error)));
#if defined(REDIRECTED_ERROR)
  co_await timer.async_wait(redirect_error(cancel_on(token), error));
  co_await timer.async_wait(redirect_error(cancel_on(token, use_awaitable), error));
#elif defined(TUPLE)
  const auto [result] = co_await timer.async_wait(as_tuple(cancel_on(token)));
  static_cast<void>(result);
#endif
}
