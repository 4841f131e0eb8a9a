// 04 the polite cancellation · the task opts in, and who asks never goes back to a weaker kind
// Group     Telling, and being told
// Symptom   "I asked for total; nothing happened"
// Expected  after_total ends · after_terminal ends · after_both ends ·
//           cancelled_by_both terminal
// Why       The filter lets total through, and after terminal nothing weaker is emitted.
#include <boost/asio.hpp>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <iostream>
#include <optional>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Kind = asio::cancellation_type;  // total, partial, terminal: from polite to urgent
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);  // an error is no exception

struct Task {
  asio::cancellation_signal signal;
  Kind asked = Kind::total;  // the most urgent kind so far
  std::optional<asio::cancellation_state> state;
  Kind cancelled = Kind::none;
  bool ended = false;
};

// [task]
asio::awaitable<void> sleep(Task& task) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  task.state = co_await asio::this_coro::cancellation_state;
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  while (task.state->cancelled() == Kind::none) co_await timer.async_wait(as_result);
}
// [/task]

// [ask]
void ask(Task& task, Kind kind) {
  task.asked = std::min(task.asked, kind);  // the values fall: total 4, partial 2, terminal 1
  task.signal.emit(task.asked);
}
// [/ask]

const char* outcome(Task& task, std::initializer_list<Kind> kinds) {
  asio::io_context runtime;
  asio::co_spawn(runtime, sleep(task),
                 asio::bind_cancellation_slot(task.signal.slot(),
                                              [&task](std::exception_ptr) { task.ended = true; }));
  runtime.poll();  // the task waits for its timer
  asio::post(runtime, [&task, kinds] {
    for (const Kind kind : kinds) ask(task, kind);
    task.cancelled = task.state->cancelled();
  });
  runtime.poll();  // until nobody has anything to do
  return task.ended ? "ends" : "sleeps on";
}

const char* name(Kind kind) {
  switch (kind) {
    case Kind::none:
      return "none";
    case Kind::terminal:
      return "terminal";
    case Kind::total:
      return "total";
    default:
      return "another";
  }
}

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Task first, second, third;
  show("after_total", outcome(first, {Kind::total}));
  show("after_terminal", outcome(second, {Kind::terminal}));
  show("after_both", outcome(third, {Kind::terminal, Kind::total}));
  show("cancelled_by_both", name(third.cancelled));
}
