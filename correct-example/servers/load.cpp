// load · keeps a server busy while it is restarted, and counts what became of each request
// Run       server_load http|websocket|tls PORT CONNECTIONS      until its standard input is closed
// Expected  `busy N` when all connections have had an answer since the last restart, for the Nth
//           time; at the end requests_sent, answered, repeatable and cut
// Why       docs/draining.md
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast.hpp>

#include <iostream>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using namespace std::chrono_literals;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// [outcome]
enum class Outcome {
  unsent,      // not written to its end: the server cannot have begun it
  answered,    // completely
  last,        // the same, and the answer says that the connection ends
  repeatable,  // the protocol's goodbye came instead of an answer: the server has not begun it
  cut,         // neither: whether it was begun, nobody knows
};
// [/outcome]

// Each protocol: connect, one request with its answer, and a goodbye of the client's.
struct Http {
  explicit Http(const asio::any_io_executor& executor) : stream(executor) {}
  asio::awaitable<bool> connect(const tcp::endpoint& server) {
    co_return !std::get<0>(co_await stream.async_connect(server, as_result));
  }
  asio::awaitable<Outcome> ask() {
    http::request<http::empty_body> request(http::verb::get, "/", 11);
    request.set(http::field::host, "localhost");
    if (std::get<0>(co_await http::async_write(stream, request, as_result)))
      co_return Outcome::unsent;
    http::response<http::string_body> response;
    if (std::get<0>(co_await http::async_read(stream, buffer, response, as_result)))
      co_return Outcome::cut;
    co_return response.keep_alive() ? Outcome::answered : Outcome::last;
  }
  asio::awaitable<void> leave() { co_return; }
  beast::tcp_stream stream;
  beast::flat_buffer buffer;
};

struct WebSocket {
  explicit WebSocket(const asio::any_io_executor& executor) : stream(executor) {}
  asio::awaitable<bool> connect(const tcp::endpoint& server) {
    const auto [refused] = co_await stream.next_layer().async_connect(server, as_result);
    if (refused) co_return false;
    const auto [failed] = co_await stream.async_handshake("localhost", "/", as_result);
    co_return !failed;
  }
  asio::awaitable<Outcome> ask() {
    const std::string request = "work";
    if (std::get<0>(co_await stream.async_write(asio::buffer(request), as_result)))
      co_return Outcome::unsent;
    beast::flat_buffer answer;
    const auto [error, size] = co_await stream.async_read(answer, as_result);
    if (!error) co_return Outcome::answered;
    const bool is_goodbye = error == websocket::error::closed &&
                            stream.reason().code == websocket::close_code::going_away;
    co_return is_goodbye ? Outcome::repeatable : Outcome::cut;
  }
  asio::awaitable<void> leave() {
    co_await stream.async_close(websocket::close_code::normal, as_result);
  }
  websocket::stream<beast::tcp_stream> stream;
};

struct Tls {
  explicit Tls(const asio::any_io_executor& executor) : stream(executor, context) {}
  asio::awaitable<bool> connect(const tcp::endpoint& server) {
    const auto [refused] = co_await stream.next_layer().async_connect(server, as_result);
    if (refused) co_return false;
    const auto [failed] = co_await stream.async_handshake(ssl::stream_base::client, as_result);
    co_return !failed;
  }
  asio::awaitable<Outcome> ask() {
    const std::string request = "work\n";
    if (std::get<0>(co_await asio::async_write(stream, asio::buffer(request), as_result)))
      co_return Outcome::unsent;
    std::string answer;
    const auto [error, size] =
        co_await asio::async_read_until(stream, asio::dynamic_buffer(answer), '\n', as_result);
    if (!error) co_return Outcome::answered;
    // Without a close_notify the end of file is ssl::error::stream_truncated.
    co_return answer.empty() && error == asio::error::eof ? Outcome::repeatable : Outcome::cut;
  }
  asio::awaitable<void> leave() { co_await stream.async_shutdown(as_result); }
  ssl::context context{ssl::context::tls_client};  // verifies nobody: it is a test's certificate
  ssl::stream<beast::tcp_stream> stream;
};

struct Load {
  // All connections have been answered since one of them was last (re)connected.
  void settle() {
    if (++settled < connections) return;
    settled = 0;
    std::cout << "busy " << ++busy << std::endl;
  }
  void count(Outcome outcome) {
    if (outcome == Outcome::unsent) return;
    ++sent;
    answered += outcome == Outcome::answered || outcome == Outcome::last;
    repeatable += outcome == Outcome::repeatable;
    cut += outcome == Outcome::cut;
  }
  const tcp::endpoint server;
  const int connections;
  int settled = 0, busy = 0, sent = 0, answered = 0, repeatable = 0, cut = 0;
  bool ends = false;
};

template <typename Protocol>
asio::awaitable<void> keep_busy(Load& load) {
  const auto executor = co_await asio::this_coro::executor;
  while (!load.ends) {
    Protocol peer(executor);
    if (!co_await peer.connect(load.server)) {  // it is restarting
      asio::steady_timer pause(executor, 5ms);
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    bool is_settled = false;
    for (auto outcome = Outcome::answered; outcome == Outcome::answered && !load.ends;) {
      outcome = co_await peer.ask();
      load.count(outcome);
      if (outcome == Outcome::answered && !std::exchange(is_settled, true)) load.settle();
    }
    co_await peer.leave();
  }
}

asio::awaitable<void> end_with_the_input(Load& load) {
  asio::posix::stream_descriptor input(co_await asio::this_coro::executor, ::dup(0));
  std::array<char, 64> ignored;
  while (!std::get<0>(co_await input.async_read_some(asio::buffer(ignored), as_result))) {
  }
  load.ends = true;
}

int main(int count, char* arguments[]) {
  const std::string protocol = count == 4 ? arguments[1] : "";
  if (protocol != "http" && protocol != "websocket" && protocol != "tls") {
    std::cerr << "usage: load http|websocket|tls PORT CONNECTIONS\n";
    return 2;
  }
  asio::io_context context;
  const auto port = static_cast<unsigned short>(std::atoi(arguments[2]));
  Load load{{asio::ip::address_v4::loopback(), port}, std::atoi(arguments[3])};
  const auto run = protocol == "http"        ? &keep_busy<Http>
                   : protocol == "websocket" ? &keep_busy<WebSocket>
                                             : &keep_busy<Tls>;
  for (int i = 0; i < load.connections; ++i) {
    asio::co_spawn(context, run(load), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
  }
  asio::co_spawn(context, end_with_the_input(load), asio::detached);
  context.run();
  std::cout << "requests_sent " << load.sent << "\nanswered " << load.answered << "\nrepeatable "
            << load.repeatable << "\ncut " << load.cut << std::endl;
}
