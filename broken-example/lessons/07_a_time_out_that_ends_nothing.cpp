// 07 a time-out that ends nothing · the caller stops waiting, and its read goes on
// Group     Telling, and being told
// Symptom   "after one time-out every answer is off by one"
// Expected  first_answer time-out · read_after_time_out pending · second_answer answer to 3 ·
//           third_answer none
// Why       The time-out ends the wait for the read, not the read: it takes the next ask's answer.
#include <boost/asio.hpp>

#include <iostream>
#include <memory>
#include <string>

namespace asio = boost::asio;
using asio::local::stream_protocol;
using Timer = asio::steady_timer;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);  // an error is no exception

struct Ask {
  char question;  // one byte, and so is the answer
  Timer::time_point time_out;
  std::string answer = "none";  // as the caller sees it
};

struct Reply {
  char byte = 0;
  bool arrived = false;
};

// [ask]
asio::awaitable<void> send(stream_protocol::socket& server, Ask& ask) {
  const auto reply = std::make_shared<Reply>();  // lives until the read ends
  const auto arrival = std::make_shared<Timer>(server.get_executor(), ask.time_out);
  co_await asio::async_write(server, asio::buffer(&ask.question, 1), asio::use_awaitable);
  asio::async_read(server, asio::buffer(&reply->byte, 1),
                   [reply, arrival](boost::system::error_code error, std::size_t) {
                     reply->arrived = !error;
                     arrival->cancel();  // wakes who waits
                   });
  co_await arrival->async_wait(as_result);
  ask.answer = reply->arrived ? std::string("answer to ") + reply->byte : "time-out";
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
