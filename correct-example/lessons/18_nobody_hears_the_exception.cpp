// 18 nobody hears the exception · each task has a handler that takes its failure down
// Group     The runtime, its start and its end
// Symptom   "it stopped, and said nothing"
// Expected  worker_said disk full · receiver_said no route · threads_lost 0 · late_task_ran yes
// Why       The completion handler is the task's caller: it keeps the failure, and returns.
#include <boost/asio.hpp>
#include <boost/thread/thread.hpp>

#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;

struct Facts {  // used by the runtime's thread, read after its join
  std::string worker = "nothing", receiver = "nothing";
  int threads_lost = 0;
  bool late_task_ran = false;
};

asio::awaitable<void> fail(std::string what) {
  co_await asio::post(asio::use_awaitable);
  throw std::runtime_error(what);
}

asio::awaitable<void> late(Facts& facts) {  // after ten turns: the other two have failed by then
  for (int turn = 0; turn < 10; ++turn) co_await asio::post(asio::use_awaitable);
  facts.late_task_ran = true;
}

// [report]
auto report(std::string& said) {
  return [&said](std::exception_ptr failure) {
    try {
      if (failure) std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      said = error.what();
    }
  };
}
// [/report]

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Facts facts;
  asio::io_context context;
  // [spawn]
  asio::co_spawn(context, fail("disk full"), report(facts.worker));
  asio::co_spawn(context, fail("no route"), report(facts.receiver));
  asio::co_spawn(context, late(facts), asio::detached);
  // [/spawn]
  boost::thread thread([&] {
    try {
      context.run();
    } catch (const std::exception&) {
      ++facts.threads_lost;  // asio::thread_pool catches nothing: there the process ends
    }
  });
  thread.join();
  show("worker_said", facts.worker);
  show("receiver_said", facts.receiver);
  show("threads_lost", facts.threads_lost);
  show("late_task_ran", facts.late_task_ran ? "yes" : "no");
}
