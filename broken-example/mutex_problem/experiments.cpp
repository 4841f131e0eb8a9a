#include "experiments.hpp"

#include "scenario/child_process.hpp"
#include "scenario/logout_probe.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/thread/lock_guard.hpp>
#include <boost/thread/recursive_mutex.hpp>

#include "checker.hpp"
#include "client.hpp"
#include "error_checking_mutex.hpp"
#include "lock_each_time.hpp"
#include <algorithm>
#include <array>
#include <latch>
#include <span>
#include <thread>

namespace mutex_problem {
namespace {

using app::Client;
using scenario::Experiment;
using scenario::LogoutProbe;
using scenario::Observation;
using scenario::Outcome;
using scenario::SessionFacts;
using scenario::Settings;
using scenario::Surroundings;

/// One more event for the receiver.
const std::string one_line =
    R"({"room": "#lock:example.org", "sender": "@server:example.org", "ts": 1, "body": "hello"})";

/// The receiver is suspended in its read, with the guard held, and has nothing else to do.
bool holds_the_guard(const scenario::Activity& activity) {
  return activity.waiting_for_server && activity.events_received > 0 &&
         activity.events_handled == activity.events_received;
}

/// Waits until the receiver of that sign-in holds the guard. The server has something to say to it,
/// whatever the recorded file holds.
asio::awaitable<void> until_the_guard_is_held(Surroundings& surroundings,
                                              const scenario::Activity& activity, int sign_in) {
  co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == sign_in; });
  surroundings.homeserver.push(one_line);
  co_await surroundings.ui.until([&] { return holds_the_guard(activity); });
}

/// Keeps the given thread of the runtime in a handler until it is released.
class Occupation {
 public:
  Occupation(asio::io_context::executor_type executor, std::thread::id thread)
      : executor_(executor), thread_(thread) {
    try_here();
  }
  bool complete() const noexcept { return occupied_; }
  std::thread::id thread() const noexcept { return thread_; }
  void release() { release_.count_down(); }

 private:
  // Which thread runs a handler is the scheduler's choice: ask again until it is the wanted one.
  void try_here() {
    asio::post(executor_, [this] {
      if (std::this_thread::get_id() != thread_) return try_here();
      occupied_ = true;
      release_.wait();
    });
  }

  const asio::io_context::executor_type executor_;
  const std::thread::id thread_;
  std::atomic<bool> occupied_{false};
  std::latch release_{1};
};

// The guard is taken, the coroutine is suspended, and resumes on whatever thread is free: the mutex
// is unlocked by a thread that never locked it. boost::mutex, like std::mutex, says nothing. The
// interleaving is engineered: the thread that locked is kept busy while the server's answer comes.
asio::awaitable<Observation> wrong_thread(Surroundings& surroundings, Client& client) {
  constexpr int rounds = 20;
  surroundings.samples_per_session = 0;
  surroundings.settings.workers = std::max(2, surroundings.settings.workers);
  client.login("alice");
  const auto activity = client.session()->activity;
  auto& mutex = client.shared().mutex;
  co_await until_the_guard_is_held(surroundings, *activity, 1);
  const auto executor = client.shared().runtime->get_executor();
  int unlocks = 0;

  for (int round = 0; round < rounds;) {
    auto& occupation = *new Occupation(executor, mutex.locked_by());  // its handler outlives us
    co_await surroundings.ui.until([&] { return occupation.complete(); });
    const int unlocks_before = mutex.unlocks_on_another_thread();
    const auto received = activity->events_received.load();
    // A recorded event that came late may have moved the guard to another thread: then once more.
    if (activity->waiting_for_server && mutex.locked_by() == occupation.thread()) {
      surroundings.homeserver.push(one_line);
      co_await surroundings.ui.until(
          [&] { return activity->events_received > received && holds_the_guard(*activity); });
      if (mutex.unlocks_on_another_thread() > unlocks_before) ++unlocks;
      ++round;
    }
    occupation.release();
  }

  boost::json::object facts;
  facts["rounds"] = rounds;
  facts["unlocks_on_another_thread"] = unlocks;
  facts["error_checking_mutex_unlock"] = answer_to_an_unlock_on_another_thread();
  co_return Observation{unlocks > 0 ? Outcome::undefined : Outcome::finished, std::move(facts)};
}

