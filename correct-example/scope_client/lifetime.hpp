#pragma once

#include "client.hpp"
#include <memory>

namespace correct_example {

/// The first login finds the runtime started, and a logout leaves it running.
inline constexpr bool runtime_lives_on = true;

/// What holds all tasks of a session, and what a logout shuts down.
inline runtime_sharing::TaskScope& scope_of(app::Session& session) {
  return session.scope;
}

/// Whose owners are counted after a logout.
inline std::weak_ptr<const void> ended_by_logout(const std::shared_ptr<app::Session>& session) {
  return session;
}

}  // namespace correct_example
