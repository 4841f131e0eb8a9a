#pragma once

#include "runtime_sharing/runtime.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

/// Returns once every task spawned before has begun. For a runtime of one thread: its queue is
/// fair.
inline void let_tasks_begin(runtime_sharing::Runtime& runtime) {
  boost::asio::post(runtime.get_executor(), boost::asio::use_future).get();
}
