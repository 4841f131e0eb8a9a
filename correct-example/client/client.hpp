#pragma once

#include "runtime_sharing/runtime_slot.hpp"
#include "scenario/surroundings.hpp"

#include <boost/asio/awaitable.hpp>
#include <spdlog/spdlog.h>

#include "recorder.hpp"
#include <memory>
#include <string>
#include <vector>

namespace app {

namespace asio = boost::asio;
using runtime_sharing::FailurePolicy;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;

/// What belongs to one signed-in user. Every task of the session holds it.
struct Session {
  Session(const std::string& signed_in_user, std::shared_ptr<Runtime> shared,
          const scenario::MessageStore& store)
      : user(signed_in_user),
        runtime(std::move(shared)),
        components("components", runtime->scope(), {.on_failure = FailurePolicy::cancel_scope}),
        pool(store, runtime->get_executor(), scenario::pool_size) {}

  const std::string user;
  const std::shared_ptr<Runtime> runtime;  // ^ shared by everybody, ended by one call
  runtime_sharing::TaskScope components;   // ^ the users of the pool: they end before it does
  scenario::ConnectionPool pool;
  scenario::EventReader reader;  // belongs to the event receiver
  const std::shared_ptr<scenario::Activity> activity = std::make_shared<scenario::Activity>();
};

/// The client application: its components share one runtime.
class Client {
 public:
  explicit Client(scenario::Surroundings& surroundings)
      : surroundings_(surroundings), slot_(runtime_options()) {}

  void login(const std::string& user);
  /// Of the user who is signed in.
  asio::awaitable<ShutdownReport> logout();

  /// Null while nobody is signed in.
  const std::shared_ptr<Session>& session() const noexcept { return session_; }

 private:
  asio::awaitable<void> receive_events(std::shared_ptr<Session> session);
  asio::awaitable<void> handle_event(std::shared_ptr<Session> session, scenario::Event event,
                                     scenario::Lease connection);
  asio::awaitable<void> collect_samples(std::shared_ptr<Session> session);
  asio::awaitable<void> flush(std::shared_ptr<Session> session,
                              std::vector<scenario::Sample>& batch);
  asio::awaitable<void> keep_pool(std::shared_ptr<Session> session);

  Runtime::Options runtime_options() const {
    return {.name = "client",
            .threads = surroundings_.settings.workers,
            .on_thread_start = [&census = surroundings_.threads] { census.enter(); },
            .on_thread_stop = [&census = surroundings_.threads] { census.leave(); },
            .on_warning = [](std::string_view text) { spdlog::warn(text); },
            .observer = correct_example::recorder()};
  }

  scenario::Surroundings& surroundings_;
  runtime_sharing::RuntimeSlot slot_;
  std::shared_ptr<Session> session_;
};

}  // namespace app
