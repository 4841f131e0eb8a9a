// The dictionary: channels, input and output, signals.
#include <boost/thread/concurrent_queues/sync_bounded_queue.hpp>

#include "dictionary.hpp"
#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <future>
#include <iterator>
#include <limits>
#include <thread>

namespace dictionary {
namespace {

// Channels

// [mpsc]
asio::awaitable<int> mpsc() {
  Channel channel(co_await asio::this_coro::executor, 100);
  for (const int value : {1, 2, 3})
    co_await channel.async_send(error_code(), value, asio::use_awaitable);
  int sum = 0;
  while (channel.ready()) sum += co_await channel.async_receive(asio::use_awaitable);
  co_return sum;
}
// [/mpsc]

// [full-channel]
int full_channel() {
  asio::io_context context;
  Channel channel(context, 2);
  int accepted = 0;
  while (channel.try_send(error_code(), accepted)) ++accepted;  // async_send would be suspended
  return accepted;
}
// [/full-channel]

// [unbounded-channel]
int unbounded_channel() {
  asio::io_context context;
  Channel channel(context, std::numeric_limits<std::size_t>::max());
  int accepted = 0;
  while (accepted < 10'000 && channel.try_send(error_code(), accepted)) ++accepted;
  return accepted;
}
// [/unbounded-channel]

// [recv-none]
asio::awaitable<std::string> recv_none() {
  Channel channel(co_await asio::this_coro::executor, 100);
  asio::post(channel.get_executor(), [&] { channel.close(); });  // nobody counts the senders
  const auto [error, value] = co_await channel.async_receive(as_result);
  co_return error == asio::experimental::error::channel_closed ? "channel_closed" : error.message();
}
// [/recv-none]

// [oneshot]
asio::awaitable<int> oneshot() {
  Channel reply(co_await asio::this_coro::executor, 1);
  asio::post(reply.get_executor(), [&] { reply.try_send(error_code(), 42); });
  co_return co_await reply.async_receive(asio::use_awaitable);
}
// [/oneshot]

// [std-promise]
int std_promise() {
  std::promise<int> sender;
  std::future<int> receiver = sender.get_future();
  const std::jthread thread([&] { sender.set_value(42); });
  return receiver.get();  // blocks this thread
}
// [/std-promise]

// [broadcast]
asio::awaitable<int> broadcast() {
  const auto executor = co_await asio::this_coro::executor;
  std::array receivers{Channel(executor, 16), Channel(executor, 16)};
  for (auto& receiver : receivers) receiver.try_send(error_code(), 10);
  int sum = 0;
  for (auto& receiver : receivers) sum += co_await receiver.async_receive(asio::use_awaitable);
  co_return sum;
}
// [/broadcast]

// [watch]
asio::awaitable<int> watch() {
  Timer changed(co_await asio::this_coro::executor, Timer::time_point::max());
  int latest = 0;
  asio::post(changed.get_executor(), [&] {
    latest = 10;
    latest = 20;
    changed.cancel();  // wakes all who wait now
  });
  co_await changed.async_wait(as_result);
  co_return latest;
}
// [/watch]

// [atomic-wait]
int atomic_wait() {
  std::atomic<int> latest = 0;
  const std::jthread sender([&] {
    latest = 20;
    latest.notify_all();
  });
  latest.wait(0);  // blocks this thread while the value is 0
  return latest;
}
// [/atomic-wait]

// [std-mpsc]
int std_mpsc() {
  boost::sync_bounded_queue<int> queue(100);
  const std::jthread sender([&] { queue.push_back(42); });
  return queue.pull_front();  // blocks this thread
}
// [/std-mpsc]

// Input and output

struct Pipe {
  explicit Pipe(const asio::any_io_executor& executor) : out(executor), in(executor) {
    asio::connect_pipe(out, in);
  }
  asio::readable_pipe out;
  asio::writable_pipe in;
};

// [read]
asio::awaitable<std::size_t> read() {
  Pipe pipe(co_await asio::this_coro::executor);
  asio::write(pipe.in, asio::buffer("hello", 5));
  std::array<char, 100> bytes;
  co_return co_await pipe.out.async_read_some(asio::buffer(bytes), asio::use_awaitable);
}
// [/read]

// [read-line]
asio::awaitable<std::string> read_line() {
  Pipe pipe(co_await asio::this_coro::executor);
  asio::write(pipe.in, asio::buffer("one\ntwo\n", 8));
  std::string text;  // outlives the read: it keeps what came beyond the line
  const auto size = co_await asio::async_read_until(pipe.out, asio::dynamic_buffer(text), '\n',
                                                    asio::use_awaitable);
  co_return std::to_string(size) + " of " + std::to_string(text.size());
}
// [/read-line]

// [copy]
asio::awaitable<std::size_t> copy(Pipe& from, Pipe& to) {
  std::array<char, 4096> bytes;
  for (std::size_t copied = 0;;) {
    const auto [error, size] = co_await from.out.async_read_some(asio::buffer(bytes), as_result);
    if (error) co_return copied;  // eof, or what was wrong
    copied += co_await asio::async_write(to.in, asio::buffer(bytes, size), asio::use_awaitable);
  }
}
// [/copy]

asio::awaitable<std::size_t> copy_all() {
  const auto executor = co_await asio::this_coro::executor;
  Pipe from(executor);
  Pipe to(executor);
  asio::write(from.in, asio::buffer("hello", 5));
  from.in.close();
  co_return co_await copy(from, to);
}

// [read-to-string]
std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::string read_to_string() {
  const auto runtime = Runtime::start({.threads = 1});
  auto text = runtime->spawn_blocking("read", read_file, "/proc/self/comm", asio::use_future).get();
  runtime->shutdown();
  return text.substr(0, text.find('\n'));
}
// [/read-to-string]

// Signals

// [ctrl-c]
asio::awaitable<int> ctrl_c() {
  asio::signal_set signals(co_await asio::this_coro::executor, SIGINT, SIGTERM);
  std::raise(SIGINT);
  co_return co_await signals.async_wait(asio::use_awaitable);
}
// [/ctrl-c]

// [after-ctrl-c]
std::string after_ctrl_c() {
  return std::signal(SIGINT, SIG_DFL) == SIG_DFL ? "ends the process" : "is handled";
}
// [/after-ctrl-c]

}  // namespace

void show_messages() {
  show("mpsc", run(mpsc()));
  show("full_channel", full_channel());
  show("unbounded_channel", unbounded_channel());
  show("recv_none", run(recv_none()));
  show("oneshot", run(oneshot()));
  show("std_promise", std_promise());
  show("broadcast", run(broadcast()));
  show("watch", run(watch()));
  show("atomic_wait", atomic_wait());
  show("std_mpsc", std_mpsc());
  show("read", run(read()));
  show("read_line", run(read_line()));
  show("copy", run(copy_all()));
  show("read_to_string", read_to_string());
  show("ctrl_c", run(ctrl_c()));
  show("after_ctrl_c", after_ctrl_c());
}

}  // namespace dictionary
