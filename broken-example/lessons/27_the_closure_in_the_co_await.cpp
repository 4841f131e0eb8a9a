// 27 the closure in the co_await · a capturing closure is written inside the co_await expression
// Group     What must outlive what
// Symptom   "use_count is garbage"
// Expected  capture varies: destroyed twice with g++ 12.2, once with clang ·
//           destroyed_too_often at most 1 · as_known_of_compiler yes
// Why       The closure is a temporary of the expression, and lives in the frame. g++ 12.2 destroys
//           its captures twice. The language, and a compiler that is right, destroy them once.
#include <boost/asio.hpp>

#include <iostream>

namespace asio = boost::asio;

// What is known: g++ 12.2 is wrong. Of other versions this program finds it out.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ == 12 && __GNUC_MINOR__ <= 2
constexpr int known_least = 1;
#else
constexpr int known_least = 0;
#endif

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
  co_await asio::co_spawn(
      co_await asio::this_coro::executor, [captured]() -> asio::awaitable<void> { co_return; },
      asio::use_awaitable);
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
