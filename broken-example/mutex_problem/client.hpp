#pragma once

#include "scenario/surroundings.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/thread/lock_guard.hpp>

#include "observed_mutex.hpp"
#include "runtime.hpp"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mutex_problem {

/// One owner behind a lock: whoever uses the runtime locks, whoever ends it takes it out.
struct GuardedRuntime {
  /// Waits for whoever holds the lock; the caller ends the runtime by letting go of it.
  std::optional<Runtime> take() {
    const boost::lock_guard<ObservedMutex> guard(mutex);
    std::optional<Runtime> taken = std::move(runtime);
    runtime.reset();
    return taken;
  }

  ObservedMutex mutex;
  std::optional<Runtime> runtime;  // guarded by mutex
};

/// What belongs to one signed-in user. Every task of the session holds it.
struct Session {
  Session(const std::string& signed_in_user, Runtime& runtime, const scenario::MessageStore& store);

  const std::string user;
  scenario::ConnectionPool pool;
  scenario::EventReader reader;  // belongs to the event receiver
  const std::shared_ptr<scenario::Activity> activity = std::make_shared<scenario::Activity>();
};

/// The client application: its components share one runtime, from login to logout.
class Client {
 public:
  explicit Client(scenario::Surroundings& surroundings);

  void login(const std::string& user, int threads);
  asio::awaitable<void> logout();

  /// Null while nobody is signed in.
  const std::shared_ptr<Session>& session() const noexcept { return session_; }
  GuardedRuntime& shared() noexcept { return shared_; }

 private:
  asio::awaitable<void> receive_events(std::shared_ptr<Session> session);
  asio::awaitable<void> handle_event(std::shared_ptr<Session> session, scenario::Event event,
                                     scenario::Lease connection);
  asio::awaitable<void> collect_samples(std::shared_ptr<Session> session);
  asio::awaitable<void> flush(std::shared_ptr<Session> session,
                              std::vector<scenario::Sample>& batch);

  scenario::Surroundings& surroundings_;
  GuardedRuntime shared_;
  std::shared_ptr<Session> session_;
};

}  // namespace mutex_problem
