#include "experiments.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <thread>

namespace arc_problem {
namespace {

// Logout lets go of the runtime. The worker, the receiver and the pool do not: they hold it for as
// long as they run, and they run for as long as they hold it.
Experiment leak(const Settings& settings) {
  return session({.name = "leak",
                  .expected = Outcome::leaked,
                  .summary = "logout lets go, and everything runs on",
                  .facts = a_session_that_goes_on(settings.workers)},
                 [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
                   surroundings.samples_per_session = Surroundings::endless;
                   log_in(client, "alice");
                   auto probe = probe_of(surroundings, client);
                   co_await until_at_work(surroundings, client);

                   co_await probe.measure(client.logout());
                   co_await surroundings.ui.until([&] { return probe.rows_after_logout() > 0; });

                   const SessionFacts facts = facts_of_a_session_that_goes_on(probe);
                   co_return Observation{leaked_if_it_goes_on(facts), to_json(facts)};
                 });
}

// The next login makes a second runtime. The first user's tasks do not know that anything has
// changed: the worker goes on writing into the same store, the receiver goes on receiving. Nobody
// has a list of them, so who is left shows only in what they still do.
Experiment two_worlds(const Settings& settings) {
  return session(
      {.name = "two-worlds",
       .expected = Outcome::leaked,
       .summary = "the next login starts beside the first",
       .facts = a_session_that_goes_on(settings.workers) +
                std::vector{is("relogin", "the first user's tasks still write"),
                            is("runtimes_at_once", 2),
                            is("stragglers", {"time-series worker", "event receiver"})}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        surroundings.samples_per_session = Surroundings::endless;
        log_in(client, "alice");
        auto probe = probe_of(surroundings, client);
        const auto alice = client.session()->activity;
        co_await until_at_work(surroundings, client);
        co_await probe.measure(client.logout());

        log_in(client, "bob");
        const auto stored_at_login = alice->samples_stored.load();
        const auto handled_at_login = alice->events_handled.load();
        surroundings.homeserver.push(scenario::one_event);
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
      });
}

// Somebody stops the context anyway. What is suspended never resumes: the last batch is lost, the
// pool waits for its connection for ever. What is posted afterwards is accepted, and never runs.
Experiment forced_stop() {
  return session(
      {.name = "forced-stop",
       .expected = Outcome::lost,
       .summary = "stopping the context loses what it held",
       .facts = {varies("logout_ms", "a duration"), is("logout_returned", true),
                 is("owners_left", 2), is("runtime_threads_left", 0), is("rows_after_logout", 0),
                 is("samples_lost", 4), is("connections_open", 1),
                 at_most("longest_ui_freeze_ms", scenario::noticeable_freeze_ms),
                 is("posted_after_stop_ran", false)}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        log_in(client, "alice");
        auto probe = probe_of(surroundings, client);
        const auto runtime = client.session()->runtime;
        const auto activity = client.session()->activity;
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
      });
}

/// Holds the runtime until the server hangs up. The last owner of all is this parameter.
asio::awaitable<void> send_last_message(std::shared_ptr<Runtime>, asio::ip::tcp::endpoint server) {
  co_await stay_signed_in(server);
}

// A task is the last owner. When it ends, ~Runtime runs on the runtime's own thread: it cannot join
// itself, and frees the context that this thread is still inside. Without a sanitizer that looks
// fine on most days.
Experiment last_owner_on_worker() {
  return session(
      {.name = "last-owner-on-worker",
       .expected = Outcome::undefined,
       .summary = "the destructor runs on the thread it must join",
       .facts = freed_under_its_own_thread(),
       .sanitizer_report = "AddressSanitizer: heap-use-after-free"},
      [](Surroundings& surroundings, Client&) -> asio::awaitable<Observation> {
        surroundings.homeserver.fall_silent();
        auto runtime = std::make_shared<Runtime>(1, surroundings.threads);
        const std::weak_ptr<Runtime> weak = runtime;
        const auto witness = runtime->witness();
        asio::co_spawn(runtime->get_executor(),
                       send_last_message(runtime, surroundings.homeserver.endpoint()),
                       Task{"last message"});
        co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });

        runtime.reset();
        auto facts = what_is_left(surroundings, weak);
        tell(facts);
        surroundings.homeserver.drop_connections();

        const auto end = co_await end_of(surroundings, witness);
        facts.insert(end.begin(), end.end());
        const bool freed_under_it = end.at("destroyed_inside_its_own_run").as_bool();
        Observation observation{freed_under_it ? Outcome::undefined : Outcome::finished, facts};
        co_await let_the_thread_go_on(surroundings, witness);
        co_return observation;
      });
}

/// The destructor that most people write: join() throws on the thread that it shall join, and a
/// destructor lets no exception out.
class PlainRuntime {
 public:
  asio::io_context::executor_type get_executor() { return context_.get_executor(); }
  ~PlainRuntime() {
    keep_running_.reset();
    thread_.join();
  }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> keep_running_ =
      asio::make_work_guard(context_);
  std::thread thread_{[this] { context_.run(); }};
};

/// What std::terminate() is called for, as far as the handler needs it.
struct Batch {
  const scenario::MessageStore* store = nullptr;
  std::vector<Sample> samples;
};
Batch& batch_in_hand() {
  static Batch batch;
  return batch;
}

