// Tasks that end only when somebody ends them. Their timers never expire: no time decides anything.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

/// Deaf to every token; ends when its operation is cancelled.
inline boost::asio::awaitable<void> wait_for_ever() {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                  boost::asio::steady_timer::time_point::max());
  co_await timer.async_wait(boost::asio::use_awaitable);
}

/// Deaf to that, too; ends when its frame is destroyed.
inline boost::asio::awaitable<void> wait_for_ever_disabling_cancellation() {
  co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
  co_await wait_for_ever();
}
