#include "runtime_sharing/runtime.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/thread/exceptions.hpp>
#include <boost/thread/thread.hpp>

#include "runtime_core.hpp"
#include <new>
#include <stdexcept>

namespace runtime_sharing {

std::shared_ptr<Runtime> Runtime::start(Options options) {
  if (options.threads < 1) throw std::invalid_argument("a runtime needs at least one thread");
  auto core = std::make_shared<detail::RuntimeCore>(std::move(options));
  // First the owner, then the threads: nobody would end them.
  std::shared_ptr<Runtime> runtime(new Runtime(core));
  core->start_threads();
  return runtime;
}

Runtime::Runtime(std::shared_ptr<detail::RuntimeCore> core) : core_(std::move(core)) {}

Runtime::~Runtime() {
  core_->release();
}

const std::string& Runtime::name() const noexcept {
  return core_->options.name;
}

std::uint64_t Runtime::generation() const noexcept {
  return core_->options.generation;
}

Runtime::executor_type Runtime::get_executor() noexcept {
  return core_->executor();
}

const CancellationToken& Runtime::token() const noexcept {
  return core_->root_state->token;
}

TaskScope& Runtime::scope() noexcept {
  return core_->root;
}

ShutdownReport Runtime::shutdown(Deadlines deadlines) {
  const auto core = core_;  // somebody who is told may drop the last handle
  return core->shutdown(deadlines);
}

const CancellationToken& Runtime::ended() const noexcept {
  return core_->ladder.done;
}

bool Runtime::is_shutting_down() const noexcept {
  return core_->ladder.has_begun();
}

bool Runtime::running_in_this_thread() const noexcept {
  return core_->running_in_this_thread();
}

namespace detail {

// ---- What the initiating functions need

void start_blocking(const std::shared_ptr<RuntimeCore>& core, std::string task_name,
                    std::shared_ptr<BlockingCall> call) {
  core->start_blocking(std::move(task_name), std::move(call));
}

std::shared_ptr<Ladder> ladder_of(const std::shared_ptr<RuntimeCore>& core) noexcept {
  return {core, &core->ladder};
}

void BlockingCall::run() noexcept {
  std::exception_ptr error;
  try {
    call();
  } catch (const boost::thread_interrupted&) {
    using boost::system::system_error;
    error = std::make_exception_ptr(system_error(boost::asio::error::operation_aborted));
  } catch (...) {
    error = std::current_exception();
  }
  // An interruption that the call has ignored is not meant for what it leaves.
  const boost::this_thread::disable_interruption not_any_more;
  end(std::move(error));
}

void BlockingCall::end(std::exception_ptr error) noexcept {
  destroy_function();
  error_ = std::move(error);
  done.cancel();
}

std::exception_ptr BlockingCall::untold_failure() noexcept {
  return awaited_.exchange(Awaited::told) == Awaited::no ? error_ : nullptr;
}

void BlockingCall::is_left_alone() noexcept {
  if (awaited_.exchange(Awaited::no) != Awaited::told || !error_) return;
  if (!is_cancellation(error_)) task_->scope->fail(task_->name, error_);
}

}  // namespace detail
}  // namespace runtime_sharing
