#pragma once

#include "scenario/surroundings.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace scenario {

/// What is measured of one user's session, the same for all approaches. A fact that an
/// experiment does not measure stays empty: it is printed as "-" and left out of the JSON.
struct SessionFacts {
  std::optional<double> logout_ms;             ///< until logout returned
  std::optional<bool> logout_returned;         ///< false: it had not by the deadline
  std::optional<long> owners_left;             ///< of what logout ended, after it returned
  std::optional<long> runtime_threads_left;    ///< of any runtime, after logout returned
  std::optional<long> rows_after_logout;       ///< written for the signed-out user afterwards
  std::optional<long> samples_lost;            ///< taken but never stored
  std::optional<long> connections_open;        ///< pool connections not given back
  std::optional<double> longest_ui_freeze_ms;  ///< the window's longest gap
  std::optional<std::string> relogin;          ///< "clean", or what was wrong with it
  std::optional<long> runtimes_at_once;        ///< the most that ran at the same time
  std::optional<std::vector<std::string>> stragglers;  ///< tasks that did not end by themselves
};

BOOST_DESCRIBE_STRUCT(SessionFacts, (),
                      (logout_ms, logout_returned, owners_left, runtime_threads_left,
                       rows_after_logout, samples_lost, connections_open, longest_ui_freeze_ms,
                       relogin, runtimes_at_once, stragglers))

/// The measured facts, in the order of the declaration above.
boost::json::object to_json(const SessionFacts& facts);

/// People notice a window that stands still for longer. A sanitizer makes everything about ten
/// times as slow.
#if defined(WITH_ADDRESS_SANITIZER) || defined(WITH_THREAD_SANITIZER)
inline constexpr double noticeable_freeze_ms = 500;
#else
inline constexpr double noticeable_freeze_ms = 50;
#endif

/// Measures one user's logout from outside, the same way for all approaches.
/// Used on the UI loop only.
class LogoutProbe {
 public:
  /// `owners` counts who still holds what the logout ends: a runtime, or a session.
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
