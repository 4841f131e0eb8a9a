// Compiled once without a macro, which must work, and once for each of these, which must not.

#include "runtime_sharing/guarded.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <array>
#include <coroutine>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using Value = std::vector<std::string>;
runtime_sharing::Guarded<Value> guarded;
boost::asio::io_context context;

/// A coroutine type of somebody else.
struct Generator {
  struct promise_type {
    Generator get_return_object() { return {}; }
    std::suspend_always initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};

/// No coroutine, but a thing to await.
struct Timer {
  std::suspend_always operator co_await() const { return {}; }
};

void use() {
  guarded.with([](Value& value) { value.emplace_back("control"); });
// [refused]
#if defined(AWAITABLE)
  guarded.with([](Value&) -> boost::asio::awaitable<void> { co_return; });
#elif defined(COROUTINE)
  guarded.with([](Value&) -> Generator { co_return; });
#elif defined(AWAITED)
  guarded.with([](Value&) { return Timer(); });
#elif defined(DEFERRED)
  guarded.with([](Value&) { return boost::asio::post(context, boost::asio::deferred); });
#elif defined(REFERENCE)
  guarded.with([](Value& value) -> std::string& { return value.front(); });
  // [/refused]
#elif defined(CONST_REFERENCE)
  std::as_const(guarded).with([](const Value& value) -> const auto& { return value.front(); });
#elif defined(POINTER)
  guarded.with([](Value& value) { return value.data(); });
#elif defined(POINTER_IN_A_PAIR)
  guarded.with([](Value& value) { return std::pair(value.size(), &value); });
#elif defined(ARRAY_OF_POINTERS)
  guarded.with([](Value& value) { return std::array{value.data(), value.data()}; });
#elif defined(VIEW)
  guarded.with([](Value& value) { return value | std::views::drop(1); });
#elif defined(STRING_VIEW)
  guarded.with([](Value& value) -> std::string_view { return value.front(); });
#elif defined(SPAN)
  guarded.with([](Value& value) { return std::span(value); });
#elif defined(ITERATOR)
  guarded.with([](Value& value) { return value.begin(); });
#elif defined(REFERENCE_WRAPPER)
  guarded.with([](Value& value) { return std::ref(value.front()); });
#elif defined(BUFFER)
  guarded.with([](Value& value) { return boost::asio::buffer(value.front()); });
#elif defined(DYNAMIC_BUFFER)
  guarded.with([](Value& value) { return boost::asio::dynamic_buffer(value.front()); });
#elif defined(HANDLE)
  guarded.with([](Value&) { return std::coroutine_handle<>(); });
#endif
}
