#include "scenario/task.hpp"

#include "scenario/recording.hpp"

#include <boost/asio/execution.hpp>

#include <memory>
#include <optional>
#include <type_traits>

namespace scenario {
namespace {

namespace asio = boost::asio;

/// One whose turns are recorded: it is there while somebody has its executor.
class RecordedTask {
 public:
  explicit RecordedTask(std::string name) : name_(std::move(name)) {}
  ~RecordedTask() {
    if (!ended_) recording::destroyed(this, name_);
  }
  RecordedTask(const RecordedTask&) = delete;
  RecordedTask& operator=(const RecordedTask&) = delete;

  /// One turn, of which the function and all that it holds goes with its end. If then nobody else
  /// holds the task, the coroutine has ended.
  template <typename Function>
  static void run(const std::shared_ptr<RecordedTask>& task, std::optional<Function>& function) {
    if (here == task.get()) {
      std::move (*function)();
      return function.reset();
    }
    const auto* const before = std::exchange(here, task.get());
    recording::turn_begins(task.get(), task->name_);
    std::move (*function)();
    function.reset();
    task->ended_ = task.use_count() == 1;
    recording::turn_ends(task->ended_);
    here = before;
  }

 private:
  static thread_local const RecordedTask* here;  // whose turn it is on this thread

  const std::string name_;
  bool ended_ = false;  // written in a turn
};

thread_local const RecordedTask* RecordedTask::here = nullptr;

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
    inner_.execute([task = task_, function = std::optional<std::decay_t<Function>>(
                                      std::forward<Function>(function))]() mutable {
      const auto keeps_it_here = std::move(task);
      RecordedTask::run(keeps_it_here, function);
    });
  }

  friend bool operator==(const RecordingExecutor& a, const RecordingExecutor& b) noexcept {
    return a.task_ == b.task_ && a.inner_ == b.inner_;
  }

 private:
  asio::any_io_executor inner_;
  std::shared_ptr<RecordedTask> task_;
};

}  // namespace

asio::any_io_executor recorded(asio::any_io_executor inner, std::string task_name) {
  if (!recording::is_on()) return inner;
  return RecordingExecutor(std::move(inner), std::make_shared<RecordedTask>(std::move(task_name)));
}

}  // namespace scenario
