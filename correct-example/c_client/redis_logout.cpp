// redis_logout · a client in C, logged out of while its server is paused
// Run       redis_logout        starts a Redis server of its own
// Expected  each wait ends at once, each reply goes to its own command, the next login starts clean
// Why       docs/11-wrapping-a-c-client.md
#include "correct-example/c_client/redis_client.hpp"
#include "correct-example/c_client/redis_server.hpp"
#include "runtime_sharing/runtime_sharing.hpp"

#include <boost/asio.hpp>

#include <csignal>
#include <iostream>
#include <latch>
#include <stdexcept>

namespace asio = boost::asio;
using runtime_sharing::cancel_on, runtime_sharing::CancellationToken;
using runtime_sharing::Runtime, runtime_sharing::TaskScope;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

void show(const char* fact, const std::tuple<redis::Error, redis::Reply>& result) {
  const auto& [error, reply] = result;
  std::cout << fact << ' ';
  error ? std::cout << error.message() : std::cout << reply.integer;
  std::cout << std::endl;
}

// [session]
asio::awaitable<void> session(const redis::Server& server, CancellationToken told,
                              std::latch& is_waiting) {
  const auto here = co_await asio::this_coro::executor;
  redis::Client client(here, redisAsyncConnectUnix(server.socket().c_str()));
  show("first_visit",
       co_await client.async_query(redis::words("INCR", "visits"), cancel_on(told, as_result)));

  server.pause();
  const auto enough = told.child_token();
  asio::post(here, [enough] { enough.cancel(); });  // runs when the query is under way
  show("while_paused",
       co_await client.async_query(redis::words("INCR", "visits"), cancel_on(enough, as_result)));

  server.resume();  // and there comes the late reply
  show("once_resumed",
       co_await client.async_query(redis::words("INCR", "visits"), cancel_on(told, as_result)));

  server.pause();
  asio::post(here, [&is_waiting] { is_waiting.count_down(); });
  show("at_logout",
       co_await client.async_query(redis::words("GET", "visits"), cancel_on(told, as_result)));
}

void log_in_and_out(Runtime& runtime, const redis::Server& server) {
  TaskScope scope("session", runtime.scope());
  std::latch is_waiting{1};
  scope.spawn("session", session, std::cref(server), scope.token(), std::ref(is_waiting));
  is_waiting.wait();
  const auto report = scope.async_shutdown({}, asio::use_future).get();
  std::cout << "logout " << (report.graceful() ? "graceful" : "forced") << std::endl;
}
// [/session]

asio::awaitable<void> log_in_again(const redis::Server& server) {
  redis::Client client(co_await asio::this_coro::executor,
                       redisAsyncConnectUnix(server.socket().c_str()));
  show("next_login", co_await client.async_query(redis::words("INCR", "visits"), as_result));
}

int main(int count, char*[]) try {
  if (count > 1) {
    std::cerr << "usage: redis_logout, without arguments\n";
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);  // hiredis writes to a server that has gone
  const redis::Server server;
  const auto runtime = Runtime::start({.name = "redis_logout"});
  log_in_and_out(*runtime, server);
  server.resume();
  TaskScope scope("next session", runtime->scope());
  scope.spawn("session", log_in_again, std::cref(server));
  scope.async_join(asio::use_future).get();
  const auto report = runtime->shutdown();
  std::cout << "failures " << report.failures_total << std::endl;
  if (!std::cout) throw std::runtime_error("cannot write to standard output");
  return report.graceful() && report.failures_total == 0 ? 0 : 1;
} catch (const redis::Server::Missing& missing) {
  std::cerr << "redis_logout: " << missing.what() << '\n';
  return 77;
} catch (const std::exception& error) {
  std::cerr << "redis_logout: " << error.what() << '\n';
  return 2;
}
