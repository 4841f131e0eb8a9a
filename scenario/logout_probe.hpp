#pragma once

#include "scenario/session_facts.hpp"
#include "scenario/surroundings.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace scenario {

/// Measures one user's logout from outside, the same way for all three approaches.
/// Used on the UI loop only.
class LogoutProbe {
 public:
  /// `owners` counts who still holds the old runtime.
  LogoutProbe(Surroundings& surroundings, std::string user,
              std::shared_ptr<const Activity> activity, std::function<long()> owners);

  /// Awaits the logout on the UI loop and measures it: its duration, the window's longest freeze
  /// meanwhile, and what is left of the runtime at the moment of its return.
  boost::asio::awaitable<void> measure(boost::asio::awaitable<void> logout);

  /// Rows that were written for the user since the logout returned.
  std::int64_t rows_after_logout() const;

  /// What was measured at the logout, with the rows as they are now: call it when what is left has
  /// had the occasion to show itself. `relogin` and what comes after are the caller's.
  SessionFacts facts() const;

 private:
  Surroundings& surroundings_;
  const std::string user_;
  const std::shared_ptr<const Activity> activity_;
  const std::function<long()> owners_;

  SessionFacts at_logout_;
  std::int64_t rows_at_logout_ = 0;
};

}  // namespace scenario
