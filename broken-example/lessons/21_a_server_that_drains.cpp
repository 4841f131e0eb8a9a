// 21 a server that drains · SIGTERM ends it as exit() does: every socket is closed as it is
// Group     The runtime, its start and its end
// Symptom   "deploys cut requests"
// Expected  answers_complete 0 of 3 · connection_ended reset · sessions_at_exit 2
// Why       close() with unread input resets: even the answer that was written is lost on its way.
#include <boost/asio.hpp>

#include <future>
#include <iostream>
#include <latch>

namespace asio = boost::asio;
using asio::ip::tcp;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t request_size = 4, answer_size = 100'000;

struct Server {
  asio::awaitable<void> session(tcp::socket socket) {
    ++sessions;
    std::string request(request_size, ' ');
    const std::string answer(answer_size, 'a');
    socket.set_option(tcp::socket::send_buffer_size(2 * answer_size));
    // [session]
    for (;;) {
      co_await socket.async_wait(tcp::socket::wait_read, as_result);
      if (socket.available() == 0) break;  // the client has ended, and so do we
      co_await asio::async_read(socket, asio::buffer(request), as_result);
      ++begun;
      co_await asio::post(asio::use_awaitable);  // its work
      co_await asio::async_write(socket, asio::buffer(answer), as_result);
    }
    // [/session]
    --sessions;
  }
  asio::awaitable<void> listen() {
    for (;;) {
      auto [error, socket] = co_await acceptor.async_accept(as_result);
      if (error) co_return;
      asio::co_spawn(context, session(std::move(socket)), asio::detached);
    }
  }
  int sessions = 0, begun = 0;
  asio::io_context context;
  tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), 0}};
};

// [sigterm]
int on_sigterm(std::unique_ptr<Server> server, std::latch& handled) {
  const int sessions = server->sessions;
  server.reset();  // what exit() does to the sockets
  handled.count_down();
  return sessions;
}
// [/sigterm]

int main() {
  auto server = std::make_unique<Server>();
  asio::co_spawn(server->context, server->listen(), asio::detached);
  asio::io_context outside;
  tcp::socket idle(outside), client(outside, tcp::v4());
  idle.connect(server->acceptor.local_endpoint());
  client.set_option(tcp::socket::receive_buffer_size(4096));  // an answer waits in the server
  client.connect(server->acceptor.local_endpoint());
  asio::write(client, asio::buffer("one\ntwo\nsix\n", 3 * request_size));
  while (server->begun < 2) server->context.run_one();  // "one" is answered, "six" lies unread

  std::latch handled(1);
  std::size_t received = 0;
  boost::system::error_code error;
  auto client_reads = std::async(std::launch::async, [&] {
    handled.wait();  // a slow client
    std::string part(answer_size, ' ');
    while (!error) received += client.read_some(asio::buffer(part), error);
    client.close();
    boost::system::error_code ended;
    idle.read_some(asio::buffer(part), ended);
    idle.close();
  });
  const int sessions_at_exit = on_sigterm(std::move(server), handled);
  client_reads.get();
  std::cout << "answers_complete " << received / answer_size << " of 3" << std::endl;
  std::cout << "connection_ended " << (error == asio::error::eof ? "end of file" : "reset")
            << std::endl;
  std::cout << "sessions_at_exit " << sessions_at_exit << std::endl;
}
