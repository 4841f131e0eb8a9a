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
      if (witness->destroyed) witness->thread_was_still_running_it = true;
      census.leave();
      ++witness->threads_returned;
    });
  }
}

// [destructor]
Runtime::~Runtime() {
  context_.stop();
  for (auto& thread : threads_) {
    if (thread.get_id() == boost::this_thread::get_id()) {
      witness_->destroyed_on_its_own_thread = true;
    }
    try {
      if (thread.joinable()) thread.join();
    } catch (const boost::thread_resource_error& refused) {
      witness_->self_join = refused.what();
      thread.detach();
    }
  }
  witness_->destroyed = true;
}
// [/destructor]

void Runtime::stop() {
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
