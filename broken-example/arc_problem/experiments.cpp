#include "experiments.hpp"

#include "scenario/logout_probe.hpp"
#include "scenario/machine_sample.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "client.hpp"
#include <algorithm>
#include <array>
#include <functional>
#include <iterator>

namespace arc_problem {
namespace {

using namespace std::chrono_literals;
using app::Client;
using scenario::batch_size;
using scenario::Experiment;
using scenario::LogoutProbe;
using scenario::Observation;
using scenario::Outcome;
using scenario::Sample;
using scenario::SessionFacts;
using scenario::Settings;
using scenario::Surroundings;
using scenario::UiLoop;

/// One more event for everyone who is signed in.
const std::string one_line =
    R"({"room": "#arc:example.org", "sender": "@server:example.org", "ts": 1, "body": "hello"})";

/// The owners are counted at the session: every task holds it, and the runtime through it.
LogoutProbe probe_of(Surroundings& surroundings, const Client& client) {
  const auto& session = client.session();
  return {surroundings, session->user, session->activity,
          [owned = std::weak_ptr(session)] { return owned.use_count(); }};
}

/// Ready when every thread runs, the server knows the user, and the worker has stored a batch: the
/// session will not rest.
asio::awaitable<void> until_at_work(Surroundings& surroundings, const Client& client) {
  const auto activity = client.session()->activity;
  co_await surroundings.ui.until([&] {
    return surroundings.threads.running() >= surroundings.settings.workers &&
           surroundings.homeserver.sign_ins() > 0 && activity->samples_stored > 0 &&
           activity->waiting_for_server;
  });
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

// The next login makes a second runtime. The first user's tasks do not know that anything has
// changed: the worker goes on writing into the same store, the receiver goes on receiving. Nobody
// has a list of them, so who is left shows only in what they still do.
asio::awaitable<Observation> two_worlds(Surroundings& surroundings, Client& client) {
  surroundings.samples_per_session = Surroundings::endless;
  client.login("alice");
  auto probe = probe_of(surroundings, client);
  const auto alice = client.session()->activity;
  co_await until_at_work(surroundings, client);
  co_await probe.measure(client.logout());

  client.login("bob");
  const auto stored_at_login = alice->samples_stored.load();
  const auto handled_at_login = alice->events_handled.load();
  surroundings.homeserver.push(one_line);
  co_await until_at_work(surroundings, client);
  const auto worker_goes_on = [&] { return alice->samples_stored > stored_at_login; };
  const auto receiver_goes_on = [&] { return alice->events_handled > handled_at_login; };
  co_await surroundings.ui.until([&] { return worker_goes_on() && receiver_goes_on(); });

  SessionFacts facts = facts_of_a_session_that_goes_on(probe);
  const bool two = surroundings.threads.running() > surroundings.settings.workers;
  facts.runtimes_at_once = two ? 2 : 1;
  facts.relogin = worker_goes_on() ? "the first user's tasks still write" : "clean";
  facts.stragglers.emplace();
  if (worker_goes_on()) facts.stragglers->emplace_back("time-series worker");
  if (receiver_goes_on()) facts.stragglers->emplace_back("event receiver");
  co_return Observation{leaked_if_it_goes_on(facts), to_json(facts)};
}

// Somebody stops the context anyway. What is suspended never resumes: the last batch is lost, the
// pool waits for its connection for ever. What is posted afterwards is accepted, and never runs.
asio::awaitable<Observation> forced_stop(Surroundings& surroundings, Client& client) {
  client.login("alice");
  auto probe = probe_of(surroundings, client);
  const auto runtime = client.session()->runtime;
  const auto activity = client.session()->activity;
  co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });
  surroundings.homeserver.push(one_line);  // an event there is, whatever the file holds
  // One connection is the receiver's; the others are on their way back until they are there.
  co_await surroundings.ui.until([&] {
    return surroundings.at_rest(*activity) && surroundings.store.connections_open() == 1;
  });

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

/// Signs in, and waits until the server hangs up.
asio::awaitable<void> stay_signed_in(asio::ip::tcp::endpoint server) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer("alice\n", 6), asio::use_awaitable);
  std::array<char, 1> byte{};
  co_await socket.async_read_some(asio::buffer(byte), asio::as_tuple(asio::use_awaitable));
}

