// Token and scope on their own, on an executor of somebody else's: linked with nothing of the
// runtime.

#include "runtime_sharing/task_scope.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <thread>

int main() {
  namespace asio = boost::asio;
  asio::io_context context;
  runtime_sharing::TaskScope scope("scope", context.get_executor());
  scope.spawn("task",
              [token = scope.token()]() -> asio::awaitable<void> { co_await token.cancelled(); });
  auto ended = scope.async_shutdown({}, asio::use_future);
  std::thread window([&context] { context.run(); });
  const bool graceful = ended.get().graceful();
  window.join();
  return graceful ? 0 : 1;
}
