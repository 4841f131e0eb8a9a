// A program that uses the library from outside: a runtime, a task with a name, a shutdown.
#include <iostream>
#include <runtime_sharing/runtime.hpp>

#if defined(BOOST_ASIO_SEPARATE_COMPILATION) && !defined(OF_A_DEVELOPER_BUILD)
#error "a macro of the library's developer mode reaches its consumers"
#endif

// [program]
boost::asio::awaitable<void> wait_patiently(runtime_sharing::CancellationToken token) {
  co_await token.cancelled();
}

int main() {
  const auto runtime = runtime_sharing::Runtime::start({.name = "consumer"});
  runtime->spawn("patient task", wait_patiently, runtime->token());

  const auto report = runtime->shutdown();

  std::cout << report << '\n';
  return report.graceful() && report.tasks_total == 1 ? 0 : 1;
}
// [/program]
