#include "scenario/homeserver.hpp"

#include "scenario/recording.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <cerrno>
#include <deque>
#include <fstream>
#include <memory>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace scenario {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t chunk_bytes = 64 * 1024;
constexpr std::size_t longest_sign_in_bytes = 256;

std::ifstream open_events(const std::filesystem::path& file) {
  errno = EIO;  // should the library not say why
  std::ifstream events(file, std::ios::binary);
  if (!events)
    throw std::system_error(errno, std::generic_category(), "events file " + file.string());
  return events;
}

}  // namespace

/// One client, from its acceptance on. Two coroutines share it, on the server's thread.
struct Homeserver::Session {
  using Ptr = std::shared_ptr<Session>;

  Session(Homeserver& its_server, tcp::socket accepted)
      : server(its_server),
        socket(std::move(accepted)),
        changed(socket.get_executor(), asio::steady_timer::time_point::max()) {
    server.sessions_.insert(this);
  }
  ~Session() {
    server.sessions_.erase(this);
    if (signed_in) --server.connections_;
  }

  static asio::awaitable<void> serve(Ptr self) {
    try {
      co_await self->sign_in();
      asio::co_spawn(self->socket.get_executor(), close_at_departure(self), asio::detached);
      // After a replay the client closes first: closing here could cost it what it has not read.
      co_await self->push_everything();
    } catch (const boost::system::system_error& error) {
      // A client may leave at any moment: that is no fault of the server.
      spdlog::debug("task=homeserver event=session-ended reason=\"{}\"", error.what());
      self->close();
    }
  }

  /// Reads on, so that a client that leaves is noticed even when there is nothing to send. One that
  /// closes its sending side has left, too.
  static asio::awaitable<void> close_at_departure(Ptr self) {
    std::array<char, 512> ignored;
    error_code error;
    while (!error) {
      std::tie(error, std::ignore) =
          co_await self->socket.async_read_some(asio::buffer(ignored), as_result);
    }
    self->close();
  }

  asio::awaitable<void> sign_in() {
    socket.set_option(tcp::no_delay(true));
    std::string line;
    auto limited = asio::dynamic_buffer(line, longest_sign_in_bytes);
    co_await asio::async_read_until(socket, limited, '\n', asio::use_awaitable);
    signed_in = true;
    ++server.connections_;
    ++server.sign_ins_;
  }

  asio::awaitable<void> push_everything() {
    if (!server.options_.events.empty()) co_await replay();
    while (socket.is_open()) {
      if (!outgoing.empty()) {
        const std::string line = std::move(outgoing.front());
        outgoing.pop_front();
        co_await send(line);
        ++server.lines_pushed_;
      } else if (server.options_.after_replay == AfterReplay::close && !server.silent_) {
        socket.shutdown(tcp::socket::shutdown_send);
        co_return;
      } else {
        co_await changed.async_wait(as_result);
      }
    }
  }

  asio::awaitable<void> replay() {
    auto events = open_events(server.options_.events);
    std::vector<char> chunk(chunk_bytes);
    char last = '\n';
    while (events) {
      events.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
      if (events.bad())
        throw std::system_error(std::make_error_code(std::errc::io_error),
                                "events file " + server.options_.events.string());
      const auto size = static_cast<std::size_t>(events.gcount());
      if (size > 0) last = chunk[size - 1];
      co_await send({chunk.data(), size});
    }
    if (last != '\n') co_await send("\n");
  }

  asio::awaitable<void> send(std::string_view bytes) {
    while (server.silent_ && socket.is_open()) co_await changed.async_wait(as_result);
    co_await asio::async_write(socket, asio::buffer(bytes), asio::use_awaitable);
  }

  void close() {
    error_code ignored;
    socket.close(ignored);
    changed.cancel();
  }

  Homeserver& server;
  tcp::socket socket;
  asio::steady_timer changed;        // never expires; cancelled when there is something new
  std::deque<std::string> outgoing;  // pushed lines, not yet on their way
  bool signed_in = false;
};

Homeserver::Homeserver(Options options) : options_(std::move(options)) {
  if (!options_.events.empty()) open_events(options_.events);
  asio::co_spawn(context_, accept_clients(), options_.on_failure);
  thread_ = boost::thread([this] {
    recording::name_thread("server");
    context_.run();
    recording::thread_ends();
  });
}

Homeserver::~Homeserver() {
  // Nothing is interrupted: each coroutine ends by itself when its socket is closed, and run()
  // returns when the last one has ended.
  asio::post(context_, [this] { acceptor_.close(); });
  drop_connections();
  thread_.join();
}

asio::awaitable<void> Homeserver::accept_clients() {
  for (;;) {
    auto [error, socket] = co_await acceptor_.async_accept(as_result);
    if (!acceptor_.is_open()) co_return;
    if (error) throw boost::system::system_error(error, "the homeserver cannot accept");
    auto session = std::make_shared<Session>(*this, std::move(socket));
    asio::co_spawn(context_, Session::serve(std::move(session)), options_.on_failure);
  }
}

void Homeserver::fall_silent() {
  asio::post(context_, [this] { silent_ = true; });
}

void Homeserver::speak() {
  asio::post(context_, [this] {
    silent_ = false;
    for (auto* session : sessions_) session->changed.cancel();
  });
}

void Homeserver::push(std::string line) {
  if (!line.ends_with('\n')) line += '\n';
  asio::post(context_, [this, line = std::move(line)] {
    for (auto* session : sessions_) {
      if (!session->signed_in) continue;
      session->outgoing.push_back(line);
      session->changed.cancel();
    }
  });
}

void Homeserver::drop_connections() {
  asio::post(context_, [this] {
    for (auto* session : sessions_) session->close();
  });
}

}  // namespace scenario
