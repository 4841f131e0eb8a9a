#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace runtime_sharing::detail {

/// Says in the compiler's first line what is wrong with a task's function. Always true otherwise.
template <typename F, typename... Args>
consteval bool is_task_function() {
  using Awaitable = boost::asio::awaitable<void>;
  if constexpr (std::is_same_v<F, Awaitable>) {
    static_assert(!std::is_same_v<F, Awaitable>,
                  "a task is spawned by the function that makes its coroutine, not by the "
                  "coroutine: spawn(name, function, arguments...)");
    return false;
  } else if constexpr (!std::is_invocable_v<F, Args...>) {
    static_assert(std::is_invocable_v<F, Args...>,
                  "the task's function cannot be called with these arguments, which are copied or "
                  "moved into the task: for a reference, use std::ref");
    return false;
  } else {
    static_assert(std::is_same_v<std::invoke_result_t<F, Args...>, Awaitable>,
                  "the task's function must be a coroutine that returns "
                  "boost::asio::awaitable<void>");
    return std::is_same_v<std::invoke_result_t<F, Args...>, Awaitable>;
  }
}

/// For overloads that are there to say what is wrong.
template <typename...>
inline constexpr bool never = false;

/// Calls `start` with the completion token first: the last of the arguments if the function does
/// not take all of them, otherwise the default one.
template <typename F, typename Start, typename... Args>
auto with_completion_token(Start start, Args&&... arguments) {
  constexpr bool takes_all = std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>;
  if constexpr (takes_all || sizeof...(Args) == 0) {
    return start(boost::asio::use_awaitable, std::forward<Args>(arguments)...);
  } else {
    constexpr std::size_t last = sizeof...(Args) - 1;
    using All = std::tuple<Args&&...>;
    const All all(std::forward<Args>(arguments)...);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return start(static_cast<std::tuple_element_t<last, All>>(std::get<last>(all)),
                   static_cast<std::tuple_element_t<I, All>>(std::get<I>(all))...);
    }(std::make_index_sequence<last>());
  }
}

}  // namespace runtime_sharing::detail