// One thread. The receiver is suspended with the guard held; the worker's flush locks the same
// mutex and blocks the only thread that could resume the receiver. The server answers, and nobody
// is there to hear it. Then the window logs out, and blocks as well.
asio::awaitable<Observation> deadlock(Surroundings& surroundings, Client& client) {
  scenario::allow_debugger();
  surroundings.samples_per_session = Surroundings::endless;
  surroundings.settings.workers = 1;
  client.login("alice");
  const auto activity = client.session()->activity;
  auto& mutex = client.shared().mutex;
  co_await surroundings.ui.until(
      [&] { return activity->waiting_for_server && mutex.waiting() == 1; });

  const auto received = activity->events_received.load();
  surroundings.homeserver.push(one_line);
  co_await surroundings.ui.until(
      [&, beats = surroundings.ui.beats()] { return surroundings.ui.beats() > beats + 20; });
  scenario::publish_facts({
      {"guard_held_by", "the event receiver: a suspended frame, no thread"},
      {"resumed_after_the_server_spoke", activity->events_received > received},
      {"logout_returned", false},
  });
  // The window is about to block; only another thread can still tell.
  boost::thread([&mutex] {
    while (mutex.waiting() < 2) boost::this_thread::yield();
    scenario::publish_facts({{"threads_blocked_in_lock", mutex.waiting()}});
  }).detach();
  co_await client.logout();

  co_return Observation{Outcome::finished, {{"logout_returned", true}}};
}

/// Waits until the deadline has passed without the logout having returned, and then makes the
/// server talk until the receiver lets go of the guard.
class Supervisor {
 public:
  explicit Supervisor(Surroundings& surroundings)
      : thread_([this, &surroundings] { watch(surroundings); }) {}
  ~Supervisor() { thread_.join(); }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  void logout_returned() { returned_.count_down(); }
  bool deadline_passed_first() const noexcept { return deadline_passed_first_; }

 private:
  void watch(Surroundings& surroundings) {
    const auto deadline = scenario::UiLoop::Clock::now() + surroundings.settings.deadline;
    while (!returned_.try_wait()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (scenario::UiLoop::Clock::now() < deadline) continue;
      deadline_passed_first_ = true;
      surroundings.homeserver.push(one_line);
    }
  }

  std::latch returned_{1};
  std::atomic<bool> deadline_passed_first_{false};
  boost::thread thread_;  // the last member: it uses the others
};

// Logout must take the runtime out under the lock, and a suspended task has the lock: so the window
// waits for a server that has nothing to say. Only an answer from outside sets it free.
asio::awaitable<Observation> logout_blocked(Surroundings& surroundings, Client& client) {
  surroundings.settings.workers = std::max(2, surroundings.settings.workers);
  surroundings.samples_per_session = scenario::batch_size / 2;  // in hand at the logout
  client.login("alice");
  const auto activity = client.session()->activity;
  LogoutProbe probe(surroundings, "alice", activity,
                    [&]() -> long { return client.shared().runtime ? 1 : 0; });
  co_await until_the_guard_is_held(surroundings, *activity, 1);
  co_await surroundings.ui.until(
      [&] { return activity->samples_taken == surroundings.samples_per_session; });

  bool in_time = true;
  {
    Supervisor supervisor(surroundings);
    co_await probe.measure(client.logout());
    supervisor.logout_returned();
    in_time = !supervisor.deadline_passed_first();
  }
  client.login("bob");
  const auto second = client.session()->activity;
  co_await until_the_guard_is_held(surroundings, *second, 2);

  SessionFacts facts = probe.facts();
  facts.logout_returned = in_time;
  // Whether the receiver's connection came back before the stop is a race that nobody engineered.
  facts.connections_open.reset();
  facts.relogin = facts.runtime_threads_left == 0 ? "clean" : "the first runtime still runs";
  facts.runtimes_at_once = facts.runtime_threads_left == 0 ? 1 : 2;
  if (!in_time) facts.stragglers = {"event receiver (held the guard)"};
  co_return Observation{in_time ? Outcome::finished : Outcome::stuck, to_json(facts)};
}

