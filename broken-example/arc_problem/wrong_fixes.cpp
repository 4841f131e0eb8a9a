// What people try. Each of these changes something, and none of it ends the work and waits for it.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "experiments.hpp"
#include <algorithm>
#include <iterator>
#include <latch>
#include <thread>

namespace arc_problem {
namespace {

asio::awaitable<void> detach_and_log_out(Client& client) {
  client.session()->runtime->detach();
  co_await client.logout();
}

// "Then detach the threads, so that nobody waits for them." Nobody does, and nobody can any more;
// they run on. Detaching ends the waiting, not the work.
Experiment fix_detach(const Settings& settings) {
  return session(
      {.name = "fix-detach",
       .expected = Outcome::leaked,
       .summary = "wrong fix: detach the threads",
       .facts = a_session_that_goes_on(settings.workers) + std::vector{is("threads_to_join", 0)}},
      [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
        surroundings.samples_per_session = Surroundings::endless;
        log_in(client, "alice");
        auto probe = probe_of(surroundings, client);
        const std::weak_ptr<Runtime> runtime = client.session()->runtime;
        co_await until_at_work(surroundings, client);

        co_await probe.measure(detach_and_log_out(client));
        co_await surroundings.ui.until([&] { return probe.rows_after_logout() > 0; });

        const SessionFacts facts = facts_of_a_session_that_goes_on(probe);
        boost::json::object shown = to_json(facts);
        if (const auto left = runtime.lock()) shown["threads_to_join"] = left->threads_to_join();
        co_return Observation{leaked_if_it_goes_on(facts), std::move(shown)};
      });
}

/// A component after the wrong fix: it holds the runtime weakly, and locks it for each use.
class Uploader {
 public:
  Uploader(Surroundings& surroundings, std::weak_ptr<Runtime> runtime)
      : surroundings_(surroundings), runtime_(std::move(runtime)) {}

  /// One use of the runtime: stores a batch of samples and tells the server.
  void upload_batch() {
    std::vector<Sample> batch;
    std::generate_n(std::back_inserter(batch), scenario::batch_size, scenario::sample_machine);
    samples_taken_ += scenario::batch_size;
    const auto in_use = runtime_.lock();
    if (!in_use) {
      ++uses_refused_;  // and there is nobody to give the batch to
      return;
    }
    asio::co_spawn(in_use->get_executor(), upload(in_use, std::move(batch)), Task{"upload"});
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
Experiment fix_weak_ptr() {
  return session(
      {.name = "fix-weak-ptr",
       .expected = Outcome::undefined,
       .summary = "wrong fix: components hold a weak_ptr",
       .facts = freed_under_its_own_thread() +
                std::vector{is("uses_that_found_it_gone", 3), is("samples_lost", 24)},
       .sanitizer_report = "AddressSanitizer: heap-use-after-free"},
      [](Surroundings& surroundings, Client&) -> asio::awaitable<Observation> {
        surroundings.homeserver.fall_silent();
        auto runtime = std::make_shared<Runtime>(1, surroundings.threads);
        const std::weak_ptr<Runtime> weak = runtime;
        const auto witness = runtime->witness();
        Uploader uploader(surroundings, weak);
        uploader.upload_batch();
        co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });

        runtime.reset();
        auto facts = what_is_left(surroundings, weak);
        tell(facts);
        surroundings.homeserver.drop_connections();

        const auto end = co_await end_of(surroundings, witness);
        facts.insert(end.begin(), end.end());
        for (int i = 0; i < 3; ++i) uploader.upload_batch();
        facts["uses_that_found_it_gone"] = uploader.uses_refused();
        facts["samples_lost"] = uploader.samples_lost();
        co_await let_the_thread_go_on(surroundings, witness);
        const bool freed_under_it = end.at("destroyed_inside_its_own_run").as_bool();
        const Outcome otherwise = uploader.samples_lost() > 0 ? Outcome::lost : Outcome::finished;
        co_return Observation{freed_under_it ? Outcome::undefined : otherwise, std::move(facts)};
      });
}

asio::awaitable<void> stop_and_log_out(Client& client) {
  client.session()->runtime->stop();
  co_await client.logout();
}

// "Then stop the context at logout, and restart it at login." All is quiet after the logout, as if
// the work had ended. But the queue survives a stop: the first user's tasks wake up in the second
// user's session, and go on writing.
Experiment fix_stop() {
  return session({.name = "fix-stop",
                  .expected = Outcome::leaked,
                  .summary = "wrong fix: stop at logout, restart at login",
                  .facts = a_session_that_goes_on(0) +
                           std::vector{is("relogin", "the first user's tasks woke up in it"),
                                       is("rows_before_next_login", 0)}},
                 [](Surroundings& surroundings, Client& client) -> asio::awaitable<Observation> {
                   surroundings.samples_per_session = Surroundings::endless;
                   log_in(client, "alice");
                   auto probe = probe_of(surroundings, client);
                   const auto runtime = client.session()->runtime;
                   co_await until_at_work(surroundings, client);
                   co_await probe.measure(stop_and_log_out(client));
                   const auto rows_before_next_login = probe.rows_after_logout();

                   client.start_runtime = [runtime] {
                     runtime->restart();
                     return runtime;
                   };
                   log_in(client, "bob");
                   co_await until_at_work(surroundings, client);
                   co_await surroundings.ui.until([&] { return probe.rows_after_logout() > 0; });

                   SessionFacts facts = facts_of_a_session_that_goes_on(probe);
                   const bool woke_up = facts.rows_after_logout > 0;
                   facts.relogin = woke_up ? "the first user's tasks woke up in it" : "clean";
                   boost::json::object shown = to_json(facts);
                   shown["rows_before_next_login"] = rows_before_next_login;
                   co_return Observation{woke_up ? Outcome::leaked : Outcome::finished,
                                         std::move(shown)};
                 });
}

/// A token as one writes it in ten lines: a timer that never expires, and is cancelled to tell.
class Token {
 public:
  explicit Token(Runtime& runtime)
      : never_(runtime.get_executor(), asio::steady_timer::time_point::max()) {}

