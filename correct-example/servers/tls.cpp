// tls · lines over TLS, a server that drains
// Run       server_tls PORT FILE.pem    key and certificate; port 0: any; prints `port N`
// Expected  SIGTERM drains: exit code 0. A second one forces: exit code 1
// Why       docs/draining.md        Broken by  broken-example/servers/tls.cpp
#include "correct-example/servers/run_server.hpp"
#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast.hpp>

#include <iostream>

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using runtime_sharing::cancel_on, runtime_sharing::CancellationToken, runtime_sharing::Deadlines;
using runtime_sharing::Runtime, runtime_sharing::TaskScope;
using namespace std::chrono_literals;
using Error = boost::system::error_code;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// Each session has its bounds, and what the drain may take in all is more than their sum.
constexpr auto idle_limit = 60s, request_limit = 10s, goodbye_limit = 2s;
constexpr Deadlines drain{.wait = 20s};

// [serve]
asio::awaitable<void> serve(tcp::socket accepted, CancellationToken told, ssl::context& context) {
  // On the strand of this task: Beast's time-outs run there, too.
  ssl::stream<boost::beast::tcp_stream> stream(
      tcp::socket(co_await asio::this_coro::executor, tcp::v4(), accepted.release()), context);
  auto& connection = stream.next_layer();
  connection.expires_after(request_limit);
  if (std::get<0>(co_await stream.async_handshake(stream.server, as_result))) co_return;
  std::string input;
  while (!told.is_cancelled()) {
    auto line = asio::dynamic_buffer(input);
    connection.expires_after(idle_limit);
    auto [error, size] =
        co_await asio::async_read_until(stream, line, '\n', cancel_on(told, as_result));
    Error none;
    if (error && (!input.empty() || connection.socket().available(none) > 0)) {  // one more look
      connection.expires_after(request_limit);
      std::tie(error, size) = co_await asio::async_read_until(stream, line, '\n', as_result);
    }
    if (error) break;
    input.erase(0, size);
    asio::steady_timer work(co_await asio::this_coro::executor, 10ms);
    co_await work.async_wait(asio::use_awaitable);  // bound to no token: what has begun is finished
    connection.expires_after(request_limit);
    const std::string answer = "done\n";
    if (std::get<0>(co_await asio::async_write(stream, asio::buffer(answer), as_result))) break;
  }
  Error ignored;
  connection.expires_after(goodbye_limit);
  co_await stream.async_shutdown(as_result);  // close_notify, and the client's
  connection.socket().shutdown(tcp::socket::shutdown_send, ignored);
  std::array<char, 4096> rest;
  while (!std::get<0>(co_await connection.async_read_some(asio::buffer(rest), as_result))) {
  }
}
// [/serve]

// [accept]
asio::awaitable<void> accept_all(tcp::acceptor acceptor, std::shared_ptr<Runtime> runtime,
                                 CancellationToken closing, ssl::context& context) {
  const auto welcome = [&](tcp::socket socket) {
    runtime->scope().try_spawn("connection", serve, std::move(socket), runtime->token(),
                               std::ref(context));
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
asio::awaitable<int> run(unsigned short port, std::string certificate) {
  asio::signal_set signals(co_await asio::this_coro::executor, SIGTERM);
  ssl::context context(ssl::context::tls_server);
  context.use_certificate_chain_file(certificate);
  context.use_private_key_file(certificate, ssl::context::pem);
  const auto runtime = Runtime::start({.name = "tls"});
  TaskScope door("door", runtime->scope());
  tcp::acceptor acceptor(runtime->get_executor(), {asio::ip::address_v4::loopback(), port});
  std::cout << "port " << acceptor.local_endpoint().port() << std::endl;
  door.spawn("listener", accept_all, std::move(acceptor), runtime, door.token(), std::ref(context));

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
  return run_server("server_tls PORT FILE.pem", count, arguments, &run);
}
