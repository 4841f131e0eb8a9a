// 01 told, not waited for · logout tells the session to end, and awaits its end
// Group     Telling, and being told
// Symptom   "after logout, login says: address in use"
// Expected  sessions_at_login 0 · goodbye_at_login sent · login succeeds
// Why       The session says goodbye, gives its port back, and only then does logout return.
#include <boost/asio.hpp>

#include <iostream>

namespace asio = boost::asio;
using asio::ip::tcp;
using Timer = asio::steady_timer;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);  // an error is no exception

struct Sessions {  // all of it is touched by the runtime's only thread
  asio::cancellation_signal tell;
  Timer ended;  // fires when the last session has ended, and stays fired
  int running = 0;
  bool goodbye_sent = false;
};

// [session]
asio::awaitable<void> serve(tcp::acceptor acceptor, asio::writable_pipe peer, Sessions& sessions) {
  co_await acceptor.async_accept(asio::bind_cancellation_slot(sessions.tell.slot(), as_result));
  co_await asio::async_write(peer, asio::buffer("goodbye"), as_result);
  sessions.goodbye_sent = true;
}
// [/session]

// [logout]
asio::awaitable<void> logout(Sessions& sessions) {
  sessions.tell.emit(asio::cancellation_type::terminal);
  co_await sessions.ended.async_wait(as_result);
}
// [/logout]

boost::system::error_code login(const asio::any_io_executor& executor, tcp::endpoint address) {
  tcp::acceptor acceptor(executor, address.protocol());
  boost::system::error_code error;
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  acceptor.bind(address, error);
  return error;
}

asio::awaitable<void> change_user(tcp::endpoint address, Sessions& sessions) {
  const auto executor = co_await asio::this_coro::executor;
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  co_await logout(sessions);
  show("sessions_at_login", sessions.running);
  show("goodbye_at_login", sessions.goodbye_sent ? "sent" : "not sent");
  const auto error = login(executor, address);
  const bool in_use = error == asio::error::address_in_use;
  show("login", in_use ? "address in use" : error ? "another error" : "succeeds");
}

int main() {
  asio::io_context runtime;
  Sessions sessions{{}, Timer(runtime, Timer::time_point::max())};
  tcp::acceptor acceptor(runtime, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const auto address = acceptor.local_endpoint();
  asio::readable_pipe client(runtime);
  asio::writable_pipe peer(runtime);
  asio::connect_pipe(client, peer);

  ++sessions.running;
  asio::co_spawn(runtime, serve(std::move(acceptor), std::move(peer), sessions),
                 [&sessions](std::exception_ptr) {
                   --sessions.running;
                   sessions.ended.expires_at(Timer::time_point::min());
                 });
  runtime.poll();  // the session waits for a client
  asio::co_spawn(runtime, change_user(address, sessions), asio::detached);
  runtime.run();
}
