#include "runtime_sharing/runtime_slot.hpp"

#include <boost/system/system_error.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <utility>

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
    constexpr auto no_shorter = std::chrono::milliseconds::max();
    stopping->shutdown({no_shorter, no_shorter, no_shorter});  // somebody else's: its end
  }
}

std::shared_ptr<Runtime> detail::SlotState::try_start(boost::system::error_code& error,
                                                      std::shared_ptr<Runtime>& stopping) {
  std::unique_lock lock(mutex);
  for (;;) {
    started.wait(lock, [this] { return !is_starting; });
    if (!present || !present->ended().is_cancelled()) break;
    // What was there before goes first, with all that is pending on it. That joins the thread of
    // its ladder, on which somebody may be starting the next one: so nobody waits for this.
    auto before = std::move(present);
    lock.unlock();
    before.reset();
    lock.lock();
  }
  if (closed) {
    error = Errc::slot_closed;
    return nullptr;
  }
  if (present) {
    const bool is_ending = present->is_shutting_down();
    error = is_ending ? Errc::runtime_stopping : Errc::runtime_running;
    if (is_ending) stopping = present;
    return nullptr;
  }
  // Threads are started without the lock: they call hooks of the user's, which may ask for
  // current().
  std::optional<Runtime::Options> options(next);  // may throw, and nothing has happened
  is_starting = true;
  lock.unlock();
  std::shared_ptr<Runtime> fresh;
  std::exception_ptr failure;
  try {
    fresh = Runtime::start(*options);
  } catch (...) {
    failure = std::current_exception();
  }
  options.reset();
  lock.lock();
  is_starting = false;
  if (fresh) ++next.generation;
  present = fresh;
  started.notify_all();
  lock.unlock();
  if (failure) std::rethrow_exception(failure);
  return fresh;
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
  if (present == ended && ended->ended().is_cancelled()) present = nullptr;
}

}  // namespace runtime_sharing
