// What tells a recording when a task of Boost.Asio alone has a thread: an executor of its own.
// A header: a program that is compiled to be recorded has an Asio of its own, too.
#pragma once

#include "scenario/recording.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace scenario {

class RecordedTask {
 public:
  explicit RecordedTask(std::string name) : name_(std::move(name)) {}

  const std::string& name() const noexcept { return name_; }

  /// What follows, such as its completion handler, is no turn of it.
  bool has_ended = false;
  /// While this thread emits a cancellation, which reaches a task by way of its executor.
  static inline thread_local bool is_told = false;

  /// A turn; or a part of the one that this thread is in; or no turn at all.
  template <typename Function>
  void run(Function& function) const {
    if (here_ == this || is_told || has_ended) return std::move(function)();
    const auto* const before = std::exchange(here_, this);
    recording::turn_begins(this, name_);
    std::move(function)();
    recording::turn_ends();
    here_ = before;
  }

 private:
  static inline thread_local const RecordedTask* here_ = nullptr;  // whose turn it is here

  const std::string name_;
};

/// `any_io_executor` in everything but how a function is handed to it.
class RecordingExecutor {
 public:
  RecordingExecutor(boost::asio::any_io_executor inner, std::shared_ptr<RecordedTask> task) noexcept
      : inner_(std::move(inner)), task_(std::move(task)) {}

  const boost::asio::any_io_executor& inner() const noexcept { return inner_; }

  template <typename Property>
    requires boost::asio::can_query_v<const boost::asio::any_io_executor&, Property>
  decltype(auto) query(const Property& property) const {
    return boost::asio::query(inner_, property);
  }
  template <typename Property>
    requires boost::asio::can_require_v<const boost::asio::any_io_executor&, Property>
  RecordingExecutor require(const Property& property) const {
    return {boost::asio::require(inner_, property), task_};
  }
  template <typename Property>
    requires boost::asio::can_prefer_v<const boost::asio::any_io_executor&, Property>
  RecordingExecutor prefer(const Property& property) const {
    return {boost::asio::prefer(inner_, property), task_};
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
  boost::asio::any_io_executor inner_;
  std::shared_ptr<RecordedTask> task_;
};

}  // namespace scenario
