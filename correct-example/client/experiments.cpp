#include "experiments.hpp"

#include "scenario/child_process.hpp"
#include "scenario/logout_probe.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "client.hpp"
#include <algorithm>
#include <cmath>
#include <csignal>
#include <optional>

namespace correct_example {
namespace {

namespace asio = boost::asio;
using app::Client;
using app::Session;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using scenario::Experiment;
using scenario::LogoutProbe;
using scenario::Observation;
using scenario::Outcome;
using scenario::SessionFacts;
using scenario::Settings;
using scenario::Surroundings;

/// The old runtime as the probe sees it: how many still hold it.
std::function<long()> owners_of(const std::shared_ptr<Session>& session) {
  return [runtime = std::weak_ptr(session->runtime)] { return runtime.use_count(); };
}

std::vector<std::string> names_of(const std::vector<runtime_sharing::Straggler>& stragglers) {
  std::vector<std::string> names;
  for (const auto& straggler : stragglers) {
    names.push_back(straggler.name + " (" + std::string(to_string(straggler.needed)) + ")");
  }
  return names;
}

void show_failures(const ShutdownReport& report, boost::json::object& facts) {
  if (report.failures_total == 0) return;
  facts["failures"] = report.failures_total;
  facts["first_failure"] = report.failures[0].name + ": " + report.failures[0].what;
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

/// One user's session, from login over work in hand to a measured logout.
class MeasuredSession {
 public:
  MeasuredSession(Surroundings& surroundings, Client& client, const std::string& user)
      : surroundings_(surroundings), client_(client) {
    client.login(user);
    activity_ = client.session()->activity;
    probe_.emplace(surroundings, user, activity_, owners_of(client.session()));
  }

  /// Every event handled, the receiver waiting for the next, a batch of samples half full.
  asio::awaitable<void> until_at_rest() {
    return surroundings_.ui.until([this] { return surroundings_.at_rest(*activity_); });
  }

  asio::awaitable<void> log_out() { return probe_->measure(fetch_report()); }

  const scenario::Activity& activity() const { return *activity_; }
  const ShutdownReport& report() const { return report_; }

  SessionFacts facts() const {
    SessionFacts facts = probe_->facts();
    facts.stragglers = names_of(report_.stragglers);
    return facts;
  }

 private:
  asio::awaitable<void> fetch_report() { report_ = co_await client_.logout(); }

  Surroundings& surroundings_;
  Client& client_;
  std::shared_ptr<const scenario::Activity> activity_;
  std::optional<LogoutProbe> probe_;
  ShutdownReport report_;
};

// The whole of the recorded events over TCP, one task an event, each stored; then a logout.
asio::awaitable<Observation> replay(Surroundings& surroundings) {
  Client client(surroundings);
  const auto begun = scenario::UiLoop::Clock::now();
  MeasuredSession alice(surroundings, client, "alice");
  // Only the time-series worker goes on by itself when the stream has ended.
  co_await surroundings.ui.until([&] { return client.session()->components.size() == 1; });
  const std::chrono::duration<double> took = scenario::UiLoop::Clock::now() - begun;
  const scenario::EventTally tally = client.session()->reader.tally();

  co_await alice.log_out();

  const std::int64_t stored = surroundings.store.messages_of("alice");
  boost::json::object facts = to_json(alice.facts());
  facts["events_accepted"] = tally.accepted;
  facts["events_rejected"] = tally.rejected;
  facts["events_handled"] = alice.activity().events_handled.load();
  facts["events_stored"] = stored;
  facts["events_per_second"] = std::round(static_cast<double>(tally.accepted) / took.count());
  if (tally.rejected > 0) {
    facts["first_rejected_line"] = tally.first_rejected_line;
    facts["first_rejected_reason"] = tally.first_rejected_reason;
  }
  show_failures(alice.report(), facts);
  const bool all_stored = stored == static_cast<std::int64_t>(tally.accepted);
  const Outcome outcome = judge(alice.facts(), alice.report());
  co_return Observation{all_stored ? outcome : Outcome::lost, std::move(facts)};
}

// A logout in the middle of work.
asio::awaitable<Observation> logout(Surroundings& surroundings) {
  Client client(surroundings);
  MeasuredSession alice(surroundings, client, "alice");
  co_await alice.until_at_rest();

  co_await alice.log_out();

  boost::json::object facts = to_json(alice.facts());
  facts["rung_reached"] = to_string(alice.report().reached);
  facts["tasks"] = alice.report().tasks_total;
  co_return Observation{judge(alice.facts(), alice.report()), std::move(facts)};
}

// The next user signs in after the logout: a new generation, nothing of the first is left.
asio::awaitable<Observation> relogin(Surroundings& surroundings) {
  Client client(surroundings);
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
  facts.runtimes_at_once = clean ? 1 : 2;
  co_await bob.log_out();

  boost::json::object shown = to_json(facts);
  shown["second_generation"] = generation;
  const Outcome first = judge(facts, alice.report());
  const Outcome second = judge(bob.facts(), bob.report());
  co_return Observation{first == Outcome::finished ? second : first, std::move(shown)};
}

// A component keeps its shared_ptr for ever: the memory stays valid, the work has ended.
asio::awaitable<Observation> hold_for_ever(Surroundings& surroundings) {
  Client client(surroundings);
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
}

// One task does not listen to the token: the ladder goes one rung further, and says for whom.
asio::awaitable<Observation> straggler(Surroundings& surroundings) {
  Client client(surroundings);
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
  const auto named = names_of(alice.report().stragglers);
  const bool as_it_should = std::ranges::find(named, "deaf (interrupt)") != named.end();
  const Outcome outcome = judge(alice.facts(), alice.report());
  co_return Observation{as_it_should ? outcome : Outcome::undefined, std::move(facts)};
}

// The server says nothing: cancellation reaches the pending read of the socket.
asio::awaitable<Observation> server_silent(Surroundings& surroundings) {
  surroundings.homeserver.fall_silent();
  Client client(surroundings);
  MeasuredSession alice(surroundings, client, "alice");
  co_await surroundings.ui.until([&] { return alice.activity().waiting_for_server.load(); });

  co_await alice.log_out();

  boost::json::object facts = to_json(alice.facts());
  facts["events_received"] = alice.activity().events_received.load();
  facts["rung_reached"] = to_string(alice.report().reached);
  const bool graceful = alice.report().graceful();
  const Outcome outcome = judge(alice.facts(), alice.report());
  co_return Observation{graceful ? outcome : Outcome::stuck, std::move(facts)};
}

/// The program itself on a (pretended) terminal; `answers` maps what it prints to what is done.
scenario::ChildResult converse(const Settings& settings, const std::string& deadline_ms,
                               const std::string& first_input,
                               std::vector<std::string> interrupt_after) {
  std::size_t interrupts = 0;
  return scenario::run_child(
      scenario::this_program(),
      {"--interactive", "--events", settings.events.string(), "--deadline", deadline_ms},
      {.input = first_input, .keep_input_open = true},
      [&](std::string_view printed, scenario::RunningChild& child) {
        if (interrupts == interrupt_after.size()) return;
        if (printed.find(interrupt_after[interrupts]) == std::string_view::npos) return;
        ++interrupts;
        child.signal(SIGINT);
      });
}

// Ctrl-C once is one graceful shutdown; twice forces it; the exit code tells which it was.
Observation ctrl_c(const Settings& settings) {
  const auto once = converse(settings, "60000", "login alice\n", {"alice is signed in"});
  const auto twice = converse(settings, "60000", "login alice\ndeaf\n",
                              {"a deaf task was added", "waiting for 1 task: deaf"});

  boost::json::object facts;
  facts["once_exit_code"] = once.exit_code.value_or(-1);
  facts["once_ms"] = once.duration.count();
  facts["twice_exit_code"] = twice.exit_code.value_or(-1);
  facts["twice_ms"] = twice.duration.count();
  const bool both_ended = !once.timed_out && !twice.timed_out;
  const bool told_apart = once.exit_code == 0 && twice.exit_code == 128 + SIGINT;
  if (!both_ended) return {Outcome::stuck, std::move(facts)};
  return {told_apart ? Outcome::finished : Outcome::undefined, std::move(facts)};
}

/// Runs one experiment on the UI loop, as a window's event handler would.
template <typename Body>
std::function<Observation(const Settings&)> on_the_ui_loop(
    Body body, scenario::Homeserver::AfterReplay after_replay) {
  return [body, after_replay](const Settings& settings) {
    Surroundings surroundings(settings, after_replay);
    Observation observation;
    const auto observe = [&]() -> asio::awaitable<void> {
      observation = co_await body(surroundings);
    };
    surroundings.ui.run(observe());
    return observation;
  };
}

Experiment session(
    std::string name, std::string summary, asio::awaitable<Observation> (*body)(Surroundings&),
    scenario::Homeserver::AfterReplay after = scenario::Homeserver::AfterReplay::keep_open) {
  return {.name = std::move(name),
          .expected = Outcome::finished,
          .summary = std::move(summary),
          .run = on_the_ui_loop(body, after)};
}

}  // namespace

std::vector<Experiment> experiments() {
  return {
      session("replay", "every recorded event is stored, one task each", replay,
              scenario::Homeserver::AfterReplay::close),
      session("logout", "one call ends the work, and nothing is lost", logout),
      session("relogin", "the next user starts clean", relogin),
      session("hold-for-ever", "an owner keeps the runtime: valid, and refused", hold_for_ever),
      session("straggler", "a deaf task is interrupted, and named", straggler),
      session("server-silent", "cancellation reaches a pending read", server_silent),
      {.name = "ctrl-c",
       .expected = Outcome::finished,
       .summary = "once is graceful, twice forces",
       .run = ctrl_c},
  };
}

}  // namespace correct_example