[[noreturn]] void tell_and_abort() {
  std::string reason = "no exception";
  try {
    if (const auto current = std::current_exception()) std::rethrow_exception(current);
  } catch (const std::system_error& error) {
    const bool itself = error.code() == std::errc::resource_deadlock_would_occur;
    reason = itself ? "resource_deadlock_would_occur" : error.what();
  }
  const auto& [store, samples] = batch_in_hand();
  const auto lost = static_cast<std::int64_t>(samples.size()) - store->samples_of("alice");
  tell(Observation{lost > 0 ? Outcome::lost : Outcome::finished,
                   {{"terminated_by", reason}, {"samples_lost", lost}}});
  std::abort();
}

asio::awaitable<void> hold_until_hung_up(std::shared_ptr<PlainRuntime>,
                                         asio::ip::tcp::endpoint server) {
  co_await stay_signed_in(server);
}

// The usual end in the field. Nobody catches what join() throws on its own thread: it leaves the
// destructor, std::terminate() ends the process, and what every other task had in hand is lost.
Experiment terminate() {
  return session(
      {.name = "terminate",
       .expected = Outcome::lost,
       .summary = "the same with an ordinary destructor: the process ends",
       .facts = {is("terminated_by", "resource_deadlock_would_occur"), is("samples_lost", 8)},
       .ending = scenario::Ending::by_abort},
      [](Surroundings& surroundings, Client&) -> asio::awaitable<Observation> {
        surroundings.homeserver.fall_silent();
        std::generate_n(std::back_inserter(batch_in_hand().samples), scenario::batch_size,
                        scenario::sample_machine);
        batch_in_hand().store = &surroundings.store;
        std::set_terminate(tell_and_abort);
        auto runtime = std::make_shared<PlainRuntime>();
        asio::co_spawn(runtime->get_executor(),
                       hold_until_hung_up(runtime, surroundings.homeserver.endpoint()),
                       Task{"last message"});
        co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });

        runtime.reset();
        surroundings.homeserver.drop_connections();
        co_await surroundings.ui.until([] { return false; });
        co_return Observation{};
      });
}

}  // namespace

LogoutProbe probe_of(Surroundings& surroundings, const Client& client) {
  const auto& session = client.session();
  return {surroundings, session->user, session->activity,
          [owned = std::weak_ptr(session)] { return owned.use_count(); }};
}

asio::awaitable<void> until_at_work(Surroundings& surroundings, const Client& client) {
  const auto activity = client.session()->activity;
  co_await surroundings.ui.until([&] {
    return surroundings.threads.running() >= surroundings.settings.workers &&
           surroundings.homeserver.sign_ins() > 0 && activity->samples_stored > 0 &&
           activity->waiting_for_server;
  });
}

SessionFacts facts_of_a_session_that_goes_on(const LogoutProbe& probe) {
  SessionFacts facts = probe.facts();
  facts.samples_lost.reset();
  return facts;
}

Outcome leaked_if_it_goes_on(const SessionFacts& facts) {
  const bool goes_on = facts.runtime_threads_left > 0 && facts.rows_after_logout > 0;
  return goes_on ? Outcome::leaked : Outcome::finished;
}

std::vector<Documented> a_session_that_goes_on(int threads) {
  return {varies("logout_ms", "a duration"),
          is("logout_returned", true),
          at_least("owners_left", 2),  // the worker, the receiver, whoever handles an event
          is("runtime_threads_left", threads),
          at_least("rows_after_logout", 1),
          at_least("connections_open", 1),  // the receiver's
          at_most("longest_ui_freeze_ms", scenario::noticeable_freeze_ms)};
}

asio::awaitable<void> stay_signed_in(asio::ip::tcp::endpoint server) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer("alice\n", 6), asio::use_awaitable);
  std::array<char, 1> byte{};
  co_await socket.async_read_some(asio::buffer(byte), asio::as_tuple(asio::use_awaitable));
}

boost::json::object what_is_left(const Surroundings& surroundings,
                                 const std::weak_ptr<Runtime>& runtime) {
  return {{"owners_left", runtime.use_count()},
          {"runtime_threads_left", surroundings.threads.running()}};
}

asio::awaitable<boost::json::object> end_of(Surroundings& surroundings,
                                            std::shared_ptr<const Witness> witness) {
  co_await surroundings.ui.until([&] { return witness->destroyed.load(); });
  co_return boost::json::object{
      {"destroyed_inside_its_own_run", witness->destroyed_inside_its_own_run.load()},
      {"self_join", witness->self_join}};
}

std::vector<Documented> freed_under_its_own_thread() {
  return {is("owners_left", 1), is("runtime_threads_left", 1),
          is("destroyed_inside_its_own_run", true),
          is("self_join", "resource_deadlock_would_occur")};
}

asio::awaitable<void> let_the_thread_go_on(Surroundings& surroundings,
                                           std::shared_ptr<const Witness> witness) {
  co_await surroundings.ui.until([&, beats = surroundings.ui.beats()] {
    return witness->threads_returned > 0 || surroundings.ui.beats() > beats + 400;
  });
}

std::vector<Experiment> experiments(const Settings& settings) {
  std::vector<Experiment> all{leak(settings), two_worlds(settings), forced_stop(),
                              last_owner_on_worker(), terminate()};
  std::ranges::move(wrong_fixes(settings), std::back_inserter(all));
  return all;
}

}  // namespace arc_problem
