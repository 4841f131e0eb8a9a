// Where a task's coroutine begins. Both ways end in guard.ended(), or in the guard's destructor if
// the coroutine is destroyed while it is suspended: after the frames of the task.
//
// throw_if_cancelled(false): an interruption ends what is pending, and not the coroutine's ability
// to wait. It may clean up, and one that does not want to end can still be suspended, and so
// destroyed.

#include "runtime_sharing/detail/task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace runtime_sharing::detail {

#if RUNTIME_SHARING_OWN_ENTRY

// co_spawn goes round through the executor although we are on the strand already, and its frame has
// four executors and two work guards in it: half of the cost of a short task. There is no public
// way to start an awaitable otherwise. These two names of Asio's are used here only, and only where
// a compile test has found them as they are used here.
using asio::detail::awaitable_thread;
using asio::detail::awaitable_thread_entry_point;

static asio::awaitable<awaitable_thread_entry_point> entry(TaskGuard guard,
                                                           asio::awaitable<void> coroutine) {
  std::exception_ptr error;
  try {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await std::move(coroutine);
  } catch (...) {
    error = std::current_exception();
  }
  guard.ended(error);
}

void CoroutineTask::begin(asio::awaitable<void> coroutine, TaskGuard& guard) {
  awaitable_thread<asio::any_io_executor>(entry(std::move(guard), std::move(coroutine)),
                                          TaskExecutor(*this), signal_.slot(),
                                          asio::cancellation_state(signal_.slot()))
      .launch();
}

#else

static asio::awaitable<void> entry(asio::awaitable<void> coroutine) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(coroutine);
}

namespace {

/// The completion handler of a task's co_spawn. It names a cancellation slot and no executor, so
/// that Asio emits directly, on the strand where we are, and keeps no executor in the signal.
class TaskCompletion {
 public:
  using cancellation_slot_type = asio::cancellation_slot;

  TaskCompletion(asio::cancellation_slot slot, TaskGuard guard) noexcept
      : slot_(slot), guard_(std::move(guard)) {}

  cancellation_slot_type get_cancellation_slot() const noexcept { return slot_; }
  void operator()(const std::exception_ptr& error) noexcept { guard_.ended(error); }

 private:
  cancellation_slot_type slot_;
  TaskGuard guard_;
};

}  // namespace

void CoroutineTask::begin(asio::awaitable<void> coroutine, TaskGuard& guard) {
  asio::co_spawn(TaskExecutor(*this), entry(std::move(coroutine)),
                 TaskCompletion(signal_.slot(), std::move(guard)));
}

#endif

}  // namespace runtime_sharing::detail