/// What is left at a logout that let go of everything but a task.
boost::json::object what_is_left(const Surroundings& surroundings,
                                 const std::weak_ptr<Runtime>& runtime) {
  return {{"owners_left", runtime.use_count()},
          {"runtime_threads_left", surroundings.threads.running()}};
}

boost::json::object facts_of(const Witness& witness) {
  const bool returned = witness.threads_returned > 0;
  return {{"destroyed_on_its_own_thread", witness.destroyed_on_its_own_thread.load()},
          {"thread_was_still_running_it", !returned || witness.thread_was_still_running_it},
          {"thread_came_back", returned},
          {"self_join", witness.self_join}};
}

/// Waits until the runtime is gone and its one thread has come back out of it. It may not come back
/// at all: then two seconds are enough to say so. A crash on the way leaves the first facts.
asio::awaitable<boost::json::object> what_became_of(Surroundings& surroundings,
                                                    std::shared_ptr<const Witness> witness) {
  co_await surroundings.ui.until([&] { return witness->destroyed.load(); });
  scenario::publish_facts(facts_of(*witness));
  const auto patience = UiLoop::Clock::now() + 2s;
  co_await surroundings.ui.until(
      [&] { return witness->threads_returned > 0 || UiLoop::Clock::now() > patience; });
  co_return facts_of(*witness);
}

Outcome undefined_if_freed_under_its_thread(const boost::json::object& facts) {
  const bool freed_under_it = facts.at("destroyed_on_its_own_thread").as_bool() &&
                              facts.at("thread_was_still_running_it").as_bool();
  return freed_under_it ? Outcome::undefined : Outcome::finished;
}

void add(boost::json::object& facts, const boost::json::object& more) {
  for (const auto& fact : more) facts[fact.key()] = fact.value();
}

/// Holds the runtime until the server hangs up. The last owner of all is this parameter.
asio::awaitable<void> send_last_message(std::shared_ptr<Runtime>, asio::ip::tcp::endpoint server) {
  co_await stay_signed_in(server);
}

// A task is the last owner. When it ends, ~Runtime runs on the runtime's own thread: it cannot join
// itself, and frees the context that this thread is still inside. Without a sanitizer that looks
// fine on most days.
asio::awaitable<Observation> last_owner_on_worker(Surroundings& surroundings, Client&) {
  surroundings.homeserver.fall_silent();
  auto runtime = std::make_shared<Runtime>(1, surroundings.threads);
  const std::weak_ptr<Runtime> weak = runtime;
  const auto witness = runtime->witness();
  asio::co_spawn(runtime->get_executor(),
                 send_last_message(runtime, surroundings.homeserver.endpoint()), asio::detached);
  co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });

  runtime.reset();
  auto facts = what_is_left(surroundings, weak);
  surroundings.homeserver.drop_connections();

  add(facts, co_await what_became_of(surroundings, witness));
  const Outcome outcome = undefined_if_freed_under_its_thread(facts);
  co_return Observation{outcome, std::move(facts)};
}

asio::awaitable<void> detach_and_log_out(Client& client) {
  client.session()->runtime->detach();
  co_await client.logout();
}

// "Then detach the threads, so that nobody waits for them." Nobody does, and nobody can any more;
// they run on. Detaching ends the waiting, not the work.
asio::awaitable<Observation> fix_detach(Surroundings& surroundings, Client& client) {
  surroundings.samples_per_session = Surroundings::endless;
  client.login("alice");
  auto probe = probe_of(surroundings, client);
  const std::weak_ptr<Runtime> runtime = client.session()->runtime;
  co_await until_at_work(surroundings, client);

  co_await probe.measure(detach_and_log_out(client));
  co_await surroundings.ui.until([&] { return probe.rows_after_logout() > 0; });

  const SessionFacts facts = facts_of_a_session_that_goes_on(probe);
  boost::json::object shown = to_json(facts);
  if (const auto left = runtime.lock()) shown["threads_to_join"] = left->threads_to_join();
  co_return Observation{leaked_if_it_goes_on(facts), std::move(shown)};
}

