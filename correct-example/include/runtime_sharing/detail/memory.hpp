#pragma once

#include <new>
#include <thread>

namespace runtime_sharing::detail {

/// What `attempt` returns, as soon as there is memory for it: where nobody could be told that there
/// is none, and nothing may be lost.
template <typename Attempt>
auto once_there_is_memory(Attempt attempt) {
  for (;;) {
    try {
      return attempt();
    } catch (const std::bad_alloc&) {
      std::this_thread::yield();
    }
  }
}

}  // namespace runtime_sharing::detail
