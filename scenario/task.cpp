#include "scenario/task.hpp"

#include "scenario/experiment.hpp"
#include "scenario/recording_executor.hpp"

namespace scenario {

namespace asio = boost::asio;

TaskCompletion::TaskCompletion(const std::string& name)
    : task_(recording::is_on() ? std::make_shared<RecordedTask>(name) : nullptr) {}

TaskCompletion::~TaskCompletion() {
  if (task_) recording::destroyed(task_.get(), task_->name());
}

void TaskCompletion::operator()(std::exception_ptr failure) {
  if (const auto task = std::exchange(task_, nullptr)) recording::task_ended(task.get());
  end_on_failure(std::move(failure));
}

asio::any_io_executor TaskCompletion::executor(asio::any_io_executor inner) const {
  if (!task_) return inner;
  return RecordingExecutor(std::move(inner), task_);
}

}  // namespace scenario