/// A component that locks, uses and unlocks for each sample, with the logout between two of them.
class Component {
 public:
  static constexpr int uses = 10;

  Component(Surroundings& surroundings, Client& client)
      : connection_(surroundings.store.file()),
        thread_([this, &client] { store_samples(client); }) {}

  std::latch half_way{1};
  std::latch logged_out{1};
  void join() { thread_.join(); }
  int found_runtime_gone() const noexcept { return found_runtime_gone_; }

 private:
  void store_samples(Client& client) {
    for (int i = 0; i < uses; ++i) {
      if (i == uses / 2) {
        half_way.count_down();
        logged_out.wait();
      }
      store(client.shared(), scenario::sample_machine());
    }
  }

  void store(GuardedRuntime& shared, const scenario::Sample& sample) {
    std::future<void> stored;
    {
      const boost::lock_guard<ObservedMutex> guard(shared.mutex);
      if (!shared.runtime) {
        ++found_runtime_gone_;  // and what now? The sample has nowhere to go.
        return;
      }
      stored =
          asio::post(shared.runtime->get_executor(),
                     asio::use_future([&] { connection_.insert_samples("alice", {&sample, 1}); }));
    }
    stored.get();
  }

  scenario::Connection connection_;
  int found_runtime_gone_ = 0;  // written by thread_, read after join()
  boost::thread thread_;        // the last member: it uses the others
};

// Nobody holds the guard across a suspension: lock, use, unlock, each time. That is correct, and
// has its price: each use costs the lock, and each use may find the runtime gone and must have an
// answer.
asio::awaitable<Observation> lock_each_time(Surroundings& surroundings, Client& client) {
  surroundings.samples_per_session = 0;
  surroundings.homeserver.fall_silent();
  client.shared().runtime.emplace(surroundings.settings.workers, surroundings.threads);
  boost::json::object facts = cost_of_a_use(surroundings, client);

  Component component(surroundings, client);
  component.half_way.wait();
  co_await client.logout();
  component.logged_out.count_down();
  component.join();

  const auto lost = Component::uses - surroundings.store.samples_of("alice");
  facts["uses_total"] = Component::uses;
  facts["uses_found_runtime_gone"] = component.found_runtime_gone();
  facts["samples_lost"] = lost;
  co_return Observation{lost > 0 ? Outcome::lost : Outcome::finished, std::move(facts)};
}

/// What the two sides of the recursive mutex see. Used on the runtime's one thread, except where
/// the window waits for a flag.
struct Recursive {
  boost::recursive_mutex mutex;
  std::optional<Runtime> runtime;  // guarded by mutex, one should think
  std::optional<Runtime> taken;
  int inside = 0;
  int most_inside = 0;
  bool gone_under_the_guard = false;
  std::atomic<bool> was_taken{false};
  std::atomic<bool> ended{false};
};

asio::awaitable<void> hold_across_a_read(Recursive& shared, asio::ip::tcp::endpoint server) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  {
    // [tidy-guard]
    const boost::unique_lock<boost::recursive_mutex> guard(shared.mutex);
    // [/tidy-guard]
    shared.most_inside = std::max(shared.most_inside, ++shared.inside);
    // [tidy-suspension]
    co_await asio::async_write(socket, asio::buffer("alice\n", 6), asio::use_awaitable);
    std::array<char, 1> byte{};
    co_await socket.async_read_some(asio::buffer(byte), asio::use_awaitable);
    // [/tidy-suspension]
    shared.gone_under_the_guard = !shared.runtime.has_value();
    --shared.inside;
  }
  shared.ended = true;
}

