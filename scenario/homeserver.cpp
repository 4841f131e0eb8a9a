#include "scenario/homeserver.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <boost/thread/thread.hpp>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <exception>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace scenario {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t chunk_bytes = 64 * 1024;
constexpr std::size_t longest_sign_in_bytes = 256;

std::ifstream open_events(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file)) {
    throw std::system_error(std::make_error_code(std::errc::is_a_directory),
                            "events file " + file.string());
  }
  errno = 0;
  std::ifstream events(file, std::ios::binary);
  if (!events) {
    const auto reason = errno != 0 ? errno : EIO;
    throw std::system_error(reason, std::generic_category(), "events file " + file.string());
  }
  return events;
}

/// Shared by the two coroutines of one client. On the server's thread only.
struct Session {
  explicit Session(tcp::socket accepted)
      : socket(std::move(accepted)),
        changed(socket.get_executor(), asio::steady_timer::time_point::max()) {}

  tcp::socket socket;
  asio::steady_timer changed;        // never expires; cancelled when there is something new
  std::deque<std::string> outgoing;  // pushed lines, not yet on their way
  bool signed_in = false;
};

using SessionPtr = std::shared_ptr<Session>;

}  // namespace

struct Homeserver::Impl {
  explicit Impl(Options chosen);
  ~Impl();

  asio::awaitable<void> accept_clients();
  asio::awaitable<void> serve(SessionPtr session);
  asio::awaitable<void> read_sign_in(Session& session);
  asio::awaitable<void> watch_for_departure(SessionPtr session);
  asio::awaitable<void> push_everything(Session& session);
  asio::awaitable<void> replay(Session& session);
  asio::awaitable<void> send(Session& session, std::string_view bytes);
  asio::awaitable<void> until_speaking(Session& session);

  void welcome(const SessionPtr& session);
  void close(Session& session);
  void close_all();
  void wake_all();

  template <typename Function>
  void on_own_thread(Function function) {
    asio::post(context, std::move(function));
  }

  const Options options;

  std::atomic<int> connections{0};
  std::atomic<int> sign_ins{0};
  std::atomic<int> lines_pushed{0};

