// websocket · a WebSocket server that stops
// Run       naive_server_websocket PORT        0: any port; prints `port N`
// Expected  SIGTERM ends it at once, whatever it is doing: exit code 0
// Why       docs/draining.md        Mended by  correct-example/servers/websocket.cpp
#include "correct-example/servers/run_server.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <iostream>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using Stream = websocket::stream<boost::beast::tcp_stream>;
using asio::ip::tcp;
using runtime_sharing::cancel_on, runtime_sharing::CancellationToken, runtime_sharing::Deadlines;
using runtime_sharing::Runtime;
using namespace std::chrono_literals;
using Error = boost::system::error_code;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

constexpr auto idle_limit = 60s, request_limit = 10s;

// [serve]
asio::awaitable<void> serve(tcp::socket accepted) {
  // On the strand of this task: Beast's time-outs run there, too.
  Stream stream(tcp::socket(co_await asio::this_coro::executor, tcp::v4(), accepted.release()));
  stream.set_option(websocket::stream_base::timeout{request_limit, idle_limit, false});
  if (std::get<0>(co_await stream.async_accept(as_result))) co_return;
  for (;;) {
    beast::flat_buffer message;
    if (std::get<0>(co_await stream.async_read(message, as_result))) break;
    asio::steady_timer work(co_await asio::this_coro::executor, 10ms);
    co_await work.async_wait(asio::use_awaitable);
    const std::string answer = "done";
    if (std::get<0>(co_await stream.async_write(asio::buffer(answer), as_result))) break;
  }
}
// [/serve]

// [accept]
asio::awaitable<void> accept_all(tcp::acceptor acceptor, std::shared_ptr<Runtime> runtime,
                                 CancellationToken closing) {
  const auto welcome = [&](tcp::socket socket) {
    runtime->scope().try_spawn("connection", serve, std::move(socket));
  };
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(cancel_on(closing, as_result));
    if (error) break;
    welcome(std::move(socket));
  }
}
// [/accept]

// [run]
asio::awaitable<int> run(unsigned short port) {
  asio::signal_set signals(co_await asio::this_coro::executor, SIGTERM);
  const auto runtime = Runtime::start({.name = "websocket"});
  tcp::acceptor acceptor(runtime->get_executor(), {asio::ip::address_v4::loopback(), port});
  std::cout << "port " << acceptor.local_endpoint().port() << std::endl;
  runtime->spawn("listener", accept_all, std::move(acceptor), runtime, runtime->token());

  co_await signals.async_wait(asio::use_awaitable);
  co_await runtime->async_shutdown(Deadlines::immediate());  // as io_context::stop() does
  co_return 0;
}
// [/run]

int main(int count, char* arguments[]) {
  return run_server("naive_server_websocket PORT", count, arguments, &run);
}
