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

namespace detail {
/// Whether that is how a cancelled operation ends.
bool is_operation_aborted(const std::exception_ptr& error) noexcept;
}  // namespace detail

}  // namespace runtime_sharing

template <>
struct boost::system::is_error_code_enum<runtime_sharing::Errc> : std::true_type {};
