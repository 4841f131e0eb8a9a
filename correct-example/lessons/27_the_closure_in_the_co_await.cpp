// 27 the closure in the co_await · the closure has a name, and is given to the expression
// Group     What must outlive what
// Symptom   "use_count is garbage"
// Expected  capture destroyed once · destroyed_too_often 0 · as_known_of_compiler yes
// Why       A named closure is a local of the coroutine, and every compiler gets locals right: the
//           temporary of the expression is gone, and with it the second destruction.
#include <boost/asio.hpp>

#include <iostream>

namespace asio = boost::asio;

constexpr int known_least = 0;  // with every compiler

struct Captured {  // counts, so that nothing is freed twice where it is destroyed twice
  Captured() { ++alive; }
  Captured(const Captured&) { ++alive; }
  Captured& operator=(const Captured&) = default;
  ~Captured() { --alive; }
  static inline int alive = 0;
};

asio::awaitable<void> work() {
  const Captured captured;
  // [spawn]
  const auto task = [captured]() -> asio::awaitable<void> { co_return; };
  co_await asio::co_spawn(co_await asio::this_coro::executor, task, asio::use_awaitable);
  // [/spawn]
}

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  asio::io_context context;
  asio::co_spawn(context, work(), asio::detached);
  context.run();

  const int too_often = -Captured::alive;  // none is alive, unless one died more than once
  show("capture", too_often == 0 ? "destroyed once" : "destroyed twice");
  show("destroyed_too_often", too_often);
  show("as_known_of_compiler", too_often >= known_least ? "yes" : "no");
}
