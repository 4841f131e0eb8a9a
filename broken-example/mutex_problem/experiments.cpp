#include "experiments.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/thread/lock_guard.hpp>

#include "error_checking_mutex.hpp"
#include <algorithm>
#include <iterator>
#include <latch>
#include <optional>
#include <thread>

namespace mutex_problem {
namespace {

/// Nothing is on its way to the receiver but what the experiment sends: once suspended, it stays
/// so.
Experiment session_without_recorded_events(Experiment documented, Body body) {
  auto experiment = session(std::move(documented), body);
  experiment.run = [run = std::move(experiment.run)](Settings settings) {
    settings.events.clear();
    settings.recorded = {};
    return run(settings);
  };
  return experiment;
}

/// Waits until the receiver of that sign-in is suspended in its read with the guard held, and has
/// nothing else to do: all recorded events are handled, and one that is pushed.
asio::awaitable<void> until_the_guard_is_held(Surroundings& surroundings,
                                              const scenario::Activity& activity, int sign_in) {
  co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == sign_in; });
  surroundings.homeserver.push(one_event);
  const auto events = static_cast<std::int64_t>(surroundings.settings.recorded.accepted) + 1;
  co_await surroundings.ui.until(
      [&] { return activity.waiting_for_server && activity.events_handled == events; });
}

/// Keeps the given thread of the runtime in a handler until it is released.
class Occupation {
 public:
  Occupation(asio::io_context::executor_type executor, std::thread::id thread)
      : executor_(executor), thread_(thread) {
    try_here();
  }
  bool complete() const noexcept { return occupied_; }
  void release() { release_.count_down(); }

