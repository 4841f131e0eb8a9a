// What clang-tidy sees of a lock that is held across a suspension: each function has one way to
// hold it. No compiler says a word about any of them.
//
// A comment `// case:` names the way and says what is expected of four runs of clang-tidy 19: of
// cppcoreguidelines-no-suspend-with-lock and of misc-coroutine-hostile-raii, each with its default
// list of guards and with the list in .clang-tidy. `tools/tidy.py matrix` measures whether that is
// so; `tools/tidy.py table` prints it as a table.

#include "runtime_sharing/suspension_checker.hpp"

#include <boost/thread/lock_types.hpp>
#include <boost/thread/mutex.hpp>
#include <boost/thread/synchronized_value.hpp>

#include <coroutine>
#include <mutex>
#include <optional>

namespace detector_matrix {

/// As little of a coroutine as there can be.
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};

struct Read {
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<>) const {}
  int await_resume() const { return 0; }
};

Read read() {
  return {};
}

using M = std::mutex;
M m;
boost::mutex boost_m;
runtime_sharing::checked::Mutex checked_m("m");
boost::synchronized_value<int> synchronized_value;

// case: `std::lock_guard<M> g(m)` | seen | seen | seen | seen
Task lock_guard() {
  const std::lock_guard<M> g(m);
  co_await read();
}

// case: `std::lock_guard g(m)`, its argument deduced | missed | missed | seen | seen
Task deduced_lock_guard() {
  const std::lock_guard g(m);
  co_await read();
}

// case: a `using` name for `std::lock_guard<M>` | missed | missed | seen | seen
Task renamed_lock_guard() {
  using Guard = std::lock_guard<M>;
  const Guard g(m);
  co_await read();
}

// case: `std::unique_lock<M> g(m)` | seen | seen | missed | seen
Task unique_lock() {
  const std::unique_lock<M> g(m);
  co_await read();
}

// case: `std::unique_lock g(m)`, its argument deduced | missed | missed | missed | seen
Task deduced_unique_lock() {
  const std::unique_lock g(m);
  co_await read();
}

// case: `auto g = std::unique_lock(m)` | missed | missed | missed | seen
Task auto_unique_lock() {
  const auto g = std::unique_lock(m);
  co_await read();
}

// case: `boost::unique_lock<boost::mutex> g(m)` | missed | seen | missed | seen
Task boost_unique_lock() {
  const boost::unique_lock<boost::mutex> g(boost_m);
  co_await read();
}

// case: `boost::mutex::scoped_lock g(m)` | missed | missed | missed | seen
Task boost_scoped_lock() {
  const boost::mutex::scoped_lock g(boost_m);
  co_await read();
}

// case: `auto g = synchronized_value.synchronize()` | missed | missed | missed | seen
Task synchronized() {
  const auto g = synchronized_value.synchronize();
  co_await read();
}

// case: `int x = co_await read()` under a `std::lock_guard<M>` | seen | seen | missed | missed
Task await_in_a_declaration() {
  const std::lock_guard<M> g(m);
  [[maybe_unused]] const int x = co_await read();
}

// case: a `break` or `continue` out of the guard's block | missed | missed | seen | seen
Task break_out_of_the_block() {
  for (;;) {
    const std::lock_guard<M> g(m);
    co_await read();
    if (read().await_resume() == 0) break;
  }
}

// case: both of these | missed | missed | missed | missed
Task await_in_a_declaration_and_break() {
  for (;;) {
    const std::lock_guard<M> g(m);
    const int x = co_await read();
    if (x == 0) break;
  }
}

// case: a guard of one's own that is no template | missed | missed | missed | seen
Task guard_that_is_no_template() {
  const runtime_sharing::checked::Lock g(checked_m);
  co_await read();
}

// case: `m.lock()` and `m.unlock()` by hand | missed | missed | missed | missed
Task by_hand() {
  m.lock();
  co_await read();
  m.unlock();
}

// case: a guard in a `std::optional` | missed | missed | missed | missed
Task guard_in_an_optional() {
  std::optional<std::lock_guard<M>> g;
  g.emplace(m);
  co_await read();
}

// case: a guard as a parameter by value | missed | missed | missed | missed
Task guard_as_a_parameter([[maybe_unused]] std::unique_lock<M> g) {
  co_await read();
}

// case: no mistake: a `std::unique_lock<M>` unlocked before | seen | seen | missed | seen
Task unlocked_before() {
  std::unique_lock<M> g(m);
  g.unlock();
  co_await read();
}

}  // namespace detector_matrix
