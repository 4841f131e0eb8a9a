#pragma once

#include "scenario/experiment.hpp"
#include "scenario/homeserver.hpp"
#include "scenario/message_store.hpp"
#include "scenario/temporary_folder.hpp"
#include "scenario/ui_loop.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>

namespace scenario {

/// What a client counts while it works, and what the experiments wait for. All atomic: written on
/// runtime threads, read on the UI loop.
struct Activity {
  std::atomic<std::int64_t> samples_taken{0};
  std::atomic<std::int64_t> samples_stored{0};
  std::atomic<std::int64_t> events_received{0};  ///< accepted lines, one task each
  std::atomic<std::int64_t> events_handled{0};   ///< those tasks that ended well
  std::atomic<bool> waiting_for_server{false};   ///< the receiver is suspended in its read
};

/// Threads that run a runtime at this moment. Each calls enter() first and leave() last.
class ThreadCensus {
 public:
  void enter() noexcept { ++running_; }
  void leave() noexcept { --running_; }
  long running() const noexcept { return running_; }

 private:
  std::atomic<long> running_{0};
};

/// Everything around the client that does not change with the way the runtime is shared.
struct Surroundings {
  explicit Surroundings(const Settings& chosen,
                        Homeserver::AfterReplay after_replay = Homeserver::AfterReplay::keep_open);

  /// When the machine's next sample is due: never again once the session has all of its own.
  UiLoop::Clock::time_point next_sample_time(const Activity& activity) const;

  /// The session has come to rest, with work in hand: every event that the server sent is handled,
  /// the receiver waits for the next, and the last batch of samples is half full.
  bool at_rest(const Activity& activity) const;

  Settings settings;  ///< an experiment that needs a number of workers sets it before the login
  TemporaryFolder folder;  ///< of the store: removed after the store is closed
  UiLoop ui;
  Homeserver homeserver;
  MessageStore store;
  ThreadCensus threads;

  /// The worker stops sampling after so many, with its last batch half full: what is in that batch
  /// is what a bad logout loses. Experiments that watch a worker go on set it to endless.
  std::int64_t samples_per_session = 20;
  static constexpr std::int64_t endless = std::numeric_limits<std::int64_t>::max();

 private:
  const bool events_to_come_;  // the recorded file holds one at least
};

/// Samples in a batch that is flushed to the store.
inline constexpr int batch_size = 8;
/// Connections in a session's pool.
inline constexpr int pool_size = 4;
/// Between two samples.
inline constexpr std::chrono::milliseconds sample_period{2};

}  // namespace scenario
