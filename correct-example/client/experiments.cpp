#include "experiments.hpp"

#include "scenario/child_process.hpp"
#include "scenario/session_facts.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "client.hpp"
#include <cmath>
#include <csignal>
#include <optional>
#include <stdexcept>

namespace correct_example {
namespace {

namespace asio = boost::asio;
using app::Client;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using scenario::at_least;
using scenario::at_most;
using scenario::Documented;
using scenario::Experiment;
using scenario::is;
using scenario::LogoutProbe;
using scenario::Observation;
using scenario::Outcome;
using scenario::SessionFacts;
using scenario::Settings;
using scenario::Surroundings;
using scenario::varies;

/// What every logout of the correct side documents, the straggler's apart.
std::vector<Documented> clean_logout() {
  return {varies("logout_ms", "a duration"),
          is("logout_returned", true),
          is("runtime_threads_left", 0),
          is("rows_after_logout", 0),
          is("samples_lost", 0),
          is("connections_open", 0),
          at_most("longest_ui_freeze_ms", scenario::noticeable_freeze_ms),
          is("stragglers", boost::json::array())};
}

/// The one grade for all experiments of the correct side.
Outcome judge(const SessionFacts& facts, const ShutdownReport& report) {
  if (report.failures_total > 0 || facts.samples_lost > 0) return Outcome::lost;
  const bool something_left = facts.runtime_threads_left > 0 || facts.rows_after_logout > 0 ||
                              facts.connections_open > 0 || report.threads_abandoned > 0;
  if (something_left) return Outcome::leaked;
  if (facts.longest_ui_freeze_ms > scenario::noticeable_freeze_ms) return Outcome::starved;
  return Outcome::finished;
}

/// One user's session, from login over work in hand to a measured logout. The first failure of a
/// task ends the experiment.
class MeasuredSession {
 public:
  MeasuredSession(Surroundings& surroundings, Client& client, const std::string& user)
      : surroundings_(surroundings), client_(client) {
    client.login(user);
    activity_ = client.session()->activity;
    probe_.emplace(
        surroundings, user, activity_,
        [runtime = std::weak_ptr(client.session()->runtime)] { return runtime.use_count(); });
  }

