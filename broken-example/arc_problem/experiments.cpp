#include "experiments.hpp"

#include "scenario/logout_probe.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "client.hpp"
#include <array>
#include <functional>

namespace arc_problem {
namespace {

using namespace std::chrono_literals;
using scenario::Experiment;
using scenario::LogoutProbe;
using scenario::Observation;
using scenario::Outcome;
using scenario::SessionFacts;
using scenario::Settings;
using scenario::Surroundings;
using scenario::UiLoop;

LogoutProbe probe_of(Surroundings& surroundings, const Client& client) {
  const auto& session = client.session();
  return {surroundings, session->user, session->activity,
          [runtime = std::weak_ptr(session->runtime)] { return runtime.use_count(); }};
}

/// Ready when the worker has stored a batch: the session is at work and will not rest.
asio::awaitable<void> until_at_work(Surroundings& surroundings, const Client& client) {
  const auto activity = client.session()->activity;
  co_await surroundings.ui.until(
      [&] { return activity->samples_stored > 0 && activity->waiting_for_server; });
}

/// What a session that was not ended leaves behind. Samples in hand are not lost: somebody who
/// should have gone still works on them.
SessionFacts facts_of_a_session_that_goes_on(const LogoutProbe& probe) {
  SessionFacts facts = probe.facts();
  facts.samples_lost.reset();
  return facts;
}

Outcome leaked_if_it_goes_on(const SessionFacts& facts) {
  const bool goes_on = facts.runtime_threads_left > 0 && facts.rows_after_logout > 0;
  return goes_on ? Outcome::leaked : Outcome::finished;
}

// Logout lets go of the runtime. The worker, the receiver and the pool do not: they hold it for as
// long as they run, and they run for as long as they hold it.
asio::awaitable<Observation> leak(Surroundings& surroundings, Client& client) {
  surroundings.samples_per_session = Surroundings::endless;
  client.login("alice");
  auto probe = probe_of(surroundings, client);
  co_await until_at_work(surroundings, client);

  co_await probe.measure(client.logout());
  co_await surroundings.ui.until([&] { return probe.rows_after_logout() > 0; });

  const SessionFacts facts = facts_of_a_session_that_goes_on(probe);
  co_return Observation{leaked_if_it_goes_on(facts), to_json(facts)};
}

// The next login makes a second runtime. The first user's worker does not know that anything has
// changed, and goes on writing into the same store.
asio::awaitable<Observation> two_worlds(Surroundings& surroundings, Client& client) {
  surroundings.samples_per_session = Surroundings::endless;
  client.login("alice");
  auto probe = probe_of(surroundings, client);
  co_await until_at_work(surroundings, client);
  co_await probe.measure(client.logout());

  client.login("bob");
  const auto rows_at_login = probe.rows_after_logout();
  co_await until_at_work(surroundings, client);
  co_await surroundings.ui.until([&] { return probe.rows_after_logout() > rows_at_login; });

  SessionFacts facts = facts_of_a_session_that_goes_on(probe);
  const bool two = surroundings.threads.running() > surroundings.settings.workers;
  facts.runtimes_at_once = two ? 2 : 1;
  facts.relogin = two ? "the first user's tasks still write" : "clean";
  co_return Observation{leaked_if_it_goes_on(facts), to_json(facts)};
}

// Somebody stops the context anyway. What is suspended never resumes: the last batch is lost, the
// pool waits for its connection for ever. What is posted afterwards is accepted, and never runs.
asio::awaitable<Observation> forced_stop(Surroundings& surroundings, Client& client) {
  client.login("alice");
  auto probe = probe_of(surroundings, client);
  const auto runtime = client.session()->runtime;
  const auto activity = client.session()->activity;
  co_await surroundings.ui.until([&] { return surroundings.at_rest(*activity); });

  runtime->stop();
  co_await probe.measure(client.logout());
  const auto ran = std::make_shared<std::atomic<bool>>(false);
  asio::post(runtime->get_executor(), [ran] { *ran = true; });
  co_await surroundings.ui.until(
      [&, beats = surroundings.ui.beats()] { return surroundings.ui.beats() > beats + 10; });

  const SessionFacts facts = probe.facts();
  boost::json::object shown = to_json(facts);
  shown["posted_after_stop_ran"] = ran->load();
  const bool lost = facts.samples_lost > 0 && facts.connections_open > 0 && !*ran;
  co_return Observation{lost ? Outcome::lost : Outcome::finished, std::move(shown)};
}

/// Signs in, and waits for one line from the server.
asio::awaitable<void> wait_for_one_line(asio::ip::tcp::endpoint server) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer("alice\n", 6), asio::use_awaitable);
  std::array<char, 1> byte{};
  co_await socket.async_read_some(asio::buffer(byte), asio::use_awaitable);
}

/// Waits until the runtime's one thread has come back out of a runtime that is gone. It may not
/// come back at all: then two seconds are enough to say so.
asio::awaitable<boost::json::object> what_became_of(Surroundings& surroundings,
                                                    std::shared_ptr<const Witness> witness) {
  const auto patience = UiLoop::Clock::now() + 2s;
  co_await surroundings.ui.until(
      [&] { return witness->threads_returned > 0 || UiLoop::Clock::now() > patience; });
  boost::json::object facts;
  facts["destroyed"] = witness->destroyed.load();
  facts["destroyed_on_its_own_thread"] = witness->destroyed_on_its_own_thread.load();
  facts["thread_was_still_running_it"] = witness->thread_was_still_running_it.load();
  facts["self_join"] = witness->destroyed ? witness->self_join : "";
  co_return facts;
}

