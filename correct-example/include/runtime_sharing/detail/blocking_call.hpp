#pragma once

#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/detail/task_record.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace runtime_sharing::detail {

/// A function that blocks, on its way to a thread of its own and back.
class BlockingCall {
 public:
  BlockingCall() = default;
  BlockingCall(const BlockingCall&) = delete;
  BlockingCall& operator=(const BlockingCall&) = delete;
  virtual ~BlockingCall() = default;

  void belongs_to(boost::intrusive_ptr<TaskRecord> task) noexcept { task_ = std::move(task); }
  /// Calls the function, destroys it, and tells the one who waits.
  void run() noexcept;
  /// It has ended, or did not come to be. Null: without an error.
  void end(std::exception_ptr error) noexcept;
  /// The failure, if nobody waits for it.
  std::exception_ptr untold_failure() noexcept;
  /// Nobody waits any more.
  void is_left_alone() noexcept;

  const CancellationToken done;
  const std::exception_ptr& error() const noexcept { return error_; }

 private:
  virtual void call() = 0;
  virtual void destroy_function() noexcept = 0;

  enum class Awaited { yes, no, told };
  std::atomic<Awaited> awaited_{Awaited::yes};
  std::exception_ptr error_;
  boost::intrusive_ptr<TaskRecord> task_;
};

template <typename Result, typename F, typename... Args>
class BlockingCallOf final : public BlockingCall {
 public:
  template <typename... Values>
  explicit BlockingCallOf(Values&&... values)
      : call_(std::in_place, std::forward<Values>(values)...) {}

  std::conditional_t<std::is_void_v<Result>, std::monostate, Result> value{};

 private:
  void call() override {
    const auto invoke = [](F& function, Args&... arguments) -> Result {
      return std::invoke(std::move(function), std::move(arguments)...);
    };
    if constexpr (std::is_void_v<Result>) {
      std::apply(invoke, *call_);
    } else {
      value = std::apply(invoke, *call_);
    }
  }
  void destroy_function() noexcept override { call_.reset(); }

  std::optional<std::tuple<F, Args...>> call_;
};

/// The side of the one who waits.
template <typename Call>
class AwaitedCall {
 public:
  explicit AwaitedCall(std::shared_ptr<Call> call) noexcept : call_(std::move(call)) {}
  AwaitedCall(AwaitedCall&&) noexcept = default;
  AwaitedCall& operator=(AwaitedCall&&) = delete;
  ~AwaitedCall() {
    if (call_) call_->is_left_alone();
  }

  Call* operator->() const noexcept { return call_.get(); }
  const std::shared_ptr<Call>& get() const noexcept { return call_; }
  /// The result is on its way to whoever waits.
  std::shared_ptr<Call> take() noexcept { return std::move(call_); }

 private:
  std::shared_ptr<Call> call_;
};

template <typename Result>
struct BlockingSignature {
  using type = void(std::exception_ptr, Result);
};
template <>
struct BlockingSignature<void> {
  using type = void(std::exception_ptr);
};

}  // namespace runtime_sharing::detail
