#pragma once

#include <boost/system/error_code.hpp>

#include <exception>
#include <type_traits>

namespace runtime_sharing {

/// What this library refuses, and why. Compares equal to the `boost::system::error_code` of a
/// `boost::system::system_error` thrown by it.
///
/// Called elsewhere: `scope_closed` is `seastar::gate_closed_exception`; a closed
/// `tokio_util::task::TaskTracker` accepts tasks all the same.
enum class Errc {
  scope_closed = 1,   ///< the scope accepts no more tasks
  runtime_shut_down,  ///< this generation of the runtime is being, or has been, shut down
  runtime_running,    ///< the slot holds a runtime that still runs
  runtime_stopping,   ///< the slot's runtime is being shut down
  no_runtime,         ///< the slot holds no runtime
  slot_closed,        ///< the slot starts no more runtimes
  scope_full,         ///< the scope holds as many tasks as it may
};

/// The category of these codes, named "runtime_sharing".
const boost::system::error_category& error_category() noexcept;

/// Found by `error_code`'s converting constructor and comparisons.
boost::system::error_code make_error_code(Errc code) noexcept;

/// Whether this is how something ends that was told to: `operation_aborted`, a channel that was
/// cancelled or closed, and what a scope, a runtime or a slot that ends refuses. For a task that
/// was told, it is no failure; for one that was not, it is.
bool is_cancellation(const boost::system::error_code& error) noexcept;
/// The same of an exception: a system_error with such a code, an interrupted Boost.Thread, or the
/// multiple_exceptions of Asio's operators whose first one is such.
bool is_cancellation(const std::exception_ptr& error) noexcept;

}  // namespace runtime_sharing

template <>
struct boost::system::is_error_code_enum<runtime_sharing::Errc> : std::true_type {};