  asio::awaitable<void> until(std::function<bool()> condition) {
    const auto failed = client_.session()->components.token();  // cancelled by a failure
    co_await surroundings_.ui.until([&] { return condition() || failed.is_cancelled(); });
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

  SessionFacts facts() const {
    SessionFacts facts = probe_->facts();
    facts.stragglers.emplace();
    for (const auto& straggler : report_.stragglers)
      facts.stragglers->push_back(straggler.name + " (" + std::string(to_string(straggler.needed)) +
                                  ")");
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
       .facts = clean_logout() + std::vector{is("owners_left", 0),
                                             is("events_accepted", settings.recorded.accepted),
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
        const Outcome outcome = judge(alice.facts(), alice.report());
        co_return Observation{all_stored ? outcome : Outcome::lost, std::move(facts)};
      },
      scenario::Afterwards::destroy, scenario::Homeserver::AfterReplay::close);
}

// A logout in the middle of work.
Experiment logout(const Settings& settings) {
  return session({.name = "logout",
                  .expected = Outcome::finished,
                  .summary = "one call ends the work, and nothing is lost",
                  .facts = clean_logout() +
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
                   co_return Observation{judge(alice.facts(), alice.report()), std::move(facts)};
                 });
}

/// "clean", or in what a session is not as every clean one.
std::string in_words(const SessionFacts& facts) {
  const Experiment clean{.name = "clean",
                         .facts = clean_logout() + std::vector{is("owners_left", 0)}};
  const auto words = boost::algorithm::join(differences(clean, to_json(facts)), ", ");
  return words.empty() ? "clean" : words;
}

// The next user signs in after the logout: a new generation, nothing of the first is left.
Experiment relogin() {
  return session(
      {.name = "relogin",
       .expected = Outcome::finished,
       .summary = "the next user starts clean",
       .facts = clean_logout() + std::vector{is("owners_left", 0), is("relogin", "clean"),
                                             is("runtimes_at_once", 1), is("second_generation", 2),
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
        const bool clean = facts.runtime_threads_left == 0 && facts.rows_after_logout == 0;
        facts.relogin = clean ? "clean" : "the first user's tasks still run";
        facts.runtimes_at_once =
            surroundings.threads.running() > surroundings.settings.workers ? 2 : 1;
        co_await bob.log_out();

        boost::json::object shown = to_json(facts);
        shown["second_generation"] = generation;
        shown["second_logout"] = in_words(bob.facts());
        const Outcome first = judge(facts, alice.report());
        const Outcome second = judge(bob.facts(), bob.report());
        co_return Observation{first == Outcome::finished ? second : first, std::move(shown)};
      });
}

// A component keeps its shared_ptr for ever: the memory stays valid, the work has ended.
Experiment hold_for_ever() {
  return session(
      {.name = "hold-for-ever",
       .expected = Outcome::finished,
       .summary = "an owner keeps the runtime: valid, and refused",
       .facts = clean_logout() +
                std::vector{is("owners_left", 1), is("late_spawn_refused", true),
                            is("refusal",
                               "task 'late' refused by runtime 'client', generation 1: the "
                               "runtime has been shut down; use the one of the present "
                               "generation [runtime_sharing:2]")}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        MeasuredSession alice(surroundings, client, "alice");
        const std::shared_ptr<Runtime> held = client.session()->runtime;
        co_await alice.until_at_rest();
        co_await alice.log_out();
        MeasuredSession bob(surroundings, client, "bob");
        co_await bob.until_at_rest();

        std::string refusal;
        bool ran = false;
        try {
          held->spawn("late", [&]() -> asio::awaitable<void> {
            ran = true;
            co_return;
          });
        } catch (const boost::system::system_error& error) {
          refusal = error.what();
        }
        co_await bob.log_out();

        boost::json::object facts = to_json(alice.facts());
        facts["late_spawn_refused"] = !refusal.empty();
        facts["refusal"] = refusal;
        Outcome outcome = judge(alice.facts(), alice.report());
        if (refusal.empty()) outcome = ran ? Outcome::leaked : Outcome::lost;
        co_return Observation{outcome, std::move(facts)};
      });
}

// One task does not listen to the token: the ladder goes one rung further, and says for whom.
Experiment straggler(const Settings& settings) {
  return session(
      {.name = "straggler",
       .expected = Outcome::finished,
       .summary = "a deaf task is interrupted, and named",
       .facts = {at_least("logout_ms", settings.deadline.count()), is("logout_returned", true),
                 is("owners_left", 0), is("runtime_threads_left", 0), is("rows_after_logout", 0),
                 is("samples_lost", 0), is("connections_open", 0),
                 at_most("longest_ui_freeze_ms", scenario::noticeable_freeze_ms),
                 is("stragglers", boost::json::array{"deaf (interrupt)"}),
                 is("rung_reached", "interrupt")}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        MeasuredSession alice(surroundings, client, "alice");
        client.session()->components.spawn("deaf", []() -> asio::awaitable<void> {
          asio::steady_timer timer(co_await asio::this_coro::executor,
                                   asio::steady_timer::time_point::max());
          co_await timer.async_wait(asio::use_awaitable);
        });
        co_await alice.until_at_rest();

        co_await alice.log_out();

        boost::json::object facts = to_json(alice.facts());
        facts["rung_reached"] = to_string(alice.report().reached);
        co_return Observation{judge(alice.facts(), alice.report()), std::move(facts)};
      });
}

// The server says nothing: cancellation reaches the pending read of the socket.
Experiment server_silent() {
  return session(
      {.name = "server-silent",
       .expected = Outcome::finished,
       .summary = "cancellation reaches a pending read",
       .facts = clean_logout() + std::vector{is("owners_left", 0), is("events_received", 0),
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
        const Outcome outcome = judge(alice.facts(), alice.report());
        co_return Observation{graceful ? outcome : Outcome::stuck, std::move(facts)};
      });
}

/// The program itself on a (pretended) terminal, interrupted each time that it has printed the next
/// of `interrupt_after`.
scenario::ChildResult converse(const Settings& settings, std::chrono::milliseconds deadline,
                               const std::string& typed,
                               const std::vector<std::string>& interrupt_after) {
  std::size_t interrupts = 0;
  return scenario::run_child(
      scenario::this_program(),
      {"--interactive", "--events", settings.events.string(), "--deadline",
       std::to_string(deadline.count())},
      {.input = typed, .keep_input_open = true},
      [&](const std::string& printed, scenario::RunningChild& child) {
        while (interrupts < interrupt_after.size() &&
               printed.find(interrupt_after[interrupts]) != std::string::npos) {
          ++interrupts;
          child.signal(SIGINT);
        }
      });
}

/// The rung in the report that a conversation printed.
std::string rung_in(const std::string& printed) {
  const auto begin = printed.find("reached '");
  if (begin == std::string::npos) return "no report";
  return printed.substr(begin + 9, printed.find('\'', begin + 9) - begin - 9);
}

// Ctrl-C once is one graceful shutdown; twice forces it; the exit code tells which it was. The
// deadline of the second is so far away that only force can end it before.
Experiment ctrl_c() {
  return {.name = "ctrl-c",
          .expected = Outcome::finished,
          .summary = "once is graceful, twice forces",
          .facts = {is("once_exit_code", 0), is("once_rung_reached", "wait"),
                    varies("once_ms", "a duration"), is("twice_exit_code", 128 + SIGINT),
                    varies("twice_rung_reached", "forced, it waits for nobody: interrupt or stop"),
                    varies("twice_ms", "a duration")},
          .run = [](const Settings& settings) {
            const scenario::SignalsHeld held;  // and passed on to the conversation
            const auto once =
                converse(settings, settings.deadline, "login alice\n", {"alice is signed in"});
            const auto twice = converse(settings, std::chrono::minutes(10), "login alice\ndeaf\n",
                                        {"a deaf task was added", "waiting for 1 task: deaf"});

            const bool both_ended = !once.timed_out && !twice.timed_out;
            const bool told_apart = once.exit_code == 0 && twice.exit_code == 128 + SIGINT;
            return Observation{!both_ended  ? Outcome::stuck
                               : told_apart ? Outcome::finished
                                            : Outcome::undefined,
                               {{"once_exit_code", once.exit_code.value_or(-1)},
                                {"once_rung_reached", rung_in(once.out)},
                                {"once_ms", once.duration.count()},
                                {"twice_exit_code", twice.exit_code.value_or(-1)},
                                {"twice_rung_reached", rung_in(twice.out)},
                                {"twice_ms", twice.duration.count()}}};
          }};
}

}  // namespace

std::vector<Experiment> experiments(const Settings& settings) {
  return {replay(settings),    logout(settings), relogin(), hold_for_ever(),
          straggler(settings), server_silent(),  ctrl_c()};
}

}  // namespace correct_example
