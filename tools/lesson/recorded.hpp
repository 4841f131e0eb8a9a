// Comes before the first line of a lesson's half, or of a step, in a second build of it that
// records its run. The source stays as it is: two of its words are macros here, at the end, and
// what they do is done as before. What it prints, and when a plain function logs out, is seen by
// recorded.cpp.
#pragma once

#define BOOST_ASIO_CUSTOM_HANDLER_TRACKING "recorded_asio.hpp"

#include "scenario/recording_executor.hpp"

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

namespace recorded {

namespace asio = boost::asio;

/// Of `context, serve(std::move(acceptor)), asio::detached` it is "serve": the task's function.
std::string task_name(std::string_view arguments);

/// The argument of emit(), until that has returned.
class Told {
 public:
  explicit Told(asio::cancellation_type type) noexcept : type_(type) {
    if (scenario::recording::is_on()) scenario::recording::detail::mark("told", "cancellation");
    scenario::RecordedTask::is_told = true;
  }
  ~Told() { scenario::RecordedTask::is_told = false; }
  Told(const Told&) = delete;
  Told& operator=(const Told&) = delete;
  operator asio::cancellation_type() const noexcept { return type_; }

 private:
  const asio::cancellation_type type_;
};

/// Goes with the frame, and what is in a queue for it.
class Task : public scenario::RecordedTask {
 public:
  using RecordedTask::RecordedTask;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (!has_ended) scenario::recording::destroyed(id(), name());
  }
  void end() noexcept {
    scenario::recording::task_ended(id());
    has_ended = true;
  }

 private:
  const scenario::RecordedTask* id() const noexcept { return this; }
};

/// What the task does, and that it has done it.
template <typename Result>
asio::awaitable<Result> to_the_end(asio::awaitable<Result> work, std::shared_ptr<Task> task) {
  try {
    if constexpr (std::is_void_v<Result>) {
      co_await std::move(work);
      task->end();
    } else {
      auto result = co_await std::move(work);
      task->end();
      co_return result;
    }
  } catch (...) {
    task->end();
    throw;
  }
}

/// An executor, or that of a context, without what records another task.
template <typename Place>
asio::any_io_executor executor_of(Place& place) {
  asio::any_io_executor executor;
  if constexpr (std::is_base_of_v<asio::execution_context, std::remove_cvref_t<Place>>)
    executor = place.get_executor();
  else
    executor = place;
  const auto* const other = executor.target<scenario::RecordingExecutor>();
  return other != nullptr ? other->inner() : executor;
}

}  // namespace recorded

namespace boost::asio {

template <typename Place, typename Result, typename Token>
auto recorded_co_spawn(std::string name, Place&& place, awaitable<Result> work, Token&& token) {
  auto task = std::make_shared<recorded::Task>(std::move(name));
  const any_io_executor executor = scenario::RecordingExecutor(recorded::executor_of(place), task);
  return co_spawn(executor, recorded::to_the_end(std::move(work), std::move(task)),
                  std::forward<Token>(token));
}

}  // namespace boost::asio

#ifndef RECORDED_TASK_NAME  // what a step calls its task
#define RECORDED_TASK_NAME(arguments) ::recorded::task_name(arguments)
#endif
#define co_spawn(...) recorded_co_spawn(RECORDED_TASK_NAME(#__VA_ARGS__), __VA_ARGS__)
#define emit(type) emit(::recorded::Told(type))