Outcome undefined_if_destroyed_under_its_thread(const boost::json::object& facts) {
  return facts.at("destroyed_on_its_own_thread").as_bool() ? Outcome::undefined : Outcome::finished;
}

// A task is the last owner. When it ends, ~Runtime runs on the runtime's own thread: it cannot join
// itself, and frees the context that this thread is still inside. Without a sanitizer that looks
// fine on most days.
asio::awaitable<Observation> last_owner_on_worker(Surroundings& surroundings, Client&) {
  surroundings.homeserver.fall_silent();
  auto runtime = std::make_shared<Runtime>(1, surroundings.threads);
  const auto witness = runtime->witness();
  asio::co_spawn(
      runtime->get_executor(),
      [](std::shared_ptr<Runtime>, asio::ip::tcp::endpoint server) -> asio::awaitable<void> {
        co_await wait_for_one_line(server);
      }(runtime, surroundings.homeserver.endpoint()),
      asio::detached);
  co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });

  runtime.reset();
  surroundings.homeserver.speak();

  auto facts = co_await what_became_of(surroundings, witness);
  const Outcome outcome = undefined_if_destroyed_under_its_thread(facts);
  co_return Observation{outcome, std::move(facts)};
}

// "Then detach the threads, so that nobody waits for them." Nobody does; they run on.
asio::awaitable<Observation> fix_detach(Surroundings& surroundings, Client& client) {
  surroundings.samples_per_session = Surroundings::endless;
  client.login("alice");
  auto probe = probe_of(surroundings, client);
  co_await until_at_work(surroundings, client);

  client.session()->runtime->detach();
  co_await probe.measure(client.logout());
  co_await surroundings.ui.until([&] { return probe.rows_after_logout() > 0; });

  const SessionFacts facts = facts_of_a_session_that_goes_on(probe);
  co_return Observation{leaked_if_it_goes_on(facts), to_json(facts)};
}

// "Then let the components hold a weak_ptr." Whoever uses the runtime must lock it for the duration
// of the use, and a use lasts across a co_await. At logout that use is the last owner, on a worker.
asio::awaitable<Observation> fix_weak_ptr(Surroundings& surroundings, Client&) {
  surroundings.homeserver.fall_silent();
  auto runtime = std::make_shared<Runtime>(1, surroundings.threads);
  const std::weak_ptr<Runtime> weak = runtime;
  const auto witness = runtime->witness();
  asio::co_spawn(
      runtime->get_executor(),
      [](std::weak_ptr<Runtime> component,
         asio::ip::tcp::endpoint server) -> asio::awaitable<void> {
        if (const auto in_use = component.lock()) co_await wait_for_one_line(server);
      }(weak, surroundings.homeserver.endpoint()),
      asio::detached);
  co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });

  runtime.reset();
  const bool alive_after_logout = !weak.expired();
  surroundings.homeserver.speak();

  auto facts = co_await what_became_of(surroundings, witness);
  facts["alive_after_logout"] = alive_after_logout;
  facts["next_use_found_it_gone"] = weak.lock() == nullptr;
  const Outcome outcome = undefined_if_destroyed_under_its_thread(facts);
  co_return Observation{outcome, std::move(facts)};
}

// "Then stop the context at logout, and restart it at login." The queue survives a stop: the first
// user's tasks wake up in the second user's session.
asio::awaitable<Observation> fix_stop(Surroundings& surroundings, Client& client) {
  surroundings.samples_per_session = Surroundings::endless;
  client.login("alice");
  auto probe = probe_of(surroundings, client);
  const auto runtime = client.session()->runtime;
  co_await until_at_work(surroundings, client);
  runtime->stop();
  co_await probe.measure(client.logout());

  runtime->restart();
  client.start_session("bob", runtime);
  co_await until_at_work(surroundings, client);
  co_await surroundings.ui.until([&] { return probe.rows_after_logout() > 0; });

  SessionFacts facts = facts_of_a_session_that_goes_on(probe);
  const bool woke_up = facts.rows_after_logout > 0;
  facts.relogin = woke_up ? "the first user's tasks woke up in it" : "clean";
  co_return Observation{woke_up ? Outcome::leaked : Outcome::finished, to_json(facts)};
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

}  // namespace

std::vector<Experiment> experiments() {
  return {
      session("leak", Outcome::leaked, "logout lets go, and everything runs on", leak),
      session("two-worlds", Outcome::leaked, "the next login starts beside the first", two_worlds),
      session("forced-stop", Outcome::lost, "stopping the context loses what it held", forced_stop),
      session("last-owner-on-worker", Outcome::undefined,
              "the destructor runs on the thread it must join", last_owner_on_worker),
      session("fix-detach", Outcome::leaked, "wrong fix: detach the threads", fix_detach),
      session("fix-weak-ptr", Outcome::undefined, "wrong fix: components hold a weak_ptr",
              fix_weak_ptr),
      session("fix-stop", Outcome::leaked, "wrong fix: stop at logout, restart at login", fix_stop),
  };
}

}  // namespace arc_problem
