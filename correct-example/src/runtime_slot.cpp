#include "runtime_sharing/runtime_slot.hpp"

#include <boost/system/system_error.hpp>

#include <chrono>

namespace runtime_sharing {

using boost::system::system_error;

RuntimeSlot::RuntimeSlot(Runtime::Options options) : state_(std::make_shared<detail::SlotState>()) {
  state_->next = std::move(options);
}

std::shared_ptr<Runtime> RuntimeSlot::start(WhileStopping policy) {
  for (;;) {
    boost::system::error_code error;
    std::shared_ptr<Runtime> stopping;
    if (auto started = state_->try_start(error, stopping)) return started;
    if (!stopping || policy == WhileStopping::refuse) throw system_error(error);
    constexpr std::chrono::hours no_shorter{24};
    stopping->shutdown({no_shorter, no_shorter, no_shorter});  // somebody else's: its end
  }
}

std::shared_ptr<Runtime> detail::SlotState::try_start(boost::system::error_code& error,
                                                      std::shared_ptr<Runtime>& stopping) {
  std::shared_ptr<Runtime> ended;  // its destructor must not run under the lock
  const std::lock_guard lock(mutex);
  if (closed) {
    error = Errc::slot_closed;
  } else if (!present || present->has_shut_down()) {
    auto started = Runtime::start(next);
    ++next.generation;
    ended = std::exchange(present, started);
    return started;
  } else if (present->is_shutting_down()) {
    error = Errc::runtime_stopping;
    stopping = present;
  } else {
    error = Errc::runtime_running;
  }
  return nullptr;
}

std::shared_ptr<Runtime> RuntimeSlot::current() const {
  return state_->current();
}

void RuntimeSlot::close() {
  const std::lock_guard lock(state_->mutex);
  state_->closed = true;
}

std::shared_ptr<Runtime> detail::SlotState::current() const {
  const std::lock_guard lock(mutex);
  return present;
}

ShutdownReport RuntimeSlot::shutdown(Deadlines deadlines) {
  const auto runtime = current();
  if (!runtime) throw system_error(Errc::no_runtime);
  auto report = runtime->shutdown(deadlines);
  state_->let_go_of(runtime);
  return report;
}

void detail::SlotState::let_go_of(const std::shared_ptr<Runtime>& ended) {
  const std::lock_guard lock(mutex);
  // Not the last reference, and perhaps a newer generation has the place already.
  if (present == ended && ended->has_shut_down()) present = nullptr;
}

}  // namespace runtime_sharing
