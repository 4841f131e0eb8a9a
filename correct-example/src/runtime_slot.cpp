#include "runtime_sharing/runtime_slot.hpp"

#include <boost/system/system_error.hpp>

namespace runtime_sharing {

using boost::system::system_error;

RuntimeSlot::RuntimeSlot(Runtime::Options options) : next_(std::move(options)) {}

std::shared_ptr<Runtime> RuntimeSlot::start() {
  std::shared_ptr<Runtime> ended;  // its destructor must not run under the lock
  const std::lock_guard lock(mutex_);
  if (current_ && !current_->has_shut_down()) {
    throw system_error(current_->is_shutting_down() ? Errc::runtime_stopping
                                                    : Errc::runtime_running);
  }
  auto started = Runtime::start(next_);
  ++next_.generation;
  ended = std::exchange(current_, started);
  return started;
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
