// 11 no bound · a full channel lets the producer wait, and the samples stay where they are
// Group     Queues and bytes
// Symptom   "memory grows until it is killed"
// Expected  samples_taken 18 · queued_at_logout 16 · samples_lost 0
// Why       A send into a full channel waits: no more is taken than the disk can write in time.
#include <boost/asio.hpp>
#include <boost/asio/experimental/channel.hpp>

#include <iostream>

namespace asio = boost::asio;
using Error = boost::system::error_code;
using Channel = asio::experimental::channel<void(Error, int)>;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);  // an error is no exception
constexpr int samples_offered = 10'000;
constexpr int writes_in_time = 20;  // what the disk can do between logout and its deadline

// [bound]
constexpr std::size_t bound = 16;  // fewer than are written in time
// [/bound]

struct Session {
  asio::any_io_executor executor;
  bool told = false;
  Channel samples{executor, bound};
  asio::steady_timer disk{executor, asio::steady_timer::time_point::max()};  // ends no write itself
  int taken = 0, sent = 0, received = 0, stored = 0;
};

// [work]
asio::awaitable<void> produce(Session& session) {
  while (!session.told && session.taken < samples_offered) {
    const int sample = ++session.taken;
    co_await session.samples.async_send(Error(), sample, as_result);
    ++session.sent;
  }
}

asio::awaitable<void> store(Session& session) {
  while (true) {
    co_await session.samples.async_receive(as_result);
    ++session.received;
    co_await session.disk.async_wait(as_result);
    ++session.stored;
  }
}
// [/work]

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  asio::io_context context;
  Session session{context.get_executor()};
  asio::co_spawn(context, produce(session), asio::detached);
  asio::co_spawn(context, store(session), asio::detached);
  context.poll();  // until nobody can go on while the disk is busy with its first write
  session.told = true;
  show("samples_taken", session.taken);
  show("queued_at_logout", session.sent - session.received);

  for (int write = 0; write < writes_in_time; ++write) {
    session.disk.cancel();  // a write has ended
    context.poll();
  }
  show("samples_lost", session.taken - session.stored);
}
