// Whether entry.cpp may start coroutines by Asio's own names: compiled when the project is
// configured.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

namespace asio = boost::asio;

asio::awaitable<asio::detail::awaitable_thread_entry_point> run(asio::awaitable<void> coroutine) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(coroutine);
}

void begin(asio::awaitable<void> coroutine, const asio::any_io_executor& executor,
           asio::cancellation_slot slot) {
  asio::detail::awaitable_thread<asio::any_io_executor>(run(std::move(coroutine)), executor, slot,
                                                        asio::cancellation_state(slot))
      .launch();
}
