#include "experiments.hpp"

#include "scenario/session_facts.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json/value_from.hpp>
#include <boost/system/system_error.hpp>

#include "lifetime.hpp"
#include <atomic>
#include <cmath>
#include <optional>
#include <stdexcept>

namespace correct_example {
namespace {

namespace asio = boost::asio;
using app::Client;
using runtime_sharing::CancellationToken;
using runtime_sharing::Deadlines;
using runtime_sharing::Rung;
using runtime_sharing::ShutdownReport;
using runtime_sharing::TaskScope;
using scenario::at_least;
using scenario::at_most;
using scenario::Documented;
using scenario::Experiment;
using scenario::is;
using scenario::log_in;
using scenario::LogoutProbe;
using scenario::Observation;
using scenario::Outcome;
using scenario::SessionFacts;
using scenario::Settings;
using scenario::Surroundings;
using scenario::varies;

/// What a logout leaves running: nothing, or the threads of a runtime that lives on.
int threads_after_logout(const Settings& settings) {
  return runtime_lives_on ? settings.workers : 0;
}

/// What every logout of the correct side documents, however long it takes and whoever it names.
std::vector<Documented> nothing_is_lost(const Settings& settings) {
  return {
      is("logout_returned", true), is("runtime_threads_left", threads_after_logout(settings)),
      is("rows_after_logout", 0),  is("samples_lost", 0),
      is("connections_open", 0),   at_most("longest_ui_freeze_ms", scenario::noticeable_freeze_ms)};
}

/// The same of one that everybody has listened to.
std::vector<Documented> clean_logout(const Settings& settings) {
  return nothing_is_lost(settings) +
         std::vector{varies("logout_ms", "a duration"), is("stragglers", boost::json::array())};
}

/// The one grade for all experiments of the correct side.
Outcome judge(const SessionFacts& facts, const ShutdownReport& report, const Settings& settings) {
  if (report.failures_total > 0 || facts.samples_lost > 0) return Outcome::lost;
  const bool something_left = facts.runtime_threads_left > threads_after_logout(settings) ||
                              facts.rows_after_logout > 0 || facts.connections_open > 0 ||
                              report.reached == Rung::abandon;
  if (something_left) return Outcome::leaked;
  if (facts.longest_ui_freeze_ms > scenario::noticeable_freeze_ms) return Outcome::starved;
  return Outcome::finished;
}

/// Each with the rung that it needed.
std::vector<std::string> in_words(const std::vector<runtime_sharing::Straggler>& stragglers) {
  std::vector<std::string> words;
  for (const auto& [name, needed, destroyed] : stragglers)
    words.push_back(name + " (" + std::string(to_string(needed)) + ")");
  return words;
}

/// One user's session, from login over work in hand to a measured logout. The first failure of a
/// task ends the experiment.
class MeasuredSession {
 public:
  MeasuredSession(Surroundings& surroundings, Client& client, const std::string& user)
      : surroundings_(surroundings), client_(client) {
    log_in(client, user);
    activity_ = client.session()->activity;
    probe_.emplace(surroundings, user, activity_,
                   [ended = ended_by_logout(client.session())] { return ended.use_count(); });
  }

  /// With every thread of the runtime at work.
  asio::awaitable<void> until(std::function<bool()> condition) {
    const auto failed = client_.session()->components.token();  // cancelled by a failure
    co_await surroundings_.ui.until([&] {
      const bool all_run = surroundings_.threads.running() >= surroundings_.settings.workers;
      return (all_run && condition()) || failed.is_cancelled();
    });
    if (!failed.is_cancelled()) co_return;
    co_await fetch_report();
    throw_first_failure();
  }

  /// Every event handled, the receiver waiting for the next, a batch of samples half full.
  asio::awaitable<void> until_at_rest() {
    return until([this] { return surroundings_.at_rest(*activity_); });
  }

  asio::awaitable<void> log_out() {
    co_await probe_->measure(fetch_report());
    if (report_.failures_total > 0) throw_first_failure();
  }

  const scenario::Activity& activity() const { return *activity_; }
  const ShutdownReport& report() const { return report_; }
  Outcome outcome() const { return judge(facts(), report_, surroundings_.settings); }

  SessionFacts facts() const {
    SessionFacts facts = probe_->facts();
    facts.stragglers = in_words(report_.stragglers);
    return facts;
  }

 private:
  asio::awaitable<void> fetch_report() { report_ = co_await client_.logout(); }

