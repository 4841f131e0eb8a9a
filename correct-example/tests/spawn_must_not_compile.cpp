// What a compiler says first to the likely mistakes at spawn() and its relatives.

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime.hpp"

namespace asio = boost::asio;
using namespace runtime_sharing;

asio::awaitable<void> task() {
  co_return;
}
asio::awaitable<void> with_number(int) {
  co_return;
}

asio::awaitable<void> uses([[maybe_unused]] Runtime& runtime, [[maybe_unused]] TaskScope& scope) {
#if defined(COROUTINE)
  scope.spawn("task", task());
#elif defined(RETURNS_VOID)
  scope.spawn("task", [] {});
#elif defined(RETURNS_A_VALUE)
  scope.try_spawn("task", []() -> asio::awaitable<int> { co_return 1; });
#elif defined(WRONG_ARGUMENTS)
  runtime.spawn("task", with_number, "not a number");
#elif defined(WAITS_FOR_ROOM)
  co_await scope.async_spawn("task", task());
#elif defined(SCOPE_FOR_A_TOKEN)
  cancel_on(scope);
#elif defined(ONE_DURATION)
  co_await runtime.async_shutdown(std::chrono::seconds(2));
#elif defined(BLOCKING_COROUTINE)
  co_await runtime.spawn_blocking("call", task());
#else
  runtime.spawn("task", with_number, 1);
  runtime.spawn("task", task);
  co_await scope.async_spawn("task", with_number, 1);
  cancel_on(scope.token());
#endif
  co_return;
}