/// A component after the wrong fix: it holds the runtime weakly, and locks it for each use.
class Uploader {
 public:
  Uploader(Surroundings& surroundings, std::weak_ptr<Runtime> runtime)
      : surroundings_(surroundings), runtime_(std::move(runtime)) {}

  /// One use of the runtime: stores a batch of samples and tells the server.
  void upload_batch() {
    std::vector<Sample> batch;
    std::generate_n(std::back_inserter(batch), batch_size, scenario::sample_machine);
    samples_taken_ += batch_size;
    const auto in_use = runtime_.lock();
    if (!in_use) {
      ++uses_refused_;  // and there is nobody to give the batch to
      return;
    }
    asio::co_spawn(in_use->get_executor(), upload(in_use, std::move(batch)), asio::detached);
  }

  int uses_refused() const noexcept { return uses_refused_; }
  std::int64_t samples_lost() const {
    return samples_taken_ - surroundings_.store.samples_of("alice");
  }

 private:
  /// The lock lasts as long as the use, and the use lasts across a suspension.
  asio::awaitable<void> upload(std::shared_ptr<Runtime>, std::vector<Sample> batch) {
    scenario::Connection(surroundings_.store.file()).insert_samples("alice", batch);
    co_await stay_signed_in(surroundings_.homeserver.endpoint());
  }

  Surroundings& surroundings_;
  const std::weak_ptr<Runtime> runtime_;
  int uses_refused_ = 0;
  std::int64_t samples_taken_ = 0;
};

// "Then let the components hold a weak_ptr." Whoever uses the runtime must lock it for the duration
// of the use, and a use lasts across a co_await. At logout that use is the last owner, on a worker:
// the same destructor, on its own thread. Every later use finds the runtime gone, and must know
// what to do with its work then; this one does not.
asio::awaitable<Observation> fix_weak_ptr(Surroundings& surroundings, Client&) {
  surroundings.homeserver.fall_silent();
  auto runtime = std::make_shared<Runtime>(1, surroundings.threads);
  const std::weak_ptr<Runtime> weak = runtime;
  const auto witness = runtime->witness();
  Uploader uploader(surroundings, weak);
  uploader.upload_batch();
  co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });

  runtime.reset();
  auto facts = what_is_left(surroundings, weak);
  surroundings.homeserver.drop_connections();

  add(facts, co_await what_became_of(surroundings, witness));
  for (int i = 0; i < 3; ++i) uploader.upload_batch();
  facts["uses_that_found_it_gone"] = uploader.uses_refused();
  facts["samples_lost"] = uploader.samples_lost();
  const Outcome outcome = undefined_if_freed_under_its_thread(facts);
  co_return Observation{outcome, std::move(facts)};
}

asio::awaitable<void> stop_and_log_out(Client& client) {
  client.session()->runtime->stop();
  co_await client.logout();
}

// "Then stop the context at logout, and restart it at login." All is quiet after the logout, as if
// the work had ended. But the queue survives a stop: the first user's tasks wake up in the second
// user's session, and go on writing.
asio::awaitable<Observation> fix_stop(Surroundings& surroundings, Client& client) {
  surroundings.samples_per_session = Surroundings::endless;
  client.login("alice");
  auto probe = probe_of(surroundings, client);
  const auto runtime = client.session()->runtime;
  co_await until_at_work(surroundings, client);
  co_await probe.measure(stop_and_log_out(client));
  const auto rows_before_next_login = probe.rows_after_logout();

  client.start_runtime = [runtime] {
    runtime->restart();
    return runtime;
  };
  client.login("bob");
  co_await until_at_work(surroundings, client);
  co_await surroundings.ui.until([&] { return probe.rows_after_logout() > 0; });

  SessionFacts facts = facts_of_a_session_that_goes_on(probe);
  const bool woke_up = facts.rows_after_logout > 0;
  facts.relogin = woke_up ? "the first user's tasks woke up in it" : "clean";
  boost::json::object shown = to_json(facts);
  shown["rows_before_next_login"] = rows_before_next_login;
  co_return Observation{woke_up ? Outcome::leaked : Outcome::finished, std::move(shown)};
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
