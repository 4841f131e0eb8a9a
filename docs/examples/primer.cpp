// The five words of docs/primer.md, each in a few lines that run.
#include <boost/asio.hpp>

#include <future>
#include <iostream>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// [executor]
std::string executor() {
  asio::io_context context;  // has a queue, and no thread of its own
  const asio::any_io_executor executor = context.get_executor();  // a handle on it, cheap to copy
  std::string seen;
  asio::post(executor, [&] { seen += " run"; });  // into the queue
  seen += "queued";
  context.run();  // lends it this thread, until there is nothing to wait for
  return seen;
}
// [/executor]

// [strand]
int strand() {
  asio::thread_pool pool(2);
  const auto strand = asio::make_strand(pool);  // an executor: one handler at a time
  int count = 0;                                // no lock, no atomic
  for (int i = 0; i < 1000; ++i) asio::post(strand, [&] { ++count; });
  pool.join();
  return count;
}
// [/strand]

// [completion-token]
int completion_token(asio::io_context& context) {
  asio::steady_timer timer(context, 0s);
  int completed = 0;
  timer.async_wait([&](boost::system::error_code) { ++completed; });    // call this function
  const std::future<void> future = timer.async_wait(asio::use_future);  // give me a future
  asio::co_spawn(context, timer.async_wait(asio::use_awaitable),  // give me what I can co_await
                 [&](std::exception_ptr) { ++completed; });
  context.run();
  return completed + (future.wait_for(0s) == std::future_status::ready ? 1 : 0);
}
// [/completion-token]

// [awaitable]
asio::awaitable<int> answer(std::string& seen) {
  seen += "started, ";
  co_return 42;
}
asio::awaitable<std::string> awaitable(std::string seen) {
  asio::awaitable<int> made = answer(seen);  // a frame, in which nothing has run yet
  seen += "made, ";
  const int number = co_await std::move(made);  // runs it on this executor, and resumes here
  co_return seen + std::to_string(number);
}
// [/awaitable]

// [cancellation-slot]
std::string cancellation_slot(asio::io_context& context) {
  asio::steady_timer timer(context, 1h);
  asio::cancellation_signal signal;  // who tells; its slot is where an operation listens
  std::string result;
  timer.async_wait(asio::bind_cancellation_slot(
      signal.slot(), [&](boost::system::error_code error) { result = error.message(); }));
  signal.emit(asio::cancellation_type::terminal);  // where the handler runs, on no other thread
  context.run();
  return result;
}
// [/cancellation-slot]

}  // namespace

int main() {
  const auto show = [](auto name, const auto& value) { std::cout << name << ' ' << value << '\n'; };
  show("executor", executor());
  show("strand", strand());
  asio::io_context first;
  show("completion_token", completion_token(first));
  asio::io_context second;
  auto told = asio::co_spawn(second, awaitable(""), asio::use_future);
  second.run();
  show("awaitable", told.get());
  asio::io_context third;
  show("cancellation_slot", cancellation_slot(third));
}
