// 03 clean-up that awaits · the wait is cancelled, and the task goes on to its end
// Group     Telling, and being told
// Symptom   "flush on shutdown throws operation_aborted"
// Expected  flush_error none · rows_stored 3 · rows_lost 0
// Why       The signal reaches one operation; the task reads its result, and may still await.
#include <boost/asio.hpp>

#include <chrono>
#include <iostream>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);  // an error is no exception

struct Worker {
  std::string rows;
  boost::system::error_code flush_error;
};

asio::awaitable<void> flush(asio::writable_pipe& store, Worker& worker) {
  co_await asio::async_write(store, asio::buffer(worker.rows), asio::use_awaitable);
  worker.rows.clear();
}

// [work]
asio::awaitable<void> work(asio::writable_pipe& store, Worker& worker,
                           asio::cancellation_slot told) {
  asio::steady_timer batch_full(co_await asio::this_coro::executor, 1h);
  worker.rows = "abc";  // a row is one byte here
  co_await batch_full.async_wait(asio::bind_cancellation_slot(told, as_result));
  try {
    co_await flush(store, worker);
  } catch (const boost::system::system_error& error) {
    worker.flush_error = error.code();
  }
}
// [/work]

int main() {
  asio::cancellation_signal tell;
  asio::io_context runtime;
  asio::readable_pipe stored(runtime);
  asio::writable_pipe store(runtime);
  asio::connect_pipe(stored, store);
  Worker worker;

  // [spawn]
  asio::co_spawn(runtime, work(store, worker, tell.slot()), asio::detached);
  // [/spawn]
  runtime.poll();  // the worker waits for its batch to be full
  asio::post(runtime, [&tell] { tell.emit(asio::cancellation_type::terminal); });
  runtime.run();

  store.close();
  std::string rows;
  boost::system::error_code end_of_file;
  asio::read(stored, asio::dynamic_buffer(rows), end_of_file);
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  const bool aborted = worker.flush_error == asio::error::operation_aborted;
  show("flush_error", aborted ? "operation_aborted" : worker.flush_error ? "another" : "none");
  show("rows_stored", rows.size());
  show("rows_lost", worker.rows.size());
}
