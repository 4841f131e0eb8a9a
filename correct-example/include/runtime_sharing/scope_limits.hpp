#pragma once

#include <cstddef>
#include <limits>

namespace runtime_sharing {

/// What a task's exception means for the other tasks of its scope. Cancellation is no failure. A
/// failure in a scope below is one of this scope, too.
///
/// Called elsewhere: `folly::coro::AsyncScope` keeps going (and terminates); Ceph's
/// `co_spawn_group` cancels or waits by `cancel_on_error`.
enum class FailurePolicy {
  keep_going,    ///< nothing: it is in the report and in the task's handle
  cancel_scope,  ///< the first failure cancels the scope's token
};

/// What a scope is told when it is made.
///
/// Called elsewhere: Ceph's `co_spawn_group` has a `spawn_limit`.
struct ScopeLimits {
  FailurePolicy on_failure = FailurePolicy::keep_going;  ///< what the first failure does
  /// As many tasks may be in the scope and the scopes below it at a time.
  std::size_t max_tasks = std::numeric_limits<std::size_t>::max();
};

}  // namespace runtime_sharing
