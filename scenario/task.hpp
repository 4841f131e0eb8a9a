// Tasks of Boost.Asio alone, with a name, so that a recording can tell them apart.
#pragma once

#include "scenario/experiment.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <string>
#include <utility>

namespace scenario {

/// Whatever runs on it is a turn of one task, which lasts until nobody has the executor any more.
/// Only while a run is recorded: otherwise it is `inner` itself.
boost::asio::any_io_executor recorded(boost::asio::any_io_executor inner, std::string task_name);

/// The completion token of a task that nobody joins: co_spawn(executor, work, Task{"receiver"}).
/// If the task fails, the experiment ends: end_on_failure().
struct Task {
  std::string name;
};

}  // namespace scenario

template <>
class boost::asio::async_result<scenario::Task, void(std::exception_ptr)> {
 public:
  // There is one work; the concept of a completion token asks with none.
  template <typename CoSpawn, typename... Work>
  static void initiate(CoSpawn&& initiation, scenario::Task task, Work&&... work) {
    co_spawn(scenario::recorded(initiation.get_executor(), std::move(task.name)),
             std::forward<Work>(work)..., scenario::end_on_failure);
  }
};
