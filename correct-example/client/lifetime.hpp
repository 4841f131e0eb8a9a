#pragma once

#include "client.hpp"
#include <memory>

namespace correct_example {

/// Each login starts a runtime, each logout ends it.
inline constexpr bool runtime_lives_on = false;

/// What holds all tasks of a session, and what a logout shuts down.
inline runtime_sharing::TaskScope& scope_of(app::Session& session) {
  return session.runtime->scope();
}

/// Whose owners are counted after a logout.
inline std::weak_ptr<const void> ended_by_logout(const std::shared_ptr<app::Session>& session) {
  return session->runtime;
}

}  // namespace correct_example
