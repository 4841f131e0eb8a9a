// Tasks of Boost.Asio alone, with a name, so that a recording can tell them apart.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace scenario {

/// The completion token of a task that nobody joins: co_spawn(executor, work, Task{"receiver"}).
/// If the task fails, the experiment ends: end_on_failure().
struct Task {
  std::string name;
};

class RecordedTask;

/// The completion handler of such a task. While a run is recorded it knows how the task ended: it
/// was called, or it went with the coroutine's frame.
class TaskCompletion {
 public:
  explicit TaskCompletion(const std::string& name);
  TaskCompletion(TaskCompletion&&) noexcept = default;
  TaskCompletion& operator=(TaskCompletion&&) = delete;
  ~TaskCompletion();

  void operator()(std::exception_ptr failure);

  /// What the task shall run on: `inner` itself, unless the run is recorded.
  boost::asio::any_io_executor executor(boost::asio::any_io_executor inner) const;

 private:
  std::shared_ptr<RecordedTask> task_;  // null: nothing is recorded, or all of this task is
};

}  // namespace scenario

template <>
class boost::asio::async_result<scenario::Task, void(std::exception_ptr)> {
 public:
  // There is one work; the concept of a completion token asks with none.
  template <typename CoSpawn, typename... Work>
  static void initiate(CoSpawn&& initiation, const scenario::Task& task, Work&&... work) {
    scenario::TaskCompletion completion(task.name);
    const auto executor = completion.executor(initiation.get_executor());
    co_spawn(executor, std::forward<Work>(work)..., std::move(completion));
  }
};
