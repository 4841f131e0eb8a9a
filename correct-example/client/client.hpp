#pragma once

#include "runtime_sharing/runtime_slot.hpp"
#include "scenario/surroundings.hpp"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>

namespace correct_example {

namespace asio = boost::asio;

/// What belongs to one signed-in user. Every task of the session holds it.
struct Session {
  Session(const std::string& signed_in_user, std::shared_ptr<runtime_sharing::Runtime> shared,
          const scenario::MessageStore& store);

  const std::string user;
  const std::shared_ptr<runtime_sharing::Runtime>
      runtime;                            // ^ shared by everybody, ended by one call
  runtime_sharing::TaskScope components;  // ^ the users of the pool: they end before it does
  scenario::ConnectionPool pool;
  scenario::EventReader reader;  // belongs to the event receiver
  const std::shared_ptr<scenario::Activity> activity = std::make_shared<scenario::Activity>();
};

/// The client application: its components share one runtime, from login to logout.
class Client {
 public:
  explicit Client(scenario::Surroundings& surroundings);

  void login(const std::string& user);
  asio::awaitable<runtime_sharing::ShutdownReport> logout();

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

  scenario::Surroundings& surroundings_;
  runtime_sharing::RuntimeSlot slot_;
  std::shared_ptr<Session> session_;
};

}  // namespace correct_example
