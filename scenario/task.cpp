#include "scenario/task.hpp"

#include "scenario/experiment.hpp"
#include "scenario/recording.hpp"

#include <boost/asio/execution.hpp>

#include <type_traits>

namespace scenario {

namespace asio = boost::asio;

class RecordedTask {
 public:
  explicit RecordedTask(std::string name) : name_(std::move(name)) {}

  const std::string& name() const noexcept { return name_; }

  /// A turn; or a part of the one that this thread is in.
  template <typename Function>
  void run(Function& function) const {
    if (here_ == this) return std::move(function)();
    const auto* const before = std::exchange(here_, this);
    recording::turn_begins(this, name_);
    std::move(function)();
    recording::turn_ends();
    here_ = before;
  }

 private:
  static thread_local const RecordedTask* here_;  // whose turn it is on this thread

  const std::string name_;
};

thread_local const RecordedTask* RecordedTask::here_ = nullptr;

namespace {

/// `any_io_executor` in everything but how a function is handed to it.
class RecordingExecutor {
 public:
  RecordingExecutor(asio::any_io_executor inner, std::shared_ptr<RecordedTask> task) noexcept
      : inner_(std::move(inner)), task_(std::move(task)) {}

  template <typename Property>
    requires asio::can_query_v<const asio::any_io_executor&, Property>
  decltype(auto) query(const Property& property) const {
    return asio::query(inner_, property);
  }
  template <typename Property>
    requires asio::can_require_v<const asio::any_io_executor&, Property>
  RecordingExecutor require(const Property& property) const {
    return {asio::require(inner_, property), task_};
  }
  template <typename Property>
    requires asio::can_prefer_v<const asio::any_io_executor&, Property>
  RecordingExecutor prefer(const Property& property) const {
    return {asio::prefer(inner_, property), task_};
  }

  template <typename Function>
  void execute(Function&& function) const {
    inner_.execute([task = task_, function = std::decay_t<Function>(std::forward<Function>(
                                      function))]() mutable { task->run(function); });
  }

  friend bool operator==(const RecordingExecutor& a, const RecordingExecutor& b) noexcept {
    return a.task_ == b.task_ && a.inner_ == b.inner_;
  }

 private:
  asio::any_io_executor inner_;
  std::shared_ptr<RecordedTask> task_;
};

}  // namespace

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
