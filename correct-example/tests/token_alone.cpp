// The token's layer on its own: this program is linked with its sources and with nothing of the
// scopes, the runtime or the engine.

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/run_until_cancelled.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

int main() {
  namespace asio = boost::asio;
  asio::io_context context;
  const runtime_sharing::CancellationToken token;
  const auto child = token.child_token();
  int told = 0;
  const runtime_sharing::CancellationCallback callback(child, [&told] { ++told; });
  child.cancelled(asio::bind_executor(context, [&told](auto error) { told += error ? 0 : 1; }));
  asio::steady_timer never(context, asio::steady_timer::time_point::max());
  never.async_wait(runtime_sharing::cancel_on(
      child, asio::bind_executor(context, [&told](auto error) { told += error ? 1 : 0; })));
  context.poll();

  token.cancel();
  context.run();
  return told == 3 ? 0 : 1;
}
