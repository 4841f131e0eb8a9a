// 07 a time-out that ends nothing · whoever stops waiting ends the read, and awaits its end
// Group     Telling, and being told
// Symptom   "after one time-out every answer is off by one"
// Expected  first_answer time-out · read_after_time_out ended · second_answer answer to 2 ·
//           third_answer answer to 3
// Why       wait_for_one() cancels the slower of the two, and waits until both have ended.
#include <boost/asio.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include <iostream>
#include <string>

namespace asio = boost::asio;
using asio::local::stream_protocol;
using Timer = asio::steady_timer;

struct Ask {
  char question;  // one byte, and so is the answer
  Timer::time_point time_out;
  std::string answer = "none";  // as the caller sees it
};

// [ask]
asio::awaitable<void> send(stream_protocol::socket& server, Ask& ask) {
  char reply = 0;
  Timer time_out(server.get_executor(), ask.time_out);
  co_await asio::async_write(server, asio::buffer(&ask.question, 1), asio::use_awaitable);
  const auto [order, read_error, size, wait_error] =
      co_await asio::experimental::make_parallel_group(
          asio::async_read(server, asio::buffer(&reply, 1), asio::deferred),
          time_out.async_wait(asio::deferred))
          .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  // ^ Both have ended: from here on the read takes nothing. If it has taken its byte, that counts.
  ask.answer = size == 1 ? std::string("answer to ") + reply : "time-out";
}
// [/ask]

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  asio::io_context context;
  stream_protocol::socket client(context), server(context);
  asio::local::connect_pair(client, server);

  Ask first{'1', Timer::clock_type::now()};  // the server lost this question: it never answers
  asio::co_spawn(context, send(client, first), asio::detached);
  while (first.answer == "none") context.run_one();
  show("first_answer", first.answer);
  context.poll();
  show("read_after_time_out", context.stopped() ? "ended" : "pending");

  Ask second{'2', Timer::time_point::max()}, third{'3', Timer::time_point::max()};
  context.restart();
  asio::co_spawn(context, send(client, second), asio::detached);
  asio::co_spawn(context, send(client, third), asio::detached);
  context.poll();
  asio::write(server, asio::buffer("23", 2));
  context.poll();  // whatever has not completed now has nothing left to wake it
  show("second_answer", second.answer);
  show("third_answer", third.answer);
}
