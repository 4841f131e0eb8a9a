// mutex_problem · a lock guard lives across co_await
// The client is the same in all four programs, but for the way it shares its runtime. What differs
// and why: docs/10-the-diff.md

#include "client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <boost/thread/lock_guard.hpp>
#include <boost/thread/lock_types.hpp>

namespace app {

using scenario::batch_size;
using scenario::Event;
using scenario::Lease;
using scenario::Sample;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// [login]
void Client::login(const std::string& user) {
  const boost::lock_guard<ObservedMutex> guard(shared_.mutex);
  auto& runtime = shared_.runtime.emplace(surroundings_.settings.workers, surroundings_.threads);
  session_ = std::make_shared<Session>(user, runtime, surroundings_.store);
  asio::co_spawn(runtime.get_executor(), collect_samples(session_), Task{"time-series worker"});
  asio::co_spawn(runtime.get_executor(), receive_events(session_), Task{"event receiver"});
}
// [/login]

// [logout]
asio::awaitable<void> Client::logout() {
  session_.reset();
  const std::optional<Runtime> taken = shared_.take();
  co_return;
}
// [/logout]

// [receive]
asio::awaitable<void> Client::receive_events(std::shared_ptr<Session> session) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(surroundings_.homeserver.endpoint(), asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(session->user + "\n"), asio::use_awaitable);

  std::vector<char> bytes(scenario::max_line_bytes);
  auto& reader = session->reader;
  for (;;) {
    Lease connection = co_await session->pool.acquire();  // what cannot be stored is not read
    // The runtime must not go away while an event is under way.
    const boost::unique_lock<ObservedMutex> guard(shared_.mutex);
    if (!shared_.runtime) co_return;
    auto event = reader.next();
    while (!event && !reader.finished()) {
      session->activity->waiting_for_server = true;
      // [tidy-suspension]
      const auto [error, size] = co_await socket.async_read_some(asio::buffer(bytes), as_result);
      // [/tidy-suspension]
      session->activity->waiting_for_server = false;
      if (error == asio::error::eof) {
        reader.finish();
      } else if (error) {
        throw boost::system::system_error(error);
      }
      reader.feed({bytes.data(), size});
      event = reader.next();
    }
    if (!event) co_return;

    ++session->activity->events_received;
    asio::co_spawn(shared_.runtime->get_executor(),
                   handle_event(session, std::move(*event), std::move(connection)), Task{"event"});
  }
}
// [/receive]

asio::awaitable<void> Client::handle_event(std::shared_ptr<Session> session, Event event,
                                           Lease connection) {
  connection->insert_message(session->user, event);
  ++session->activity->events_handled;
  co_return;
}

// [worker]
asio::awaitable<void> Client::collect_samples(std::shared_ptr<Session> session) {
  asio::steady_timer next_sample(co_await asio::this_coro::executor);
  std::vector<Sample> batch;
  for (;;) {
    next_sample.expires_at(surroundings_.next_sample_time(*session->activity));
    co_await next_sample.async_wait(asio::use_awaitable);
    batch.push_back(scenario::sample_machine());
    ++session->activity->samples_taken;
    if (batch.size() == batch_size) co_await flush(session, batch);
  }
}
// [/worker]

asio::awaitable<void> Client::flush(std::shared_ptr<Session> session, std::vector<Sample>& batch) {
  if (batch.empty()) co_return;
  {
    const boost::lock_guard<ObservedMutex> guard(shared_.mutex);
    if (!shared_.runtime) co_return;
  }
  const Lease connection = co_await session->pool.acquire();
  connection->insert_samples(session->user, batch);
  session->activity->samples_stored += static_cast<std::int64_t>(batch.size());
  batch.clear();
}

}  // namespace app
