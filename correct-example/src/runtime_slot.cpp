#include "runtime_sharing/runtime_slot.hpp"

#include <boost/system/system_error.hpp>

#include <chrono>

namespace runtime_sharing {

using boost::system::system_error;

RuntimeSlot::RuntimeSlot(Runtime::Options options) : next_(std::move(options)) {}

std::shared_ptr<Runtime> RuntimeSlot::start(WhileStopping policy) {
  for (;;) {
    boost::system::error_code error;
    std::shared_ptr<Runtime> stopping;
    if (auto started = try_start(error, stopping)) return started;
    if (!stopping || policy == WhileStopping::refuse) throw system_error(error);
    constexpr std::chrono::hours no_shorter{24};
    stopping->shutdown({no_shorter, no_shorter, no_shorter});  // somebody else's: its end
  }
}

std::shared_ptr<Runtime> RuntimeSlot::try_start(boost::system::error_code& error,
                                                std::shared_ptr<Runtime>& stopping) {
  std::shared_ptr<Runtime> ended;  // its destructor must not run under the lock
  const std::lock_guard lock(mutex_);
  if (closed_) {
    error = Errc::slot_closed;
  } else if (!current_ || current_->has_shut_down()) {
    auto started = Runtime::start(next_);
    ++next_.generation;
    ended = std::exchange(current_, started);
    return started;
  } else if (current_->is_shutting_down()) {
    error = Errc::runtime_stopping;
    stopping = current_;
  } else {
    error = Errc::runtime_running;
  }
  return nullptr;
}

void RuntimeSlot::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

std::shared_ptr<Runtime> RuntimeSlot::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

ShutdownReport RuntimeSlot::shutdown(Deadlines deadlines) {
  const auto runtime = current();
  if (!runtime) throw system_error(Errc::no_runtime);
  auto report = runtime->shutdown(deadlines);
  let_go_of(runtime);
  return report;
}

void RuntimeSlot::let_go_of(const std::shared_ptr<Runtime>& ended) {
  const std::lock_guard lock(mutex_);
  // Not the last reference, and perhaps a newer generation has the place already.
  if (current_ == ended && ended->has_shut_down()) current_ = nullptr;
}

}  // namespace runtime_sharing
