#pragma once

#include "scenario/surroundings.hpp"

#include <boost/asio/awaitable.hpp>

#include "runtime.hpp"
#include <memory>
#include <string>
#include <vector>

namespace arc_problem {

/// What belongs to one signed-in user. Every task of the session holds it.
struct Session {
  Session(const std::string& signed_in_user, std::shared_ptr<Runtime> shared,
          const scenario::MessageStore& store);

  const std::string user;
  const std::shared_ptr<Runtime> runtime;
  scenario::ConnectionPool pool;
  scenario::EventReader reader;  // belongs to the event receiver
  const std::shared_ptr<scenario::Activity> activity = std::make_shared<scenario::Activity>();
};

/// The client application: its components share one runtime, from login to logout.
class Client {
 public:
  explicit Client(scenario::Surroundings& surroundings);

  void login(const std::string& user);
  asio::awaitable<void> logout();

  /// The second half of login(): the user's tasks, on a runtime that is there already.
  void start_session(const std::string& user, const std::shared_ptr<Runtime>& runtime);

  /// Null while nobody is signed in.
  const std::shared_ptr<Session>& session() const noexcept { return session_; }

 private:
  asio::awaitable<void> receive_events(std::shared_ptr<Session> session);
  asio::awaitable<void> handle_event(std::shared_ptr<Session> session, scenario::Event event,
                                     scenario::Lease connection);
  asio::awaitable<void> collect_samples(std::shared_ptr<Session> session);
  asio::awaitable<void> flush(std::shared_ptr<Session> session,
                              std::vector<scenario::Sample>& batch);

  scenario::Surroundings& surroundings_;
  std::shared_ptr<Session> session_;
};

}  // namespace arc_problem
