#include "runtime.hpp"

#include <algorithm>

namespace arc_problem {

Runtime::Runtime(int threads, scenario::ThreadCensus& census)
    : thread_count_(threads),
      census_(census),
      context_(threads),
      keep_running_(asio::make_work_guard(context_)) {
  start_threads();
}

void Runtime::start_threads() {
  for (int i = 0; i < thread_count_; ++i) {
    threads_.emplace_back([&context = context_, &census = census_, witness = witness_] {
      census.enter();
      context.run();
      census.leave();
      ++witness->threads_returned;
    });
  }
}

// [destructor]
Runtime::~Runtime() {
  context_.stop();
  witness_->destroyed_inside_its_own_run = get_executor().running_in_this_thread();
  for (auto& thread : threads_) {
    try {
      if (thread.joinable()) thread.join();
    } catch (const boost::thread_resource_error& refused) {
      const bool itself = refused.code() == boost::system::errc::resource_deadlock_would_occur;
      witness_->self_join = itself ? "resource_deadlock_would_occur" : refused.what();
      thread.detach();
    }
  }
  witness_->destroyed = true;
}
// [/destructor]

void Runtime::stop() {
  const scenario::recording::Span shutdown("shutdown");
  const scenario::recording::Freeze freeze;
  scenario::recording::rung("stop");
  context_.stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void Runtime::restart() {
  context_.restart();
  start_threads();
}

void Runtime::detach() {
  for (auto& thread : threads_) thread.detach();
}

std::ptrdiff_t Runtime::threads_to_join() const {
  return std::ranges::count_if(threads_, &boost::thread::joinable);
}

}  // namespace arc_problem
