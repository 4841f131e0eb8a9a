// What the parts of the dictionary have in common: see docs/dictionary.md.
#pragma once

#include "runtime_sharing/runtime_sharing.hpp"

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include <iostream>
#include <string>
#include <string_view>
#include <type_traits>

namespace dictionary {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using namespace runtime_sharing;
using namespace std::chrono_literals;
using boost::system::error_code;
using Channel = asio::experimental::concurrent_channel<void(error_code, int)>;
using Timer = asio::steady_timer;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);  // an error is no exception

// Each shows what its functions observed.
void show_running();
void show_tasks();
void show_state();
void show_messages();

template <typename Value>
void show(std::string_view name, const Value& value) {
  std::cout << name << ' ';
  if constexpr (std::is_same_v<Value, bool>) std::cout << (value ? "yes" : "no");
  if constexpr (!std::is_same_v<Value, bool>) std::cout << value;
  std::cout << std::endl;
}

// [tokio-main]
/// Runs a coroutine to its end on the calling thread, and gives what it returned.
template <typename T>
T run(asio::awaitable<T> work) {
  asio::io_context context;
  auto result = asio::co_spawn(context, std::move(work), asio::use_future);
  context.run();
  return result.get();
}
// [/tokio-main]

inline asio::awaitable<int> answer() {
  co_return 42;
}

inline asio::awaitable<void> fail() {
  throw std::runtime_error("failed");
  co_return;
}

inline asio::awaitable<void> append(std::string& text, std::string word) {
  text += word;
  co_return;
}

/// Listens to no token: only what ends its operation ends it.
inline asio::awaitable<void> wait_for_ever(std::string& seen) {
  Timer never(co_await asio::this_coro::executor, 1h);
  seen += "waits, ";
  const auto [error] = co_await never.async_wait(as_result);
  seen += error == asio::error::operation_aborted ? "told, " : "timer fired, ";
}

}  // namespace dictionary