  [[noreturn]] void throw_first_failure() const {
    const auto& first = report_.failures.at(0);
    throw std::runtime_error("task '" + first.name + "' failed: " + first.what);
  }

  Surroundings& surroundings_;
  Client& client_;
  std::shared_ptr<const scenario::Activity> activity_;
  std::optional<LogoutProbe> probe_;
  ShutdownReport report_;
};

using Body = asio::awaitable<Observation> (*)(Surroundings&, Client&);
Experiment session(Experiment documented, Body body) {
  return on_the_ui_loop(std::move(documented), body, scenario::Afterwards::destroy);
}

// The whole of the recorded events over TCP, one task an event, each stored; then a logout.
Experiment replay(const Settings& settings) {
  return on_the_ui_loop<Client>(
      {.name = "replay",
       .expected = Outcome::finished,
       .summary = "every recorded event is stored, one task each",
       .facts = clean_logout(settings) +
                std::vector{is("owners_left", 0), is("events_accepted", settings.recorded.accepted),
                            is("events_rejected", settings.recorded.rejected),
                            is("events_handled", settings.recorded.accepted),
                            is("events_stored", settings.recorded.accepted),
                            varies("events_per_second", "a speed")}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        const auto begun = scenario::UiLoop::Clock::now();
        MeasuredSession alice(surroundings, client, "alice");
        // Only the time-series worker goes on by itself when the stream has ended.
        co_await alice.until([&] { return client.session()->components.size() == 1; });
        const std::chrono::duration<double> took = scenario::UiLoop::Clock::now() - begun;
        const scenario::EventTally tally = client.session()->reader.tally();

        co_await alice.log_out();

        const auto stored = surroundings.store.messages_of("alice");
        boost::json::object facts = to_json(alice.facts());
        facts["events_accepted"] = tally.accepted;
        facts["events_rejected"] = tally.rejected;
        facts["events_handled"] = alice.activity().events_handled.load();
        facts["events_stored"] = stored;
        facts["events_per_second"] = std::round(static_cast<double>(tally.accepted) / took.count());
        const bool all_stored = stored == static_cast<std::int64_t>(tally.accepted);
        const Outcome outcome = alice.outcome();
        co_return Observation{all_stored ? outcome : Outcome::lost, std::move(facts)};
      },
      scenario::Afterwards::destroy, scenario::Homeserver::AfterReplay::close);
}

// A logout in the middle of work.
Experiment logout(const Settings& settings) {
  return session({.name = "logout",
                  .expected = Outcome::finished,
                  .summary = "one call ends the work, and nothing is lost",
                  .facts = clean_logout(settings) +
                           std::vector{is("owners_left", 0), is("rung_reached", "wait"),
                                       // the pool, the worker, the receiver, and one for each event
                                       is("tasks", settings.recorded.accepted + 3)}},
                 [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
                   MeasuredSession alice(surroundings, client, "alice");
                   co_await alice.until_at_rest();

                   co_await alice.log_out();

                   boost::json::object facts = to_json(alice.facts());
                   facts["rung_reached"] = to_string(alice.report().reached);
                   facts["tasks"] = alice.report().tasks_total;
                   co_return Observation{alice.outcome(), std::move(facts)};
                 });
}

/// "clean", or in what a session is not as every clean one.
std::string in_words(const SessionFacts& facts, const Settings& settings) {
  const Experiment clean{.name = "clean",
                         .facts = clean_logout(settings) + std::vector{is("owners_left", 0)}};
  const auto words = boost::algorithm::join(differences(clean, to_json(facts)), ", ");
  return words.empty() ? "clean" : words;
}

// The next user signs in after the logout: nothing of the first is left. A new generation needs new
// threads; a new scope needs none.
Experiment relogin(const Settings& settings) {
  return session(
      {.name = "relogin",
       .expected = Outcome::finished,
       .summary = "the next user starts clean",
       .facts = clean_logout(settings) +
                std::vector{is("owners_left", 0), is("relogin", "clean"), is("runtimes_at_once", 1),
                            is("second_generation", runtime_lives_on ? 1 : 2),
                            is("threads_started", settings.workers * (runtime_lives_on ? 1 : 2)),
                            is("second_logout", "clean")}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        MeasuredSession alice(surroundings, client, "alice");
        co_await alice.until_at_rest();
        co_await alice.log_out();

        MeasuredSession bob(surroundings, client, "bob");
        const std::uint64_t generation = client.session()->runtime->generation();
        co_await bob.until_at_rest();

        // Asked while bob is at work: whatever alice's session had left would have shown by now.
        SessionFacts facts = alice.facts();
        const bool clean =
            facts.runtime_threads_left == threads_after_logout(surroundings.settings) &&
            facts.rows_after_logout == 0;
        facts.relogin = clean ? "clean" : "the first user's tasks still run";
        facts.runtimes_at_once =
            surroundings.threads.running() > surroundings.settings.workers ? 2 : 1;
        co_await bob.log_out();

        boost::json::object shown = to_json(facts);
        shown["second_generation"] = generation;
        shown["threads_started"] = surroundings.threads.started();
        shown["second_logout"] = in_words(bob.facts(), surroundings.settings);
        const Outcome first = alice.outcome();
        co_return Observation{first == Outcome::finished ? bob.outcome() : first, std::move(shown)};
      });
}

/// The words of the refusal; empty if the task was accepted.
std::string refusal_of(TaskScope& scope, std::atomic<bool>& ran) {
  try {
    scope.spawn("late", [&ran]() -> asio::awaitable<void> {
      ran = true;
      co_return;
    });
    return {};
  } catch (const boost::system::system_error& error) {
    return error.what();
  }
}

// A component keeps its shared_ptr for ever: the memory stays valid, the work has ended. What is
// not part of a session finds the runtime at work, if that lives on.
Experiment hold_for_ever(const Settings& settings) {
  const auto* const words =
      runtime_lives_on
          ? "task 'late' refused by scope 'alice': the scope is closed [runtime_sharing:1]"
          : "task 'late' refused by runtime 'client', generation 1: the runtime has been shut "
            "down; "
            "use the one of the present generation [runtime_sharing:2]";
  return session(
      {.name = "hold-for-ever",
       .expected = Outcome::finished,
       .summary = "an owner keeps the session: valid, and refused",
       .facts = clean_logout(settings) +
                std::vector{is("owners_left", 1), is("late_spawn_refused", true),
                            is("refusal", words), is("runtime_still_works", runtime_lives_on)}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        MeasuredSession alice(surroundings, client, "alice");
        const std::shared_ptr<app::Session> held = client.session();
        co_await alice.until_at_rest();
        co_await alice.log_out();
        MeasuredSession bob(surroundings, client, "bob");
        co_await bob.until_at_rest();

        std::atomic<bool> ran = false;
        const std::string refusal = refusal_of(scope_of(*held), ran);
        std::atomic<bool> ran_on_runtime = false;
        const bool accepted = refusal_of(held->runtime->scope(), ran_on_runtime).empty();
        co_await bob.until([&] { return ran_on_runtime == accepted; });
        co_await bob.log_out();

        boost::json::object facts = to_json(alice.facts());
        facts["late_spawn_refused"] = !refusal.empty();
        facts["refusal"] = refusal;
        facts["runtime_still_works"] = ran_on_runtime.load();
        Outcome outcome = alice.outcome();
        if (refusal.empty()) outcome = ran ? Outcome::leaked : Outcome::lost;
        co_return Observation{outcome, std::move(facts)};
      });
}

/// Listens to nobody.
asio::awaitable<void> sleep_for_ever() {
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
}

// One task does not listen to the token: the ladder goes one rung further, and says for whom.
Experiment straggler(const Settings& settings) {
  return session(
      {.name = "straggler",
       .expected = Outcome::finished,
       .summary = "a deaf task is interrupted, and named",
       .facts = nothing_is_lost(settings) +
                std::vector{at_least("logout_ms", settings.deadline.count()), is("owners_left", 0),
                            is("stragglers", boost::json::array{"deaf (interrupt)"}),
                            is("rung_reached", "interrupt")}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        MeasuredSession alice(surroundings, client, "alice");
        client.session()->components.spawn("deaf", sleep_for_ever);
        co_await alice.until_at_rest();

        co_await alice.log_out();

        boost::json::object facts = to_json(alice.facts());
        facts["rung_reached"] = to_string(alice.report().reached);
        co_return Observation{alice.outcome(), std::move(facts)};
      });
}

// The next user does not wait for the end of a logout. There is one runtime of a slot at a time;
// there may be many scopes. The server is silent by then: the second session is a short one, and
// over before the first logout is due to interrupt anybody.
Experiment early_login(const Settings& settings) {
  const auto* const words =
      runtime_lives_on ? "clean"
                       : "the runtime is being shut down; wait for its report [runtime_sharing:4]";
  return session({.name = "early-login",
                  .expected = Outcome::finished,
                  .summary = "the next user signs in before the logout is over",
                  .facts = clean_logout(settings) +
                           std::vector{is("owners_left", 0), is("early_login", words)}},
                 [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
                   MeasuredSession alice(surroundings, client, "alice");
                   const CancellationToken said_goodbye;
                   const auto say_goodbye = [](CancellationToken until) -> asio::awaitable<void> {
                     co_await until.cancelled();
                   };
                   client.session()->components.spawn("goodbye", say_goodbye, said_goodbye);
                   co_await alice.until_at_rest();
                   surroundings.homeserver.fall_silent();
                   bool over = false;
                   asio::co_spawn(surroundings.ui.executor(), alice.log_out(),
                                  [&](std::exception_ptr failure) {
                                    scenario::end_on_failure(std::move(failure));
                                    over = true;
                                  });
                   // Only the goodbye is left, and the pool that waits for it.
                   co_await surroundings.ui.until([&] {
                     return alice.activity().samples_stored == alice.activity().samples_taken &&
                            surroundings.store.connections_open() == 0;
                   });

                   std::string early_login;
                   try {
                     MeasuredSession bob(surroundings, client, "bob");
                     co_await bob.until([&] { return bob.activity().waiting_for_server.load(); });
                     co_await bob.log_out();
                     early_login = in_words(bob.facts(), surroundings.settings);
                   } catch (const boost::system::system_error& error) {
                     early_login = error.what();
                   }
                   said_goodbye.cancel();
                   co_await surroundings.ui.until([&] { return over; });

                   boost::json::object facts = to_json(alice.facts());
                   facts["early_login"] = early_login;
                   co_return Observation{alice.outcome(), std::move(facts)};
                 });
}

// What a scope cannot do: a task that cannot be interrupted ends with its runtime, and not before.
// Where that lives on, a logout leaves the task behind, and says so.
Experiment left_behind(const Settings& settings) {
  const auto deadline = settings.deadline / 2;
  return session(
      {.name = "left-behind",
       .expected = Outcome::leaked,
       .summary = "who cannot be interrupted outlives the session",
       .facts = nothing_is_lost(settings) +
                std::vector{at_least("logout_ms", deadline.count()), is("owners_left", 1),
                            is("stragglers", boost::json::array{"deaf (abandon)"}),
                            is("stragglers_of_runtime", boost::json::array{"deaf (stop)"}),
                            is("owners_left_then", 0)}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        surroundings.settings.deadline /= 2;
        MeasuredSession alice(surroundings, client, "alice");
        const auto deaf = [](std::shared_ptr<app::Session>) -> asio::awaitable<void> {
          co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
          co_await sleep_for_ever();
        };
        scope_of(*client.session()).spawn("deaf", deaf, client.session());
        const auto owners = ended_by_logout(client.session());
        const auto runtime = client.session()->runtime;
        co_await alice.until_at_rest();

        co_await alice.log_out();

        boost::json::object facts = to_json(alice.facts());
        const Outcome outcome = alice.outcome();
        const auto end = co_await runtime->async_shutdown(Deadlines::immediate());
        facts["stragglers_of_runtime"] = boost::json::value_from(in_words(end.stragglers));
        facts["owners_left_then"] = owners.use_count();
        co_return Observation{outcome, std::move(facts)};
      });
}

// The server says nothing: cancellation reaches the pending read of the socket.
Experiment server_silent(const Settings& settings) {
  return session(
      {.name = "server-silent",
       .expected = Outcome::finished,
       .summary = "cancellation reaches a pending read",
       .facts = clean_logout(settings) + std::vector{is("owners_left", 0), is("events_received", 0),
                                                     is("rung_reached", "wait")}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        surroundings.homeserver.fall_silent();
        MeasuredSession alice(surroundings, client, "alice");
        co_await alice.until([&] { return alice.activity().waiting_for_server.load(); });

        co_await alice.log_out();

        boost::json::object facts = to_json(alice.facts());
        facts["events_received"] = alice.activity().events_received.load();
        facts["rung_reached"] = to_string(alice.report().reached);
        const bool graceful = alice.report().graceful();
        const Outcome outcome = alice.outcome();
        co_return Observation{graceful ? outcome : Outcome::stuck, std::move(facts)};
      });
}

}  // namespace

std::vector<Experiment> experiments(const Settings& settings) {
  std::vector all{replay(settings),        logout(settings),    relogin(settings),
                  hold_for_ever(settings), straggler(settings), early_login(settings),
                  server_silent(settings)};
  if (runtime_lives_on) all.push_back(left_behind(settings));
  return all;
}

}  // namespace correct_example
