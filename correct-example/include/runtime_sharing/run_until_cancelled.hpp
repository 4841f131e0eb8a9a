#pragma once

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/error.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace runtime_sharing {
namespace detail {

/// As in a task: an interruption ends what is pending, and not the ability to wait.
template <typename T>
boost::asio::awaitable<T> stay_able_to_wait(boost::asio::awaitable<T> work) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  co_return co_await std::move(work);
}

}  // namespace detail

/// Awaits `work` unless the token is cancelled first. Says `nullopt` (`false` for work without a
/// result) if the token won; otherwise the result, or the exception, of the work. If both are
/// ready, the work wins.
///
/// A token that is cancelled already: the work never starts. One that is cancelled meanwhile: the
/// operation that the work is suspended in is cancelled, and the work is awaited to its end, since
/// in C++ a coroutine that somebody else may resume cannot be dropped. Work that is deaf delays it,
/// and so does work whose operation had its result just then: that operation is not ended, and
/// nobody asks again. So work that goes from one operation to the next looks at the token as well.
///
/// To be awaited in a task, or in another coroutine whose executor is a strand.
///
/// Called elsewhere: `tokio_util::sync::CancellationToken::run_until_cancelled`, which drops.
template <typename T>
boost::asio::awaitable<std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>>
run_until_cancelled(CancellationToken token, boost::asio::awaitable<T> work) {
  using Result = std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>;
  if (token.is_cancelled()) co_return Result();
  auto outcome = co_await boost::asio::co_spawn(
      co_await boost::asio::this_coro::executor, detail::stay_able_to_wait(std::move(work)),
      cancel_on(token, boost::asio::as_tuple(boost::asio::use_awaitable)));
  if (const auto& error = std::get<0>(outcome)) {
    if (token.is_cancelled() && is_cancellation(error)) co_return Result();
    std::rethrow_exception(error);
  }
  if constexpr (std::is_void_v<T>) {
    co_return true;
  } else {
    co_return std::move(std::get<1>(outcome));
  }
}

}  // namespace runtime_sharing
