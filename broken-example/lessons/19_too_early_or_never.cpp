// 19 too early, or never · a guard that guards nothing, and a wait that is forgotten
// Group     The runtime, its start and its end
// Symptom   "run() returns at once", and later "run() never returns"
// Expected  returned_before_work yes · jobs_run 0 · returned_after_work no
// Why       run() counts outstanding work: this guard adds none, the pending wait is never taken
// off.
#include <boost/asio.hpp>

#include <csignal>
#include <iostream>
#include <memory>

namespace asio = boost::asio;

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  int jobs_run = 0;
  // poll() is run() up to where it would wait; a context that would have returned is stopped.
  const auto would_return = [](asio::io_context& context) {
    context.poll();
    return context.stopped() ? "yes" : "no";
  };

  // [early]
  const auto context = std::make_shared<asio::io_context>();
  auto guard = asio::make_work_guard(context);
  show("returned_before_work", would_return(*context));
  // [/early]

  asio::post(*context, [&] { ++jobs_run; });
  context->poll();
  show("jobs_run", jobs_run);

  // [never]
  context->restart();
  asio::signal_set signals(*context, SIGTERM);
  signals.async_wait([](boost::system::error_code, int) {});
  asio::post(*context, [&] { ++jobs_run; });  // the last job
  guard.reset();
  show("returned_after_work", would_return(*context));
  // [/never]
}