  void cancel() {
    asio::post(never_.get_executor(), [this] { never_.cancel(); });
  }
  auto cancelled() { return never_.async_wait(asio::as_tuple(asio::use_awaitable)); }

 private:
  asio::steady_timer never_;
};

/// A worker that listens: told, it stores the half-full batch in its hands, and ends.
class ListeningWorker {
 public:
  static constexpr int samples = scenario::batch_size / 2;

  ListeningWorker(Surroundings& surroundings, Runtime& runtime)
      : token(runtime),
        pool(surroundings.store, runtime.get_executor(), 1),
        endpoint_(surroundings.homeserver.endpoint()) {}

  asio::awaitable<void> collect() {
    std::vector<Sample> batch;
    std::generate_n(std::back_inserter(batch), samples, scenario::sample_machine);
    ready = true;
    co_await token.cancelled();
    const auto connection = co_await pool.acquire();
    connection->insert_samples("alice", batch);
  }

  /// Somebody else who needs the pool's one connection until the server answers.
  asio::awaitable<void> keep_connection() {
    const auto connection = co_await pool.acquire();
    co_await stay_signed_in(endpoint_);
  }

  Token token;
  scenario::ConnectionPool pool;
  std::atomic<bool> ready{false};

 private:
  const asio::ip::tcp::endpoint endpoint_;
};

// "Then add a token." Cancelling it tells the worker, and tells it in time. But logout returns
// without waiting: while the runtime's thread is still busy with something else, the next user
// signs in, and the first user's last batch is stored after that.
Experiment fix_token() {
  return session(
      {.name = "fix-token",
       .expected = Outcome::leaked,
       .summary = "wrong fix: tell by a token, and do not wait",
       .facts = {is("owners_left", 1), is("runtime_threads_left", 1),
                 is("rows_after_logout", ListeningWorker::samples), is("samples_lost", 0),
                 is("relogin", "the first user's worker still writes"), is("runtimes_at_once", 2)}},
      [](Surroundings& surroundings, Client&) -> asio::awaitable<Observation> {
        auto runtime = std::make_shared<Runtime>(1, surroundings.threads);
        auto& component = *new std::shared_ptr(runtime);  // an owner, as there are many
        auto& worker = *new ListeningWorker(surroundings, *runtime);
        asio::co_spawn(runtime->get_executor(), worker.collect(), Task{"time-series worker"});
        co_await surroundings.ui.until([&] { return worker.ready.load(); });
        std::latch busy(1), computed(1);
        asio::post(runtime->get_executor(), [&] {
          const scenario::recording::Turn turn(&busy, "busy handler");
          busy.count_down();
          computed.wait();
        });
        busy.wait();

        worker.token.cancel();
        runtime.reset();  // logout has returned

        boost::json::object facts = what_is_left(surroundings, component);
        const auto rows_at_logout = surroundings.store.rows_of("alice");
        auto& bobs = *new Runtime(1, surroundings.threads);
        co_await surroundings.ui.until([&] { return surroundings.threads.running() == 2; });
        facts["runtimes_at_once"] = surroundings.threads.running();  // of one thread each
        computed.count_down();
        const auto rows_after_logout = [&] {
          return surroundings.store.rows_of("alice") - rows_at_logout;
        };
        co_await surroundings.ui.until([&] { return rows_after_logout() > 0; });

        bobs.stop();
        const bool still_writes = rows_after_logout() > 0;
        facts["rows_after_logout"] = rows_after_logout();
        facts["samples_lost"] = ListeningWorker::samples - surroundings.store.samples_of("alice");
        facts["relogin"] = still_writes ? "the first user's worker still writes" : "clean";
        co_return Observation{still_writes ? Outcome::leaked : Outcome::finished, facts};
      });
}

// "Then sleep a little after cancelling, and stop." The worker was told, and needs a connection to
// store its last batch; the one there is comes back when the server answers. However long the sleep
// is, what a task waits for can take longer; and the window stands still meanwhile.
Experiment fix_sleep(const Settings& settings) {
  const auto sleep_ms = static_cast<double>(settings.deadline.count()) / 10;
  return session(
      {.name = "fix-sleep",
       .expected = Outcome::lost,
       .summary = "wrong fix: cancel, sleep, stop",
       .facts = {at_least("logout_ms", sleep_ms), is("runtime_threads_left", 0),
                 is("samples_lost", ListeningWorker::samples), is("connections_open", 1),
                 at_least("longest_ui_freeze_ms", sleep_ms - 5)}},
      [](Surroundings& surroundings, Client&) -> asio::awaitable<Observation> {
        surroundings.homeserver.fall_silent();
        auto& runtime = *new Runtime(1, surroundings.threads);
        auto& worker = *new ListeningWorker(surroundings, runtime);
        asio::co_spawn(runtime.get_executor(), worker.keep_connection(), Task{"pool user"});
        asio::co_spawn(runtime.get_executor(), worker.collect(), Task{"time-series worker"});
        co_await surroundings.ui.until(
            [&] { return worker.ready && surroundings.homeserver.sign_ins() == 1; });

        surroundings.ui.forget_freezes();
        const auto begun = scenario::UiLoop::Clock::now();
        worker.token.cancel();
        std::this_thread::sleep_for(surroundings.settings.deadline / 10);
        runtime.stop();
        const std::chrono::duration<double, std::milli> took =
            scenario::UiLoop::Clock::now() - begun;

        const auto lost = ListeningWorker::samples - surroundings.store.samples_of("alice");
        co_return Observation{lost > 0 ? Outcome::lost : Outcome::finished,
                              {{"logout_ms", took.count()},
                               {"runtime_threads_left", surroundings.threads.running()},
                               {"samples_lost", lost},
                               {"connections_open", surroundings.store.connections_open()},
                               {"longest_ui_freeze_ms", surroundings.ui.longest_freeze_ms()}}};
      });
}

}  // namespace

std::vector<Experiment> wrong_fixes(const Settings& settings) {
  return {fix_detach(settings), fix_weak_ptr(), fix_stop(), fix_token(), fix_sleep(settings)};
}

}  // namespace arc_problem
