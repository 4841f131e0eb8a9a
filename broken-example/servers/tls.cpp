// tls · lines over TLS, a server that stops
// Run       naive_server_tls PORT FILE.pem    key and certificate; port 0: any; prints `port N`
// Expected  SIGTERM ends it at once, whatever it is doing: exit code 0
// Why       docs/draining.md        Mended by  correct-example/servers/tls.cpp
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
using runtime_sharing::Runtime;
using namespace std::chrono_literals;
using Error = boost::system::error_code;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

constexpr auto idle_limit = 60s, request_limit = 10s;

// [serve]
asio::awaitable<void> serve(tcp::socket accepted, ssl::context& context) {
  // On the strand of this task: Beast's time-outs run there, too.
  ssl::stream<boost::beast::tcp_stream> stream(
      tcp::socket(co_await asio::this_coro::executor, tcp::v4(), accepted.release()), context);
  auto& connection = stream.next_layer();
  connection.expires_after(request_limit);
  if (std::get<0>(co_await stream.async_handshake(stream.server, as_result))) co_return;
  std::string input;
  for (;;) {
    auto line = asio::dynamic_buffer(input);
    connection.expires_after(idle_limit);
    const auto [error, size] = co_await asio::async_read_until(stream, line, '\n', as_result);
    if (error) break;
    input.erase(0, size);
    asio::steady_timer work(co_await asio::this_coro::executor, 10ms);
    co_await work.async_wait(asio::use_awaitable);
    connection.expires_after(request_limit);
    const std::string answer = "done\n";
    if (std::get<0>(co_await asio::async_write(stream, asio::buffer(answer), as_result))) break;
  }
}
// [/serve]

// [accept]
asio::awaitable<void> accept_all(tcp::acceptor acceptor, std::shared_ptr<Runtime> runtime,
                                 CancellationToken closing, ssl::context& context) {
  const auto welcome = [&](tcp::socket socket) {
    runtime->scope().try_spawn("connection", serve, std::move(socket), std::ref(context));
  };
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(cancel_on(closing, as_result));
    if (error) break;
    welcome(std::move(socket));
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
  tcp::acceptor acceptor(runtime->get_executor(), {asio::ip::address_v4::loopback(), port});
  std::cout << "port " << acceptor.local_endpoint().port() << std::endl;
  runtime->spawn("listener", accept_all, std::move(acceptor), runtime, runtime->token(),
                 std::ref(context));

  co_await signals.async_wait(asio::use_awaitable);
  co_await runtime->async_shutdown(Deadlines::immediate());  // as io_context::stop() does
  co_return 0;
}
// [/run]

int main(int count, char* arguments[]) {
  return run_server("naive_server_tls PORT FILE.pem", count, arguments, &run);
}