 private:
  // Which thread runs a handler is the scheduler's choice: ask again until it is the wanted one.
  void try_here() {
    asio::post(executor_, [this] {
      if (std::this_thread::get_id() != thread_) return try_here();
      const scenario::recording::Turn turn(this, "busy handler");
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
Experiment wrong_thread() {
  static constexpr int rounds = 20;
  return session({.name = "wrong-thread",
                  .expected = Outcome::undefined,
                  .summary = "locked on one thread, unlocked on another",
                  .facts = {is("rounds", rounds), is("unlocks_on_another_thread", rounds),
                            is("error_checking_mutex_unlock", "EPERM")},
                  .sanitizer_report = "ThreadSanitizer: unlock of an unlocked mutex"},
                 [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
                   surroundings.samples_per_session = 0;
                   surroundings.settings.workers = std::max(2, surroundings.settings.workers);
                   log_in(client, "alice");
                   const auto activity = client.session()->activity;
                   auto& mutex = client.shared().mutex;
                   co_await until_the_guard_is_held(surroundings, *activity, 1);
                   int unlocks = 0;

                   for (int round = 0; round < rounds; ++round) {
                     // Its handler outlives us.
                     auto& occupation = *new Occupation(client.shared().runtime->get_executor(),
                                                        mutex.locked_by());
                     co_await surroundings.ui.until([&] { return occupation.complete(); });
                     const int unlocks_before = mutex.unlocks_on_another_thread();
                     const auto handled = activity->events_handled.load();
                     surroundings.homeserver.push(one_event);
                     co_await surroundings.ui.until([&] {
                       return activity->waiting_for_server && activity->events_handled > handled;
                     });
                     if (mutex.unlocks_on_another_thread() > unlocks_before) ++unlocks;
                     occupation.release();
                   }

                   const Outcome outcome = unlocks > 0 ? Outcome::undefined : Outcome::finished;
                   co_return Observation{
                       outcome,
                       {{"rounds", rounds},
                        {"unlocks_on_another_thread", unlocks},
                        {"error_checking_mutex_unlock", answer_to_an_unlock_on_another_thread()}}};
                 });
}

// One thread. The receiver is suspended with the guard held; the worker's flush locks the same
// mutex and blocks the only thread that could resume the receiver. The server answers, and nobody
// is there to hear it. Then the window logs out, and blocks as well.
Experiment deadlock() {
  return session_without_recorded_events(
      {.name = "deadlock",
       .expected = Outcome::stuck,
       .summary = "the thread that could resume the holder is blocked",
       .facts = {is("server_has_answered", true), is("resumed_by_the_answer", false),
                 is("waits_for_a_lock_of_its_own", true), is("threads_blocked_in_lock", 2),
                 is("logout_returned", false)},
       .ending = scenario::Ending::by_watchdog},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        surroundings.samples_per_session = Surroundings::endless;
        surroundings.settings.workers = 1;
        log_in(client, "alice");
        const auto activity = client.session()->activity;
        auto& mutex = client.shared().mutex;
        // The runtime's one thread is inside lock(), and a suspended frame holds what it waits for.
        co_await surroundings.ui.until([&] {
          return mutex.waiting_for_its_holder() == 1 && surroundings.homeserver.sign_ins() == 1;
        });

        const auto received = activity->events_received.load();
        const auto pushed = surroundings.homeserver.lines_pushed();
        surroundings.homeserver.push(one_event);
        co_await surroundings.ui.until(
            [&] { return surroundings.homeserver.lines_pushed() > pushed; });
        boost::json::object facts{
            {"server_has_answered", surroundings.homeserver.lines_pushed() > pushed},
            {"resumed_by_the_answer", activity->events_received > received},
            {"waits_for_a_lock_of_its_own", mutex.blocked_in_lock() == mutex.locked_by()}};
        // The window is about to block; only another thread can still tell.
        boost::thread([&mutex, facts]() mutable {
          scenario::recording::name_thread("observer");
          while (mutex.waiting_for_its_holder() < 2) boost::this_thread::yield();
          facts["threads_blocked_in_lock"] = mutex.waiting_for_its_holder();
          facts["logout_returned"] = false;
          tell(Observation{Outcome::stuck, std::move(facts)});
        }).detach();
        const scenario::recording::Span logout("logout");
        co_await client.logout();

        co_return Observation{Outcome::finished, {{"logout_returned", true}}};
      });
}

/// Once the window waits for the guard, waits until the deadline has passed without the logout
/// having returned, notes who is missing, and then makes the server talk until the receiver lets
/// go.
class Supervisor {
 public:
  Supervisor(Surroundings& surroundings, const ObservedMutex& mutex,
             const scenario::Activity& activity)
      : thread_([&, this] { watch(surroundings, mutex, activity); }) {}
  ~Supervisor() { thread_.join(); }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// The names of those who were missing at the deadline; none: the logout was in time.
  std::vector<std::string> logout_returned() {
    returned_.count_down();
    thread_.join();
    return missing_;
  }

 private:
  void watch(Surroundings& surroundings, const ObservedMutex& mutex,
             const scenario::Activity& activity) {
    using Clock = scenario::UiLoop::Clock;
    std::optional<Clock::time_point> deadline;
    while (!returned_.try_wait()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (!deadline && mutex.waiting_for_its_holder() > 0)
        deadline = Clock::now() + surroundings.settings.deadline;
      if (!deadline || Clock::now() < *deadline) continue;
      if (missing_.empty() && activity.waiting_for_server)
        missing_.push_back(std::string("event receiver") +
                           (mutex.is_held() ? " (holds the guard)" : ""));
      surroundings.homeserver.push(one_event);
    }
  }

  std::latch returned_{1};
  std::vector<std::string> missing_;  // written by thread_, read after it is joined
  boost::thread thread_;              // the last member: it uses the others
};

// Logout must take the runtime out under the lock, and a suspended task has the lock: so the window
// waits for a server that has nothing to say. Only an answer from outside sets it free.
Experiment logout_blocked(const Settings& settings) {
  const auto deadline_ms = settings.deadline.count();
  const std::string freed = "> " + std::to_string(deadline_ms) + " (freed from outside)";
  return session_without_recorded_events(
      {.name = "logout-blocked",
       .expected = Outcome::stuck,
       .summary = "the window waits for a stranger's I/O",
       .facts = {is("logout_ms", boost::json::string(freed)), is("logout_returned", false),
                 is("owners_left", 0), is("runtime_threads_left", 0), is("rows_after_logout", 0),
                 is("samples_lost", 4), at_least("longest_ui_freeze_ms", deadline_ms * 9 / 10),
                 is("relogin", "clean"), is("runtimes_at_once", 1),
                 is("stragglers", boost::json::array{"event receiver (holds the guard)"})}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        surroundings.settings.workers = std::max(2, surroundings.settings.workers);
        surroundings.samples_per_session = scenario::batch_size / 2;  // in hand at the logout
        log_in(client, "alice");
        const auto activity = client.session()->activity;
        auto& mutex = client.shared().mutex;
        LogoutProbe probe(surroundings, "alice", activity,
                          [&]() -> long { return client.shared().runtime ? 1 : 0; });
        co_await until_the_guard_is_held(surroundings, *activity, 1);
        co_await surroundings.ui.until(
            [&] { return activity->samples_taken == surroundings.samples_per_session; });

        Supervisor supervisor(surroundings, mutex, *activity);
        co_await probe.measure(client.logout());
        const auto missing = supervisor.logout_returned();
        log_in(client, "bob");
        const auto second = client.session()->activity;
        co_await until_the_guard_is_held(surroundings, *second, 2);

        SessionFacts facts = probe.facts();
        facts.logout_returned = missing.empty();
        // Whether the receiver's connection came back before the stop is a race that nobody
        // engineered.
        facts.connections_open.reset();
        facts.relogin = facts.runtime_threads_left == 0 ? "clean" : "the first runtime still runs";
        facts.runtimes_at_once = facts.runtime_threads_left == 0 ? 1 : 2;
        facts.stragglers = missing;
        boost::json::object shown = to_json(facts);
        if (!missing.empty())
          shown["logout_ms"] = "> " + std::to_string(surroundings.settings.deadline.count()) +
                               " (freed from outside)";
        co_return Observation{missing.empty() ? Outcome::finished : Outcome::stuck,
                              std::move(shown)};
      });
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
// has its price: each use may find the runtime gone and must have an answer.
Experiment lock_each_time() {
  return session(
      {.name = "lock-each-time",
       .expected = Outcome::lost,
       .summary = "between two uses, the runtime may be gone",
       .facts = {is("uses_total", Component::uses), is("uses_found_runtime_gone", 5),
                 is("samples_lost", 5)}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        surroundings.samples_per_session = 0;
        client.shared().runtime.emplace(surroundings.settings.workers, surroundings.threads);
        Component component(surroundings, client);
        component.half_way.wait();
        co_await client.logout();
        component.logged_out.count_down();
        component.join();

        const auto lost = Component::uses - surroundings.store.samples_of("alice");
        co_return Observation{lost > 0 ? Outcome::lost : Outcome::finished,
                              {{"uses_total", Component::uses},
                               {"uses_found_runtime_gone", component.found_runtime_gone()},
                               {"samples_lost", lost}}};
      });
}

}  // namespace

std::vector<Experiment> experiments(const Settings& settings) {
  std::vector<Experiment> all{wrong_thread(), deadlock(), logout_blocked(settings),
                              lock_each_time()};
  std::ranges::move(wrong_fixes(), std::back_inserter(all));
  all.push_back(checker());
  return all;
}

}  // namespace mutex_problem
