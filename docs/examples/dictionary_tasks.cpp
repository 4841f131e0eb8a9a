// The dictionary: tasks, cancelling.

#include "dictionary.hpp"
#include <functional>
#include <stop_token>

namespace dictionary {
namespace {

// Tasks

// [spawn]
asio::awaitable<std::string> spawn() {
  TaskScope scope("example", co_await asio::this_coro::executor);
  std::string seen;
  scope.spawn("task", append, std::ref(seen), "run");
  seen += "spawned, ";
  co_await scope.async_join();
  co_return seen;
}
// [/spawn]

// [fire-and-forget]
std::string fire_and_forget() {
  asio::io_context context;
  asio::co_spawn(context, fail(), asio::detached);
  try {
    context.run();
  } catch (const std::runtime_error&) {
    return "run() throws";
  }
  return "nobody heard";
}
// [/fire-and-forget]

// [join-handle]
asio::awaitable<int> join_handle() {
  const auto executor = co_await asio::this_coro::executor;
  co_return co_await asio::co_spawn(executor, answer(), asio::use_awaitable);
}
// [/join-handle]

// [join-error]
asio::awaitable<std::string> join_error() {
  TaskScope scope("example", co_await asio::this_coro::executor);
  const TaskHandle handle = scope.spawn("task", fail);
  try {
    co_await handle.async_join();
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "no error";
}
// [/join-error]

// [join-set]
asio::awaitable<std::size_t> join_set() {
  TaskScope set("set", co_await asio::this_coro::executor);
  std::string seen;
  for (int i = 0; i < 10; ++i) set.spawn("task", append, std::ref(seen), "x");
  co_await set.async_join();  // closes it, and waits for all
  co_return seen.size();
}
// [/join-set]

// [join-next]
asio::awaitable<void> square(Channel& results, int number) {
  co_await results.async_send(error_code(), number * number, asio::use_awaitable);
}
asio::awaitable<int> join_next() {
  const auto executor = co_await asio::this_coro::executor;
  Channel results(executor, 2);
  TaskScope set("set", executor);
  for (const int number : {3, 4}) set.spawn("square", square, std::ref(results), number);
  int sum = 0;
  for (int i = 0; i < 2; ++i) sum += co_await results.async_receive(asio::use_awaitable);
  co_await set.async_join();
  co_return sum;
}
// [/join-next]

// [async-await]
asio::awaitable<std::string> async_await() {
  std::string seen;
  asio::awaitable<void> future = append(seen, "run");
  seen += "made, ";
  co_await std::move(future);
  co_return seen;
}
// [/async-await]

// [select]
asio::awaitable<void> lose(std::string& seen) {
  Timer never(co_await asio::this_coro::executor, 1h);
  co_await never.async_wait(as_result);
  seen += "the loser ends, ";
}
asio::awaitable<std::string> select() {
  std::string seen;
  const auto first = co_await (lose(seen) || answer());
  co_return seen + "won by " + std::to_string(first.index());
}
// [/select]

// [join]
asio::awaitable<std::string> join() {
  const auto executor = co_await asio::this_coro::executor;
  auto both =
      asio::experimental::make_parallel_group(asio::co_spawn(executor, fail(), asio::deferred),
                                              asio::co_spawn(executor, answer(), asio::deferred));
  const auto [order, failure, no_failure, number] =
      co_await both.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
  co_return (failure ? "failed, " : "succeeded, ") + std::to_string(number);
}
// [/join]

// [try-join]
asio::awaitable<std::string> try_join() {
  std::string seen;
  try {
    co_await (wait_for_ever(seen) && fail());
  } catch (const std::runtime_error& error) {
    seen += error.what();
  }
  co_return seen;
}
// [/try-join]

// [pin]
asio::awaitable<bool> pin() {
  const int local = 0;
  const auto* const address = &local;
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_return address == &local;
}
// [/pin]

// [static-bound]
asio::awaitable<std::string> static_bound() {
  TaskScope scope("example", co_await asio::this_coro::executor);
  std::string seen;
  std::string word = "as given";
  scope.spawn("task", append, std::ref(seen), word);  // the word is copied, and owned by the task
  word = "changed";
  co_await scope.async_join();
  co_return seen;
}
// [/static-bound]

// Cancelling

// [token-clone]
bool token_clone() {
  const CancellationToken token;
  const CancellationToken clone = token;
  token.cancel();
  return clone.is_cancelled();
}
// [/token-clone]

// [stop-token]
bool stop_token() {
  std::stop_source source;
  const CancellationToken token(source.get_token());
  source.request_stop();
  return token.is_cancelled();
}
// [/stop-token]

// [cancelled]
asio::awaitable<std::string> cancelled() {
  const CancellationToken token;
  Timer never(co_await asio::this_coro::executor, 1h);
  asio::post(never.get_executor(), [&] { token.cancel(); });
  const auto [error] = co_await never.async_wait(cancel_on(token, as_result));
  co_return error == asio::error::operation_aborted ? "operation_aborted" : error.message();
}
// [/cancelled]

// [select-cancelled]
asio::awaitable<std::string> select_cancelled() {
  const CancellationToken token;
  Timer never(co_await asio::this_coro::executor, 1h);
  asio::post(never.get_executor(), [&] { token.cancel(); });
  auto work = never.async_wait(asio::use_awaitable);
  const bool completed = co_await run_until_cancelled(token, std::move(work));
  co_return completed ? "completed" : "cancelled";
}
// [/select-cancelled]

// [dropped-future]
std::string dropped_future() {
  std::string seen;
  {
    asio::io_context context;
    asio::co_spawn(context, wait_for_ever(seen), asio::detached);
    context.poll();
  }  // destroys the frame: no code of it runs but destructors
  return seen + "gone";
}
// [/dropped-future]

// [abort]
asio::awaitable<std::string> abort() {
  const auto executor = co_await asio::this_coro::executor;
  TaskScope scope("example", executor);
  std::string seen;
  const TaskHandle handle = scope.spawn("deaf", wait_for_ever, std::ref(seen));
  while (seen.empty()) co_await asio::post(executor, asio::use_awaitable);
  handle.interrupt();
  co_await handle.async_join();
  co_return seen + "ended";
}
// [/abort]

}  // namespace

void show_tasks() {
  show("spawn", run(spawn()));
  show("fire_and_forget", fire_and_forget());
  show("join_handle", run(join_handle()));
  show("join_error", run(join_error()));
  show("join_set", run(join_set()));
  show("join_next", run(join_next()));
  show("async_await", run(async_await()));
  show("select", run(select()));
  show("join", run(join()));
  show("try_join", run(try_join()));
  show("pin", run(pin()));
  show("static_bound", run(static_bound()));
  show("token_clone", token_clone());
  show("stop_token", stop_token());
  show("cancelled", run(cancelled()));
  show("select_cancelled", run(select_cancelled()));
  show("dropped_future", dropped_future());
  show("abort", run(abort()));
}

}  // namespace dictionary
