// 15 waiting on your own thread · get() and join() in a task, on the only thread there is
// Group     Threads that stand still
// Symptom   "it hangs, at 0 % CPU"
// Expected  answer_before_help no · fetched_by the window · join_on_itself EDEADLK
// Why       A thread that waits serves no queue: what it waits for stands in that very queue.
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
  auto answer = asio::co_spawn(runtime.context, fetch(), asio::use_future);
  runtime.quiet.release();
  runtime.fetched_by = answer.get();
  // [/ask]
  runtime.answered = true;
  // [end]
  try {
    runtime.worker.join();  // as the destructor of a pool does, when the task is its last owner
  } catch (const boost::thread_resource_error& refused) {
    const bool deadlock = refused.code() == boost::system::errc::resource_deadlock_would_occur;
    runtime.join_on_itself = deadlock ? "EDEADLK" : "another error";
  }
  // [/end]
  co_return;
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
  runtime.worker.join();
  show("fetched_by", name(runtime.fetched_by));
  show("join_on_itself", runtime.join_on_itself);
}
