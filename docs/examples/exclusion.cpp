// exclusion · two tasks read, suspend and write: what keeps the other one out meanwhile?
// Run       build/release/bin/exclusion
// Expected  strand_tasks_inside 2 · strand_lost_updates 100
//           channel_tasks_inside 1 · channel_lost_updates 0 · channel_lost_apart 0
//           owner_tasks_inside 1 · owner_lost_updates 0 · owner_lost_apart 0
// Why       docs/what-to-use-when.md
#include <boost/asio.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <iostream>
#include <memory>
#include <string_view>
#include <thread>
#include <tuple>

namespace {

namespace asio = boost::asio;
using asio::experimental::concurrent_channel;
using boost::system::error_code;

constexpr int rounds = 100;  // of each of the two tasks
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

void end_on_failure(std::exception_ptr failure) {
  if (failure) std::terminate();
}

// [read-suspend-write]
struct Counter {
  asio::awaitable<void> increment() {
    most_inside = std::max(most_inside, ++inside);
    const int read = value;
    co_await asio::post(asio::use_awaitable);  // a query, a write to a socket: whatever suspends
    value = read + 1;
    --inside;
  }
  int value = 0, inside = 0, most_inside = 0;  // of whoever has the turn
};
// [/read-suspend-write]

// [strand]
struct StrandAlone {
  explicit StrandAlone(const asio::any_io_executor&) {}
  asio::awaitable<void> count() {
    for (int round = 0; round < rounds; ++round) co_await counter.increment();
  }
  void close() {}
  Counter counter;
};
// [/strand]

// [channel-of-one]
using Turn = concurrent_channel<void(error_code)>;

struct GiveBack {
  ~GiveBack() { turn.try_receive(nothing); }  // the next in line has it now
  static void nothing(error_code) {}
  Turn& turn;
};

struct ChannelOfOne {
  explicit ChannelOfOne(const asio::any_io_executor& executor) : turn(executor, 1) {}
  asio::awaitable<void> count() {
    for (int round = 0; round < rounds; ++round) {
      co_await turn.async_send(error_code(), asio::use_awaitable);  // full: the other has the turn
      const GiveBack give_back{turn};
      co_await counter.increment();
    }
  }
  void close() {}
  Turn turn;
  Counter counter;
};
// [/channel-of-one]

// [owner]
using Reply = concurrent_channel<void(error_code, int)>;

struct Owner {
  explicit Owner(const asio::any_io_executor& executor) : requests(executor, 8) {
    asio::co_spawn(executor, serve(), end_on_failure);
  }
  asio::awaitable<void> count() {
    for (int round = 0; round < rounds; ++round) {
      const auto reply = std::make_shared<Reply>(requests.get_executor(), 1);  // room: never waits
      co_await requests.async_send(error_code(), reply, asio::use_awaitable);
      co_await reply->async_receive(asio::use_awaitable);
    }
  }
  asio::awaitable<void> serve() {
    for (;;) {
      const auto [closed, reply] = co_await requests.async_receive(as_result);
      if (closed) co_return;
      co_await counter.increment();  // nobody else has the counter
      reply->try_send(error_code(), counter.value);
    }
  }
  void close() { requests.close(); }
  concurrent_channel<void(error_code, std::shared_ptr<Reply>)> requests;
  Counter counter;
};
// [/owner]

/// Two tasks on two threads: on one strand, where the order of the queue decides who goes on, or on
/// a strand each, where nothing does.
template <typename Way>
Counter count_with_two_tasks(bool apart) {
  asio::io_context context;
  const asio::any_io_executor strand = asio::make_strand(context);
  const asio::any_io_executor other = apart ? asio::make_strand(context) : strand;
  Way way(strand);
  std::atomic<int> counting = 2;
  const auto has_ended = [&](std::exception_ptr failure) {
    end_on_failure(failure);
    if (--counting == 0) way.close();
  };
  asio::co_spawn(strand, way.count(), has_ended);
  asio::co_spawn(other, way.count(), has_ended);

  std::thread second([&] { context.run(); });  // from here on they run
  context.run();
  second.join();
  return way.counter;
}

void show(std::string_view name, int value) {
  std::cout << name << ' ' << value << std::endl;
}

int lost_updates(const Counter& counter) {
  return 2 * rounds - counter.value;
}

}  // namespace

int main() {
  const Counter strand = count_with_two_tasks<StrandAlone>(false);
  show("strand_tasks_inside", strand.most_inside);
  show("strand_lost_updates", lost_updates(strand));

  const Counter channel = count_with_two_tasks<ChannelOfOne>(false);
  show("channel_tasks_inside", channel.most_inside);
  show("channel_lost_updates", lost_updates(channel));
  show("channel_lost_apart", lost_updates(count_with_two_tasks<ChannelOfOne>(true)));

  const Counter owner = count_with_two_tasks<Owner>(false);
  show("owner_tasks_inside", owner.most_inside);
  show("owner_lost_updates", lost_updates(owner));
  show("owner_lost_apart", lost_updates(count_with_two_tasks<Owner>(true)));
}
