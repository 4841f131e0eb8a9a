// queue_bound · what the bound of a queue buys, and what it costs: a channel between two tasks
// Run       build/release/bin/queue_bound
// Expected  a table, and no fact: it is measured, and differs from machine to machine
// Why       docs/what-to-use-when.md
#include <boost/asio.hpp>
#include <boost/asio/experimental/channel.hpp>

#include <algorithm>
#include <array>
#include <ctime>
#include <exception>
#include <iomanip>
#include <iostream>
#include <vector>

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int messages = 200'000;
using Message = std::array<char, 64>;
using Queue = asio::experimental::channel<void(error_code, Message)>;

struct Figures {
  double per_ms;            // messages, by the processor time of the only thread
  double wait_us;           // of a message, on average: how many are on the way / throughput
  double waits;             // of the sender, for a thousand messages
  int most_on_the_way = 0;  // in the queue, in a sender that waits, in a receiver that waits
};

struct Traffic {
  asio::awaitable<void> produce() {
    for (int count = 0; count < messages; ++count) {
      most_on_the_way = std::max(most_on_the_way, ++on_the_way);
      if (queue.try_send(error_code(), Message())) continue;
      ++waits;
      co_await queue.async_send(error_code(), Message(), asio::use_awaitable);
    }
  }
  asio::awaitable<void> consume() {
    const auto taken = [](error_code, const Message&) {};
    for (int count = 0; count < messages; ++count) {
      if (!queue.try_receive(taken)) co_await queue.async_receive(asio::use_awaitable);
      found += on_the_way--;
    }
  }
  Queue queue;
  int on_the_way = 0, most_on_the_way = 0, waits = 0;
  double found = 0;  // on the way when a message was taken: the sum over all messages
};

void end_on_failure(std::exception_ptr failure) {
  if (failure) std::terminate();
}

Figures measure(std::size_t capacity) {
  asio::io_context context(1);
  Traffic traffic{Queue(context, capacity)};
  asio::co_spawn(context, traffic.produce(), end_on_failure);
  asio::co_spawn(context, traffic.consume(), end_on_failure);
  const auto begun = std::clock();
  context.run();
  const double ms = 1e3 * static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
  const double per_ms = messages / ms;
  return {per_ms, traffic.found / messages / per_ms * 1e3, 1e3 * traffic.waits / messages,
          traffic.most_on_the_way};
}

}  // namespace

int main() {
  std::cout << "capacity  messages_per_ms  wait_us  sender_waits  most_on_the_way  kilobytes\n";
  for (std::size_t capacity = 1; capacity <= 1024; capacity *= 2) {
    std::vector<Figures> runs;
    for (int run = 0; run < 5; ++run) runs.push_back(measure(capacity));
    std::ranges::sort(runs, {}, &Figures::per_ms);
    const Figures& median = runs[runs.size() / 2];
    const double kilobytes = median.most_on_the_way * static_cast<double>(sizeof(Message)) / 1024;
    std::cout << std::fixed << std::setprecision(0) << std::setw(8) << capacity  //
              << std::setw(17) << median.per_ms << std::setprecision(2)          //
              << std::setw(9) << median.wait_us << std::setw(14) << median.waits << std::setw(17)
              << median.most_on_the_way << std::setw(11) << kilobytes << std::endl;
  }
}
