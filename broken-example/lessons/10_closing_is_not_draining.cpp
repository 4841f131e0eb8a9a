// 10 closing is not draining · logout closes the channel, and a sender stays behind for ever
// Group     Queues and bytes
// Symptom   "closing the queue lost work"
// Expected  sent 2 · received 1 · senders_stuck 1
// Why       close() refuses what comes later. A send that is suspended already is not completed.
#include <boost/asio.hpp>
#include <boost/asio/experimental/channel.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>

namespace asio = boost::asio;
using Error = boost::system::error_code;
using Channel = asio::experimental::channel<void(Error, int)>;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);  // an error is no exception

struct Session {
  asio::any_io_executor executor;
  bool told = false;
  Channel samples{executor, 1};  // one sample may wait for the store
  asio::steady_timer disk{executor, asio::steady_timer::time_point::max()};  // busy until it fires
  int sent = 0, received = 0, senders = 1;
};

asio::awaitable<void> store(Session& session) {
  while (session.samples.is_open()) {
    const auto [error, sample] = co_await session.samples.async_receive(as_result);
    if (error) break;
    ++session.received;
    co_await session.disk.async_wait(as_result);
  }
}

// [end]
asio::awaitable<void> produce(Session& session) {
  while (session.samples.is_open()) {
    const auto [error] = co_await session.samples.async_send(Error(), session.sent + 1, as_result);
    if (!error) ++session.sent;
  }
}

void logout(Session& session) {
  session.samples.close();
}
// [/end]

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  asio::io_context context;
  Session session{context.get_executor()};
  asio::co_spawn(context, produce(session), [&](std::exception_ptr) { --session.senders; });
  asio::co_spawn(context, store(session), asio::detached);
  context.poll();  // the disk has sample 1, sample 2 waits in the channel, and the sender with 3
  logout(session);
  session.disk.expires_at({});  // the disk is free, and stays free
  context.poll();               // whatever has not ended now has nothing left to wake it
  show("sent", session.sent);
  show("received", session.received);
  show("senders_stuck", session.senders);
  // The destructor of a closed channel takes a sender that is still in it for a receiver (1.81).
  if (session.senders > 0) std::quick_exit(0);
}
