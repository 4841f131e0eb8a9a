// websocket · a WebSocket server that drains
// Run       server_websocket PORT        0: any port; prints `port N`
// Expected  SIGTERM drains: exit code 0. A second one forces: exit code 1
// Why       docs/draining.md        Broken by  broken-example/servers/websocket.cpp
#include "correct-example/servers/run_server.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/beast.hpp>

#include <iostream>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using namespace asio::experimental::awaitable_operators;
using Stream = websocket::stream<boost::beast::tcp_stream>;
using asio::ip::tcp;
using runtime_sharing::cancel_on, runtime_sharing::CancellationToken, runtime_sharing::Deadlines;
using runtime_sharing::Runtime, runtime_sharing::TaskScope;
using namespace std::chrono_literals;
using Error = boost::system::error_code;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// Each session has its bounds, and what the drain may take in all is more than their sum.
constexpr auto idle_limit = 60s, request_limit = 10s, goodbye_limit = 2s;
constexpr Deadlines drain{.wait = 20s};

// Beside a read that waits for a message. Cancelling the read would leave nothing to close with.
// [close]
asio::awaitable<void> close_when_told(Stream& stream, CancellationToken told) {
  co_await told.cancelled(as_result);
  Error ignored;
  if (stream.next_layer().socket().available(ignored) > 0) {  // one more look: leave it the read
    asio::steady_timer limit(co_await asio::this_coro::executor, request_limit);
    co_await limit.async_wait(as_result);
  }
  co_await stream.async_close(websocket::close_code::going_away, as_result);
}
// [/close]

// [serve]
asio::awaitable<void> serve(tcp::socket accepted, CancellationToken told) {
  // On the strand of this task: Beast's time-outs run there, too.
  Stream stream(tcp::socket(co_await asio::this_coro::executor, tcp::v4(), accepted.release()));
  stream.set_option(websocket::stream_base::timeout{request_limit, idle_limit, false});
  if (std::get<0>(co_await stream.async_accept(as_result))) co_return;
  stream.set_option(websocket::stream_base::timeout{goodbye_limit, idle_limit, false});
  while (!told.is_cancelled()) {
    beast::flat_buffer message;
    const auto first =
        co_await (stream.async_read(message, as_result) || close_when_told(stream, told));
    if (first.index() == 1 || std::get<0>(std::get<0>(first)) || !stream.is_open()) break;
    asio::steady_timer work(co_await asio::this_coro::executor, 10ms);
    co_await work.async_wait(asio::use_awaitable);  // bound to no token: what has begun is finished
    const std::string answer = "done";
    if (std::get<0>(co_await stream.async_write(asio::buffer(answer), as_result))) break;
  }
  if (stream.is_open()) {
    co_await stream.async_close(websocket::close_code::going_away, as_result);
  }
  auto& connection = stream.next_layer();
  Error ignored;
  connection.expires_after(goodbye_limit);
  connection.socket().shutdown(tcp::socket::shutdown_send, ignored);
  std::array<char, 4096> rest;
  while (!std::get<0>(co_await connection.async_read_some(asio::buffer(rest), as_result))) {
  }
}
// [/serve]

// [accept]
asio::awaitable<void> accept_all(tcp::acceptor acceptor, std::shared_ptr<Runtime> runtime,
                                 CancellationToken closing) {
  const auto welcome = [&](tcp::socket socket) {
    runtime->scope().try_spawn("connection", serve, std::move(socket), runtime->token());
  };
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(cancel_on(closing, as_result));
    if (error) break;
    welcome(std::move(socket));
  }
  acceptor.non_blocking(true);  // one more look, for those whom the kernel has accepted
  for (Error error; !error;) {
    if (tcp::socket socket = acceptor.accept(error); !error) welcome(std::move(socket));
  }
}
// [/accept]

// [run]
asio::awaitable<int> run(unsigned short port) {
  asio::signal_set signals(co_await asio::this_coro::executor, SIGTERM);
  const auto runtime = Runtime::start({.name = "websocket"});
  TaskScope door("door", runtime->scope());
  tcp::acceptor acceptor(runtime->get_executor(), {asio::ip::address_v4::loopback(), port});
  std::cout << "port " << acceptor.local_endpoint().port() << std::endl;
  door.spawn("listener", accept_all, std::move(acceptor), runtime, door.token());

  co_await signals.async_wait(asio::use_awaitable);
  co_await door.async_shutdown();  // first, so that nobody who is sent away comes back to it
  signals.async_wait([runtime](Error error, int) {
    if (!error) runtime->async_shutdown(Deadlines::immediate(), asio::detached);
  });
  std::cout << "draining" << std::endl;
  const auto report = co_await runtime->async_shutdown(drain);
  std::cout << report << std::endl;
  co_return report.graceful() ? 0 : 1;
}
// [/run]

int main(int count, char* arguments[]) {
  return run_server("server_websocket PORT", count, arguments, &run);
}
