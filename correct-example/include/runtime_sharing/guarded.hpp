#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/thread/lock_guard.hpp>
#include <boost/thread/mutex.hpp>

#include <array>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

namespace runtime_sharing {

namespace detail {

template <typename T>
concept HasCoAwait = requires(T&& value) { static_cast<T&&>(value).operator co_await(); } ||
                     requires(T&& value) { operator co_await(static_cast<T&&>(value)); } ||
                     requires(T& value) { value.await_ready(); };

template <typename T>
concept CoroutineResult = HasCoAwait<T> || requires {
  typename std::coroutine_traits<T>::promise_type;
} || std::convertible_to<T, std::coroutine_handle<>>;

/// Does not own what it leads to.
template <typename T>
concept Borrowed =
    std::ranges::view<T> || std::ranges::borrowed_range<T> || std::input_or_output_iterator<T> ||
    std::convertible_to<T, boost::asio::const_buffer> || boost::asio::is_dynamic_buffer<T>::value ||
    !std::same_as<std::unwrap_reference_t<T>, T>;

/// What a result would carry out of the lock.
enum class Escapee { none, reference, pointer, borrowed, coroutine, operation };

template <typename T>
consteval Escapee escapee_itself() {
  if constexpr (std::is_reference_v<T>) return Escapee::reference;
  if constexpr (std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>) {
    return Escapee::pointer;
  }
  // An incomplete class, as in shared_ptr<Hidden>, is not looked into.
  if constexpr (std::is_class_v<T> && requires { sizeof(T); }) {
    if constexpr (CoroutineResult<T>) return Escapee::coroutine;
    if constexpr (boost::asio::is_deferred<T>::value) return Escapee::operation;
    if constexpr (Borrowed<T>) return Escapee::borrowed;
  }
  return Escapee::none;
}

template <typename T>
inline constexpr Escapee escapee_in = escapee_itself<T>();

template <typename T>
inline constexpr Escapee escapee_in<const T> = escapee_in<T>;

/// The first one among them.
consteval Escapee first_escapee(std::initializer_list<Escapee> found) {
  for (const Escapee escapee : found) {
    if (escapee != Escapee::none) return escapee;
  }
  return Escapee::none;
}

/// A pair, a vector or the like: itself, then what it is made of.
template <template <typename...> typename Whole, typename... Parts>
inline constexpr Escapee escapee_in<Whole<Parts...>> =
    first_escapee({escapee_itself<Whole<Parts...>>(), escapee_in<Parts>...});

/// An array has a size among its parts.
template <typename T, std::size_t size>
inline constexpr Escapee escapee_in<std::array<T, size>> = escapee_in<T>;

/// From C++26 on an optional is a view, and owns its value all the same.
template <typename T>
inline constexpr Escapee escapee_in<std::optional<T>> = escapee_in<T>;

template <typename Result>
consteval bool needs_no_lock() {
  constexpr Escapee escapee = escapee_in<Result>;
  static_assert(escapee != Escapee::reference,
                "Guarded::with() lets no reference out: it would outlive the lock");
  static_assert(escapee != Escapee::pointer,
                "Guarded::with() lets no pointer out: it would outlive the lock");
  static_assert(escapee != Escapee::borrowed,
                "Guarded::with() lets no view or iterator out: it would outlive the lock");
  static_assert(escapee != Escapee::coroutine,
                "Guarded::with() lets no coroutine out: it would run without the lock");
  static_assert(escapee != Escapee::operation,
                "Guarded::with() lets no deferred operation out: it would run without the lock");
  return escapee == Escapee::none;
}

}  // namespace detail

/// A value that is reached under its lock and not otherwise:
/// `const auto size = guarded.with([](auto& value) { return value.size(); })`.
///
/// No guard can live across a `co_await`, because nobody ever holds one: the function given to
/// with() is an ordinary one, and ends before the lock does. What it returns must not need the lock
/// afterwards. These do not compile, alone or as a part of a pair, a vector and the like:
///
///   - a coroutine or anything else that can be awaited, and an Asio operation made with
///   `deferred`;
///   - a reference, or a `reference_wrapper`;
///   - a pointer to an object, whichever: where it points cannot be seen from its type. Return a
///     copy or a `shared_ptr`;
///   - a view, an iterator, a borrowed range such as `string_view` and `span`, an Asio buffer.
///
/// What the compiler cannot see is left to the reader: a pointer inside a class, such as
/// `boost::reference_wrapper` or a container with a size among its template arguments, or one
/// stored through a capture.
///
/// Thread-safe. Calling with() inside with() on the same object is a deadlock.
///
/// Called elsewhere: `folly::Synchronized::withLock`, `boost::synchronized_value`, Rust's
/// `std::sync::Mutex<T>`; abseil has `ABSL_GUARDED_BY` and `absl::MutexLock` instead.
template <typename T>
class Guarded {
 public:
  Guarded() = default;
  /// Throws what moving the value throws.
  explicit Guarded(T value) : value_(std::move(value)) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  /// Returns what `function(value)` returns, called under the lock. Throws what that throws, after
  /// unlocking.
  template <typename Function>
  auto with(Function&& function) {
    return call_locked(std::forward<Function>(function), mutex_, value_);
  }

  /// The same, with a value that the function cannot change.
  template <typename Function>
  auto with(Function&& function) const {
    return call_locked(std::forward<Function>(function), mutex_, value_);
  }

 private:
  template <typename Function, typename Value>
  static auto call_locked(Function&& function, boost::mutex& mutex, Value& value) {
    if constexpr (detail::needs_no_lock<std::invoke_result_t<Function, Value&>>()) {
      const boost::lock_guard<boost::mutex> lock(mutex);
      return std::invoke(std::forward<Function>(function), value);
    }
  }

  mutable boost::mutex mutex_;
  T value_{};  // guarded by mutex_
};

}  // namespace runtime_sharing
