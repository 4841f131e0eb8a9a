// 15 waiting on your own thread · co_await, and a join by somebody else
// Group     Threads that stand still
// Symptom   "it hangs, at 0 % CPU"
// Expected  answer_before_help yes · fetched_by the worker · join_on_itself not tried
// Why       A coroutine that waits gives its thread back; the window joins, from outside.
#include <boost/asio.hpp>
#include <boost/thread/thread.hpp>

#include <atomic>
#include <iostream>
#include <semaphore>
#include <string>

namespace asio = boost::asio;

struct Runtime {
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> open{context.get_executor()};
  std::counting_semaphore<> quiet{0};  // the worker waits, or has ended: it runs no handler
  std::atomic<bool> answered = false;
  boost::thread::id fetched_by;
  std::string join_on_itself = "not tried";
  boost::thread worker{[this] {
    context.run();
    quiet.release();
  }};
};

asio::awaitable<boost::thread::id> fetch() {
  co_await asio::post(asio::use_awaitable);  // one suspension: stands for a request to a server
  co_return boost::this_thread::get_id();
}

asio::awaitable<void> ask(Runtime& runtime) {
  // [ask]
  runtime.fetched_by = co_await fetch();
  // [/ask]
  runtime.answered = true;
}

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Runtime runtime;
  const auto name = [worker = runtime.worker.get_id()](boost::thread::id id) {
    if (id == boost::this_thread::get_id()) return "the window";
    return id == worker ? "the worker" : "another thread";
  };
  asio::co_spawn(runtime.context, ask(runtime), asio::detached);
  runtime.open.reset();
  runtime.quiet.acquire();
  show("answer_before_help", runtime.answered ? "yes" : "no");
  runtime.context.run();  // the window lends its thread, if anything is left to do
  runtime.worker.join();  // the window joins: no handler of the runtime runs here
  show("fetched_by", name(runtime.fetched_by));
  show("join_on_itself", runtime.join_on_itself);
}