void take_the_runtime(Recursive& shared) {
  const boost::lock_guard<boost::recursive_mutex> guard(shared.mutex);
  shared.most_inside = std::max(shared.most_inside, ++shared.inside);
  shared.taken.emplace(std::move(*shared.runtime));
  shared.runtime.reset();
  --shared.inside;
  shared.was_taken = true;
}

// "Then make it a recursive mutex." The deadlock is gone, and so is the exclusion: a recursive
// mutex keeps other threads out, and the other task runs on the same thread. It walks in and takes
// away what the first one holds the guard for.
asio::awaitable<Observation> fix_recursive_mutex(Surroundings& surroundings, Client&) {
  surroundings.homeserver.fall_silent();
  auto& shared = *new Recursive;
  shared.runtime.emplace(1, surroundings.threads);
  const auto executor = shared.runtime->get_executor();
  asio::co_spawn(executor, hold_across_a_read(shared, surroundings.homeserver.endpoint()),
                 asio::detached);
  co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });

  asio::post(executor, [&shared] { take_the_runtime(shared); });
  co_await surroundings.ui.until([&] { return shared.was_taken.load(); });
  surroundings.homeserver.push(one_line);
  surroundings.homeserver.speak();
  co_await surroundings.ui.until([&] { return shared.ended.load(); });

  boost::json::object facts;
  facts["runtime_gone_under_the_guard"] = shared.gone_under_the_guard;
  facts["tasks_inside_at_once"] = shared.most_inside;
  co_return Observation{shared.gone_under_the_guard ? Outcome::undefined : Outcome::finished,
                        std::move(facts)};
}

asio::awaitable<Observation> checker(Surroundings& surroundings, Client&) {
  return find_the_guard(surroundings);
}

using Body = asio::awaitable<Observation> (*)(Surroundings&, Client&);

/// Runs one experiment on the UI loop, as a window's event handler would.
Experiment session(std::string name, Outcome expected, std::string summary, Body body) {
  const auto run = [body](const Settings& settings) {
    // Left behind on purpose, like the threads that still use them: the process ends at once.
    auto& surroundings = *new Surroundings(settings);
    auto& client = *new Client(surroundings);
    Observation observation;
    const auto observe = [&]() -> asio::awaitable<void> {
      observation = co_await body(surroundings, client);
    };
    surroundings.ui.run(observe());
    return observation;
  };
  return {.name = std::move(name), .expected = expected, .summary = std::move(summary), .run = run};
}

/// Nothing is on its way to the receiver but what the experiment sends: once it is suspended, it
/// stays so.
Experiment without_recorded_events(Experiment experiment) {
  experiment.run = [run = std::move(experiment.run)](Settings settings) {
    settings.events.clear();
    return run(settings);
  };
  return experiment;
}

Experiment hanging(Experiment experiment) {
  experiment.hangs = true;
  return experiment;
}

}  // namespace

std::vector<Experiment> experiments() {
  return {
      session("wrong-thread", Outcome::undefined, "locked on one thread, unlocked on another",
              wrong_thread),
      hanging(session("deadlock", Outcome::stuck,
                      "the thread that could resume the holder is blocked", deadlock)),
      without_recorded_events(session("logout-blocked", Outcome::stuck,
                                      "the window waits for a stranger's I/O", logout_blocked)),
      session("lock-each-time", Outcome::lost, "between two uses, the runtime may be gone",
              lock_each_time),
      session("fix-recursive-mutex", Outcome::undefined, "wrong fix: a recursive mutex",
              fix_recursive_mutex),
      session("checker", Outcome::undefined, "a checker names the guard at the suspension",
              checker),
  };
}

}  // namespace mutex_problem
