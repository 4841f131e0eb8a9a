#pragma once

#include <boost/asio/execution.hpp>

#include <type_traits>
#include <utility>

namespace runtime_sharing::detail {

namespace asio = boost::asio;

/// An executor that is `Inner` in everything but how a function is handed to it: that goes through
/// `policy.execute(inner, function)`.
template <typename Inner, typename Policy>
class AdaptedExecutor {
 public:
  AdaptedExecutor(Inner inner, Policy policy) noexcept
      : inner_(std::move(inner)), policy_(std::move(policy)) {}

  template <typename Property>
    requires asio::can_query_v<const Inner&, Property>
  decltype(auto) query(const Property& property) const {
    return asio::query(inner_, property);
  }

  template <typename Property>
    requires asio::can_require_v<const Inner&, Property>
  auto require(const Property& property) const {
    return adapt(asio::require(inner_, property));
  }

  template <typename Property>
    requires asio::can_prefer_v<const Inner&, Property>
  auto prefer(const Property& property) const {
    return adapt(asio::prefer(inner_, property));
  }

  template <typename Function>
  void execute(Function&& function) const {
    policy_.execute(inner_, std::forward<Function>(function));
  }

  friend bool operator==(const AdaptedExecutor& a, const AdaptedExecutor& b) noexcept {
    return a.inner_ == b.inner_ && a.policy_ == b.policy_;
  }

 private:
  template <typename Other>
  AdaptedExecutor<std::decay_t<Other>, Policy> adapt(Other&& other) const {
    return {std::forward<Other>(other), policy_};
  }

  Inner inner_;
  Policy policy_;
};

}  // namespace runtime_sharing::detail
