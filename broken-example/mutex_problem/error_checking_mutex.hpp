#pragma once

#include <string>

namespace mutex_problem {

/// Locks an error-checking mutex on this thread, unlocks it on another one, and says what it
/// answered: "EPERM" on POSIX, which every mutex could say and most do not.
std::string answer_to_an_unlock_on_another_thread();

}  // namespace mutex_problem
