#include "runtime_sharing/runtime.hpp"

#include "runtime_core.hpp"
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
  return core_->token;
}

TaskScope& Runtime::scope() noexcept {
  return core_->root;
}

ShutdownReport Runtime::shutdown(Deadlines deadlines) {
  return core_->shutdown(deadlines);
}

const CancellationToken& Runtime::ended() const noexcept {
  return core_->done;
}

bool Runtime::is_shutting_down() const noexcept {
  return core_->is_shutting_down();
}

bool Runtime::has_shut_down() const noexcept {
  return core_->has_shut_down();
}

bool Runtime::running_in_this_thread() const noexcept {
  return core_->running_in_this_thread();
}

}  // namespace runtime_sharing