  asio::io_context context{1};
  tcp::acceptor acceptor{context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  const tcp::endpoint endpoint = acceptor.local_endpoint();

  // The server's thread alone uses the acceptor and these.
  bool silent = false;
  bool closing = false;
  std::set<SessionPtr> sessions;  // of every accepted client, until its socket is closed

  boost::thread thread;  // last: everything above is there before it starts
};

Homeserver::Impl::Impl(Options chosen) : options(std::move(chosen)) {
  if (!options.events.empty()) open_events(options.events);
  asio::co_spawn(context, accept_clients(), options.on_failure);
  thread = boost::thread([this] { context.run(); });
}

Homeserver::Impl::~Impl() {
  // Nothing is interrupted: each coroutine ends by itself when its socket is closed, and run()
  // returns when the last one has ended.
  on_own_thread([this] {
    closing = true;
    acceptor.close();
    close_all();
  });
  thread.join();
}

asio::awaitable<void> Homeserver::Impl::accept_clients() {
  while (!closing) {
    auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
    if (closing) break;
    if (error) throw boost::system::system_error(error, "the homeserver cannot accept");
    auto session = std::make_shared<Session>(std::move(socket));
    sessions.insert(session);
    asio::co_spawn(context, serve(session), options.on_failure);
  }
}

asio::awaitable<void> Homeserver::Impl::serve(SessionPtr session) {
  bool done = false;
  try {
    session->socket.set_option(tcp::no_delay(true));
    session->socket.non_blocking(true);
    co_await read_sign_in(*session);
    welcome(session);
    co_await push_everything(*session);
    done = true;
  } catch (const boost::system::system_error& error) {
    // A client may leave at any moment: that is no fault of the server.
    spdlog::debug("task=homeserver event=session-ended reason=\"{}\"", error.what());
  }
  // After a replay the client closes first, and watch_for_departure() sees it: closing here could
  // cost the client what it has not read yet.
  if (!done) close(*session);
}

asio::awaitable<void> Homeserver::Impl::read_sign_in(Session& session) {
  std::string line;
  auto limited = asio::dynamic_buffer(line, longest_sign_in_bytes);
  co_await asio::async_read_until(session.socket, limited, '\n', asio::use_awaitable);
}

void Homeserver::Impl::welcome(const SessionPtr& session) {
  // Closed while the sign-in was already read: the client is gone.
  if (!session->socket.is_open()) throw boost::system::system_error(asio::error::operation_aborted);
  session->signed_in = true;
  ++connections;
  ++sign_ins;
  asio::co_spawn(context, watch_for_departure(session), asio::detached);
}

/// Reads on, so that a client that leaves is noticed even when there is nothing to send. One that
/// closes its sending side has left, too.
asio::awaitable<void> Homeserver::Impl::watch_for_departure(SessionPtr session) {
  std::array<char, 512> ignored;
  error_code error;
  while (!error) {
    std::tie(error, std::ignore) = co_await session->socket.async_read_some(
        asio::buffer(ignored), asio::as_tuple(asio::use_awaitable));
  }
  close(*session);
}

asio::awaitable<void> Homeserver::Impl::push_everything(Session& session) {
  if (!options.events.empty()) co_await replay(session);
  while (session.socket.is_open()) {
    if (!session.outgoing.empty()) {
      const std::string line = std::move(session.outgoing.front());
      session.outgoing.pop_front();
      co_await send(session, line);
      ++lines_pushed;
    } else if (options.after_replay == AfterReplay::close) {
      co_await until_speaking(session);
      if (!session.outgoing.empty()) continue;
      session.socket.shutdown(tcp::socket::shutdown_send);
      co_return;
    } else {
      co_await session.changed.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  }
}

asio::awaitable<void> Homeserver::Impl::replay(Session& session) {
  auto events = open_events(options.events);
  std::vector<char> chunk(chunk_bytes);
  char last = '\n';
  while (events) {
    events.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    if (events.bad())
      throw std::system_error(std::make_error_code(std::errc::io_error),
                              "events file " + options.events.string());
    const auto size = static_cast<std::size_t>(events.gcount());
    if (size > 0) last = chunk[size - 1];
    co_await send(session, {chunk.data(), size});
  }
  if (last != '\n') co_await send(session, "\n");
}

/// Waits until the socket takes more and looks again whether the server may speak: an
/// async_write() under way could not be told to be silent.
asio::awaitable<void> Homeserver::Impl::send(Session& session, std::string_view bytes) {
  while (!bytes.empty()) {
    co_await session.socket.async_wait(tcp::socket::wait_write, asio::use_awaitable);
    co_await until_speaking(session);
    error_code error;
    const auto piece = bytes.substr(0, options.trickle ? 1 : bytes.size());
    bytes.remove_prefix(session.socket.write_some(asio::buffer(piece), error));
    if (error && error != asio::error::would_block && error != asio::error::try_again) {
      throw boost::system::system_error(error);
    }
  }
}

asio::awaitable<void> Homeserver::Impl::until_speaking(Session& session) {
  while (silent && session.socket.is_open()) {
    co_await session.changed.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void Homeserver::Impl::close(Session& session) {
  if (std::exchange(session.signed_in, false)) --connections;
  error_code ignored;
  session.socket.close(ignored);
  session.changed.cancel();
  std::erase_if(sessions, [&](const SessionPtr& other) { return other.get() == &session; });
}

void Homeserver::Impl::close_all() {
  for (const auto& session : std::vector(sessions.begin(), sessions.end())) close(*session);
}

void Homeserver::Impl::wake_all() {
  for (const auto& session : sessions) session->changed.cancel();
}

Homeserver::Homeserver(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Homeserver::~Homeserver() = default;

tcp::endpoint Homeserver::endpoint() const {
  return impl_->endpoint;
}

void Homeserver::fall_silent() {
  impl_->on_own_thread([server = impl_.get()] { server->silent = true; });
}

void Homeserver::speak() {
  impl_->on_own_thread([server = impl_.get()] {
    server->silent = false;
    server->wake_all();
  });
}

void Homeserver::push(std::string line) {
  if (!line.ends_with('\n')) line += '\n';
  impl_->on_own_thread([server = impl_.get(), line = std::move(line)] {
    for (const auto& session : server->sessions) {
      if (session->signed_in) session->outgoing.push_back(line);
    }
    server->wake_all();
  });
}

void Homeserver::drop_connections() {
  impl_->on_own_thread([server = impl_.get()] { server->close_all(); });
}

int Homeserver::connections() const noexcept {
  return impl_->connections;
}

int Homeserver::lines_pushed() const noexcept {
  return impl_->lines_pushed;
}

int Homeserver::sign_ins() const noexcept {
  return impl_->sign_ins;
}

}  // namespace scenario
