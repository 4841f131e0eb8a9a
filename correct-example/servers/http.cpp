// http · an HTTP/1.1 keep-alive server that drains
// Run       server_http PORT        0: any port; prints `port N`
// Expected  SIGTERM drains: exit code 0. A second one forces: exit code 1
// Why       docs/draining.md        Broken by  broken-example/servers/http.cpp
#include "correct-example/servers/run_server.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <iostream>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using runtime_sharing::cancel_on, runtime_sharing::CancellationToken, runtime_sharing::Deadlines;
using runtime_sharing::Runtime, runtime_sharing::TaskScope;
using namespace std::chrono_literals;
using Error = boost::system::error_code;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// Each session has its bounds, and what the drain may take in all is more than their sum.
constexpr auto idle_limit = 60s, last_call = 1s, request_limit = 10s, goodbye_limit = 2s;
constexpr Deadlines drain{.wait = 20s};

// [serve]
asio::awaitable<void> serve(tcp::socket accepted, CancellationToken told) {
  // On the strand of this task: Beast's time-outs run there, too.
  beast::tcp_stream connection(
      tcp::socket(co_await asio::this_coro::executor, tcp::v4(), accepted.release()));
  beast::flat_buffer buffer;
  for (bool stays_open = true; stays_open;) {
    if (buffer.size() == 0) {
      connection.expires_after(idle_limit);
      auto [error, size] =
          co_await connection.async_read_some(buffer.prepare(4096), cancel_on(told, as_result));
      if (error && told.is_cancelled()) {  // one more look, for a request that is on its way
        connection.expires_after(last_call);
        std::tie(error, size) =
            co_await connection.async_read_some(buffer.prepare(4096), as_result);
      }
      if (error) break;
      buffer.commit(size);
    }
    connection.expires_after(request_limit);
    http::request<http::string_body> request;
    if (std::get<0>(co_await http::async_read(connection, buffer, request, as_result))) break;
    asio::steady_timer work(co_await asio::this_coro::executor, 10ms);
    co_await work.async_wait(asio::use_awaitable);  // bound to no token: what has begun is finished
    http::response<http::string_body> response(http::status::ok, request.version(), "done\n");
    stays_open = request.keep_alive() && !told.is_cancelled();
    response.keep_alive(stays_open);  // if not, "Connection: close" is the goodbye
    response.prepare_payload();
    if (std::get<0>(co_await http::async_write(connection, response, as_result))) break;
  }
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
  const auto runtime = Runtime::start({.name = "http"});
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
  return run_server("server_http PORT", count, arguments, &run);
}
