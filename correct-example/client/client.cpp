// correct_example · shared ownership, a cancellation token, tracked tasks
// The client is the same in all four programs, but for the way it shares its runtime. What differs
// and why: docs/10-the-diff.md

#include "client.hpp"

#include "runtime_sharing/cancel_on.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

namespace app {

using runtime_sharing::cancel_on;
using scenario::batch_size;
using scenario::Event;
using scenario::Lease;
using scenario::Sample;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// [login]
void Client::login(const std::string& user) {
  session_ = std::make_shared<Session>(user, slot_.start(), surroundings_.store);
  auto& components = session_->components;  // ^ whoever is in it is known, told, waited for
  session_->runtime->spawn("pool", &Client::keep_pool, this, session_);
  components.spawn("time-series worker", &Client::collect_samples, this, session_);
  components.spawn("event receiver", &Client::receive_events, this, session_);
}
// [/login]

// [logout]
asio::awaitable<ShutdownReport> Client::logout() {
  session_.reset();
  // ^ One call ends the work, however many owners the runtime has.
  return slot_.async_shutdown({.wait = surroundings_.settings.deadline}, asio::use_awaitable);
}
// [/logout]

// [receive]
asio::awaitable<void> Client::receive_events(std::shared_ptr<Session> session) {
  const auto& token = session->components.token();
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(surroundings_.homeserver.endpoint(), cancel_on(token));
  co_await asio::async_write(socket, asio::buffer(session->user + "\n"), cancel_on(token));

  std::vector<char> bytes(scenario::max_line_bytes);
  auto& reader = session->reader;
  while (!token.is_cancelled()) {
    Lease connection = co_await session->pool.acquire();  // what cannot be stored is not read
    auto event = reader.next();
    while (!event && !reader.finished()) {
      session->activity->waiting_for_server = true;
      // ^ The token reaches the pending read itself.
      const auto [error, size] =
          co_await socket.async_read_some(asio::buffer(bytes), cancel_on(token, as_result));
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
    if (!session->components.try_spawn("event", &Client::handle_event, this, session,
                                       std::move(*event), std::move(connection))) {
      // ^ The door closed a moment ago: what was accepted is finished here.
      // NOLINTNEXTLINE(bugprone-use-after-move): try_spawn moves only from what it accepts.
      co_await handle_event(session, std::move(*event), std::move(connection));
    }
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
  const auto& token = session->components.token();
  asio::steady_timer next_sample(co_await asio::this_coro::executor);
  std::vector<Sample> batch;
  while (!token.is_cancelled()) {
    next_sample.expires_at(surroundings_.next_sample_time(*session->activity));
    co_await next_sample.async_wait(cancel_on(token, as_result));
    if (token.is_cancelled()) break;
    batch.push_back(scenario::sample_machine());
    ++session->activity->samples_taken;
    if (batch.size() == batch_size) co_await flush(session, batch);
  }
  co_await flush(session, batch);  // ^ told, not cut off: the last batch is stored
}
// [/worker]

asio::awaitable<void> Client::flush(std::shared_ptr<Session> session, std::vector<Sample>& batch) {
  if (batch.empty()) co_return;
  const Lease connection = co_await session->pool.acquire();
  connection->insert_samples(session->user, batch);
  session->activity->samples_stored += static_cast<std::int64_t>(batch.size());
  batch.clear();
}

// [pool]
asio::awaitable<void> Client::keep_pool(std::shared_ptr<Session> session) {
  // ^ Giving a connection back needs the runtime: so the pool is a task too, and the last to end.
  co_await session->components.async_wait();
  co_await session->pool.drained();
}
// [/pool]

}  // namespace app
