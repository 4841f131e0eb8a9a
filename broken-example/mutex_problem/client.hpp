#pragma once

#include "scenario/surroundings.hpp"

#include <boost/asio/awaitable.hpp>

#include "runtime.hpp"
#include <memory>
#include <string>
#include <vector>

namespace app {

namespace asio = boost::asio;
using mutex_problem::GuardedRuntime;
using mutex_problem::ObservedMutex;
using mutex_problem::Runtime;
using scenario::Task;

/// What belongs to one signed-in user. Every task of the session holds it.
struct Session {
  Session(const std::string& signed_in_user, Runtime& runtime, const scenario::MessageStore& store)
      : user(signed_in_user), pool(store, runtime.get_executor(), scenario::pool_size) {}

  const std::string user;
  scenario::ConnectionPool pool;
  scenario::EventReader reader;  // belongs to the event receiver
  const std::shared_ptr<scenario::Activity> activity = std::make_shared<scenario::Activity>();
};

/// The client application: its components share one runtime, from login to logout.
class Client {
 public:
  explicit Client(scenario::Surroundings& surroundings) : surroundings_(surroundings) {}

  void login(const std::string& user);
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

}  // namespace app
