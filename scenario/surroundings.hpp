#pragma once

#include "scenario/experiment.hpp"
#include "scenario/homeserver.hpp"
#include "scenario/message_store.hpp"
#include "scenario/recording.hpp"
#include "scenario/task.hpp"
#include "scenario/ui_loop.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <utility>

namespace scenario {

/// A flag that says in a recording, too, what the task that sets it is going to wait for.
class ServerWait {
 public:
  ServerWait& operator=(bool waiting) noexcept {
    if (waiting) recording::waits_for("the server's next line");
    waiting_ = waiting;
    return *this;
  }
  operator bool() const noexcept { return waiting_; }
  bool load() const noexcept { return waiting_; }

 private:
  std::atomic<bool> waiting_{false};
};

/// What a client counts while it works, and what the experiments wait for. All atomic: written on
/// runtime threads, read on the UI loop.
struct Activity {
  std::atomic<std::int64_t> samples_taken{0};
  std::atomic<std::int64_t> samples_stored{0};
  std::atomic<std::int64_t> events_received{0};  ///< accepted lines, one task each
  std::atomic<std::int64_t> events_handled{0};   ///< those tasks that ended well
  ServerWait waiting_for_server{};               ///< the receiver is suspended in its read
};

/// Threads that run a runtime at this moment. Each calls enter() first and leave() last.
class ThreadCensus {
 public:
  void enter() noexcept {
    recording::name_thread("runtime", ++started_);
    ++running_;
  }
  void leave() noexcept {
    --running_;
    recording::thread_ends();
  }
  long running() const noexcept { return running_; }
  /// All that ever called enter().
  long started() const noexcept { return started_; }

 private:
  std::atomic<long> started_{0};
  std::atomic<long> running_{0};
};

/// A new empty folder in TMPDIR, or in /tmp where that is not set; removed with all that is in it.
class TemporaryFolder {
 public:
  /// Throws std::system_error, naming the folder, if it cannot be made.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// Everything around the client that does not change with the way the runtime is shared.
struct Surroundings {
  explicit Surroundings(const Settings& chosen,
                        Homeserver::AfterReplay after_replay = Homeserver::AfterReplay::keep_open);

  /// When the machine's next sample is due: never again once the session has all of its own.
  UiLoop::Clock::time_point next_sample_time(const Activity& activity) const;

  /// The session has come to rest, with work in hand: every recorded event is handled, and as many
  /// that were pushed besides; the receiver waits for the next; the last batch is half full.
  bool at_rest(const Activity& activity, int pushed_events = 0) const;

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
};

/// Samples in a batch that is flushed to the store.
inline constexpr int batch_size = 8;
inline constexpr std::size_t pool_size = 4;
inline constexpr std::chrono::milliseconds sample_period{2};
/// One more event for whoever is signed in.
inline constexpr auto one_event =
    R"({"room": "#more:example.org", "sender": "@server:example.org", "ts": 1, "body": "hello"})";

/// What the window does when a user signs in.
template <class Client>
void log_in(Client& client, const std::string& user) {
  const recording::Span span("login");
  client.login(user);
}

/// What an experiment leaves may stay, like the threads that still use it: the process ends at
/// once.
enum class Afterwards { destroy, leave_behind };

/// The experiment, run on a UI loop as a window's event handler would be, with a client of its own.
template <class Client>
Experiment on_the_ui_loop(Experiment experiment,
                          boost::asio::awaitable<Observation> (*body)(Surroundings&, Client&),
                          Afterwards afterwards,
                          Homeserver::AfterReplay after = Homeserver::AfterReplay::keep_open) {
  experiment.run = [=](const Settings& settings) {
    auto surroundings = std::make_unique<Surroundings>(settings, after);
    auto client = std::make_unique<Client>(*surroundings);
    Observation observation;
    const auto observe = [&]() -> boost::asio::awaitable<void> {
      observation = co_await body(*surroundings, *client);
    };
    surroundings->ui.run(observe());
    if (afterwards == Afterwards::leave_behind) {
      [[maybe_unused]] const auto* const left_client = client.release();
      [[maybe_unused]] const auto* const left_surroundings = surroundings.release();
    }
    return observation;
  };
  return experiment;
}

}  // namespace scenario
