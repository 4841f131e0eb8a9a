// The client of the page about C libraries, against a real server: paused, resumed, killed.
#include "correct-example/c_client/redis_client.hpp"

#include "correct-example/c_client/redis_server.hpp"
#include "correct-example/tests/shutdown_reports.hpp"
#include "runtime_sharing/runtime_sharing.hpp"
#include "scenario/child_process.hpp"
#include "scenario/tests/scoped_environment_variable.hpp"

#include <boost/asio.hpp>
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <hiredis/hiredis.h>
#include <latch>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::error::operation_aborted;
using redis::Client, redis::Error, redis::Reply, redis::words;
using runtime_sharing::cancel_on, runtime_sharing::CancellationToken, runtime_sharing::Rung;
using runtime_sharing::Runtime, runtime_sharing::TaskScope;
using testing::AllOf, testing::ElementsAre, testing::Field;
using Task = asio::awaitable<void>;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

auto open_sockets() {
  using std::filesystem::directory_iterator, std::filesystem::read_symlink;
  return std::ranges::count_if(directory_iterator("/proc/self/fd"), [](const auto& file) {
    std::error_code gone;  // as the folder's own
    return read_symlink(file.path(), gone).string().starts_with("socket:");
  });
}

/// Counted down when what the task does next is pending.
Task soon(std::latch& latch) {
  asio::post(co_await asio::this_coro::executor, [&latch] { latch.count_down(); });
}

bool is_lost(Error error) {
  return error == asio::error::eof || error == asio::error::connection_reset ||
         error == asio::error::broken_pipe;
}

class RedisClient : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    try {
      server.emplace();
    } catch (const redis::Server::Missing& missing) {
      GTEST_SKIP() << missing.what();
    }
  }
  redisAsyncContext* connect() const { return redisAsyncConnectUnix(server->socket().c_str()); }

  std::optional<redis::Server> server;
  std::shared_ptr<Runtime> runtime = Runtime::start({.threads = 2});
};

TEST_F(RedisClient, GetsTheReplyOfEachCommand) {
  std::vector<Reply> replies;
  runtime->spawn("asker", [&]() -> Task {
    Client client(co_await asio::this_coro::executor, connect());
    const std::string binary("a\0b \r\n", 6);
    const auto set = words("SET", "key", binary);
    for (const auto& command : {set, words("GET", "key"), words("GET", "none"), words("INCR", "n"),
                                words("INCR", "key"), words("")})
      replies.push_back(co_await client.async_query(command));
  });

  const auto report = runtime->shutdown({60s, 0s, 0s});

  EXPECT_EQ(report.failures_total, 0u);
  const auto text_of = [](int type, std::string text) {
    return AllOf(Field(&Reply::type, type), Field(&Reply::text, text));
  };
  ASSERT_EQ(replies.size(), 6u);
  EXPECT_THAT(replies[0], text_of(REDIS_REPLY_STATUS, "OK"));
  EXPECT_THAT(replies[1], text_of(REDIS_REPLY_STRING, std::string("a\0b \r\n", 6)));
  EXPECT_THAT(replies[2], text_of(REDIS_REPLY_NIL, ""));
  EXPECT_THAT(replies[3],
              AllOf(Field(&Reply::type, REDIS_REPLY_INTEGER), Field(&Reply::integer, 1)));
  EXPECT_EQ(replies[4].type, REDIS_REPLY_ERROR);
  EXPECT_THAT(replies[4].text, testing::HasSubstr("not an integer"));
  EXPECT_EQ(replies[5].type, REDIS_REPLY_ERROR);
}

TEST_F(RedisClient, RefusesWhatHasNotOneReply) {
  std::vector<Error> errors;
  Reply afterwards;
  runtime->spawn("asker", [&]() -> Task {
    Client client(co_await asio::this_coro::executor, connect());
    for (const auto& command :
         {redis::Words(), words("SUBSCRIBE", "c"), words("pSubscribe", "c"),
          words("SSUBSCRIBE", "c"), words("UNSUBSCRIBE"), words("monitor"), words("PMONITOR")})
      errors.push_back(std::get<0>(co_await client.async_query(command, as_result)));
    afterwards = co_await client.async_query(words("PING"));
  });

  runtime->shutdown({60s, 0s, 0s});

  EXPECT_THAT(errors, AllOf(testing::SizeIs(7), testing::Each(asio::error::invalid_argument)));
  EXPECT_EQ(afterwards.text, "PONG");
}

TEST_F(RedisClient, IsLoggedOutOfWhileTheServerIsPausedAndTheNextLoginStartsClean) {
  const auto sockets_before = open_sockets();
  std::latch is_waiting{1};
  Error ended_by;
  TaskScope session("session", runtime->scope());
  session.spawn("asker", [&, told = session.token()]() -> Task {
    Client client(co_await asio::this_coro::executor, connect());
    co_await client.async_query(words("PING"));
    server->pause();
    co_await soon(is_waiting);
    std::tie(ended_by, std::ignore) =
        co_await client.async_query(words("GET", "key"), cancel_on(told, as_result));
  });
  is_waiting.wait();

  const auto report = session.async_shutdown({60s, 0s, 0s}, asio::use_future).get();

  EXPECT_TRUE(report.graceful());
  EXPECT_EQ(report.failures_total, 0u);
  EXPECT_EQ(ended_by, operation_aborted);
  EXPECT_EQ(open_sockets(), sockets_before) << "the connection is closed, the server still paused";

  server->resume();
  std::string answer;
  TaskScope next("next session", runtime->scope());
  next.spawn("asker", [&]() -> Task {
    Client client(co_await asio::this_coro::executor, connect());
    answer = (co_await client.async_query(words("PING"))).text;
  });
  next.async_join(asio::use_future).get();
  EXPECT_EQ(answer, "PONG");
  EXPECT_TRUE(runtime->shutdown().graceful());
}

TEST_F(RedisClient, DropsALateReplyThoughItsCommandWasCarriedOut) {
  std::vector<long long> visits;
  Error ended_by;
  runtime->spawn("asker", [&]() -> Task {
    const auto here = co_await asio::this_coro::executor;
    Client client(here, connect());
    visits.push_back((co_await client.async_query(words("INCR", "visits"))).integer);
    server->pause();
    const CancellationToken enough;
    asio::post(here, [enough] { enough.cancel(); });
    std::tie(ended_by, std::ignore) =
        co_await client.async_query(words("INCR", "visits"), cancel_on(enough, as_result));
    server->resume();
    visits.push_back((co_await client.async_query(words("INCR", "visits"))).integer);
  });

  runtime->shutdown({60s, 0s, 0s});

  EXPECT_EQ(ended_by, operation_aborted);
  EXPECT_THAT(visits, ElementsAre(1, 3));
}

TEST_F(RedisClient, TakesTheFirstCancellationAndNoneThatAsksForTooMuch) {
  using Type = asio::cancellation_type;
  asio::io_context context;
  asio::cancellation_signal signal;
  std::vector<Error> results;
  {
    Client client(context.get_executor(), connect());
    server->pause();
    client.async_query(words("PING"),
                       asio::bind_cancellation_slot(signal.slot(), [&](Error error, const Reply&) {
                         results.push_back(error);
                       }));
    signal.emit(Type::total);  // nobody can promise that the command has no effect
    context.poll();
    EXPECT_THAT(results, testing::IsEmpty());

    signal.emit(Type::terminal);
    EXPECT_THAT(results, testing::IsEmpty()) << "never inside of emit()";
    signal.emit(Type::terminal);
    context.poll();
    EXPECT_THAT(results, ElementsAre(operation_aborted));

    signal.emit(Type::terminal);  // the operation is over
    server->resume();
    std::string answer;
    client.async_query(words("ECHO", "mine"), [&](Error, const Reply& reply) {
      answer = reply.text;
      signal.emit(Type::terminal);  // its late reply has come by now
    });
    while (answer.empty()) context.run_one();
    EXPECT_EQ(answer, "mine");
  }
  context.run();  // and nothing is left that would keep it running
  EXPECT_THAT(results, ElementsAre(operation_aborted));
}

TEST_F(RedisClient, KeepsAReplyThatCameBeforeTheCancellation) {
  asio::io_context context;
  asio::cancellation_signal signal;
  std::optional<Error> result;
  Client client(context.get_executor(), connect());
  client.async_query(words("PING"), [&](Error, const Reply&) {
    // Both replies came in one read: that of the second command is posted by now.
    signal.emit(asio::cancellation_type::terminal);
  });
  client.async_query(words("PING"),
                     asio::bind_cancellation_slot(
                         signal.slot(), [&](Error error, const Reply&) { result = error; }));
  server->pause();
  context.poll();  // both are sent before the server can answer one
  server->resume();
  while (!result) context.run_one();

  EXPECT_EQ(*result, Error());
}

struct Books {
  std::atomic<int> answered = 0, aborted = 0, wrong = 0;
};

Task flood(std::shared_ptr<Client> client, int number, Books& books) {
  std::minstd_rand random(static_cast<unsigned>(number));
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (int i = 0; i < 200; ++i) {
    const auto mine = std::to_string(number) + ':' + std::to_string(i);
    const CancellationToken enough;
    timer.expires_after(std::chrono::microseconds(random() % 400));
    if (i < 199) timer.async_wait([enough](Error) { enough.cancel(); });
    const auto [error, reply] =
        co_await client->async_query(words("ECHO", mine), cancel_on(enough, as_result));
    if (!error) ++(reply.text == mine ? books.answered : books.wrong);
    if (error) ++(error == operation_aborted ? books.aborted : books.wrong);
  }
}

constexpr int askers = 16;

/// The askers may outlive it, when it is forced.
Task own(redisAsyncContext* context, Runtime& runtime, Books& books) {
  const auto client = std::make_shared<Client>(co_await asio::this_coro::executor, context);
  TaskScope scope("askers", runtime.scope());
  for (int i = 0; i < askers; ++i) scope.spawn("asker", flood, client, i, std::ref(books));
  co_await scope.async_join();
}

TEST_F(RedisClient, GivesEveryQueryOfAFloodItsOwnReplyOrItsCancellation) {
  Books books;
  server->pause();
  const auto owner = runtime->spawn("owner", own, connect(), std::ref(*runtime), std::ref(books));
  while (books.aborted == 0) std::this_thread::yield();
  while (runtime->scope().size() > 0) {
    server->resume();
    server->pause();
    server->resume();
  }
  const auto report = runtime->shutdown({60s, 0s, 0s});

  EXPECT_EQ(report.failures_total, 0u);
  EXPECT_EQ(books.wrong, 0);
  EXPECT_EQ(books.answered + books.aborted, askers * 200);
  EXPECT_GE(books.answered, askers) << "the last of each is not cancelled";
  EXPECT_GE(books.aborted, 1);
}

TEST_F(RedisClient, TellsAllWhoWaitWhenTheServerIsKilled) {
  std::latch is_waiting{1};
  std::vector<Error> errors;
  const auto sockets_before = open_sockets();
  std::ptrdiff_t sockets_after = 0;
  runtime->spawn("asker", [&]() -> Task {
    Client client(co_await asio::this_coro::executor, connect());
    co_await client.async_query(words("PING"));
    server->pause();
    co_await soon(is_waiting);
    client.async_query(words("PING"), [&](Error error, const Reply&) { errors.push_back(error); });
    errors.push_back(std::get<0>(co_await client.async_query(words("PING"), as_result)));
    sockets_after = open_sockets();
    errors.push_back(std::get<0>(co_await client.async_query(words("PING"), as_result)));
  });
  is_waiting.wait();

  server->kill();
  const auto report = runtime->shutdown({60s, 0s, 0s});

  EXPECT_TRUE(report.graceful());
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_TRUE(is_lost(errors[0])) << errors[0].message();
  EXPECT_EQ(errors[1], errors[0]);
  EXPECT_EQ(errors[2], asio::error::not_connected);
  EXPECT_EQ(sockets_after, sockets_before) << "hiredis has closed its socket";
}

TEST_F(RedisClient, SurvivesWritingToAServerThatHasGone) {
  std::latch is_writing{1};
  Error error;
  runtime->spawn("asker", [&]() -> Task {
    Client client(co_await asio::this_coro::executor, connect());
    co_await client.async_query(words("PING"));
    server->pause();
    co_await soon(is_writing);
    const std::string more_than_a_socket_takes(16 << 20, 'x');
    std::tie(error, std::ignore) =
        co_await client.async_query(words("ECHO", more_than_a_socket_takes), as_result);
  });
  is_writing.wait();

  server->kill();
  const auto report = runtime->shutdown({60s, 0s, 0s});

  EXPECT_TRUE(report.graceful());
  EXPECT_TRUE(is_lost(error)) << error.message();
}

TEST_F(RedisClient, SaysThatAConnectionIsRefused) {
  asio::io_context others;
  // Bound, and not listening: nobody else takes the port, and nobody accepts there.
  asio::ip::tcp::socket bound(others, {asio::ip::address_v4::loopback(), 0});
  const int port = bound.local_endpoint().port();
  std::optional<Error> at_once, later;
  runtime->spawn("asker", [&]() -> Task {
    const auto here = co_await asio::this_coro::executor;
    try {
      const Client client(here, redisAsyncConnectUnix("/no/such/socket"));
    } catch (const boost::system::system_error& error) {
      at_once = error.code();
    }
    Client client(here, redisAsyncConnect("127.0.0.1", port));
    later = std::get<0>(co_await client.async_query(words("PING"), as_result));
  });

  const auto report = runtime->shutdown({60s, 0s, 0s});

  EXPECT_EQ(report.failures_total, 0u);
  EXPECT_EQ(at_once, boost::system::errc::no_such_file_or_directory);
  EXPECT_EQ(later, asio::error::connection_refused);
}

TEST_F(RedisClient, EndsItsQueriesWhenItIsDestroyed) {
  asio::io_context context;
  std::vector<Error> results;
  auto client = std::make_unique<Client>(context.get_executor(), connect());
  server->pause();
  for (int i = 0; i < 3; ++i)
    client->async_query(words("PING"),
                        [&](Error error, const Reply&) { results.push_back(error); });
  context.poll();

  client.reset();
  EXPECT_THAT(results, testing::IsEmpty()) << "never inside of the destructor";
  context.run();

  EXPECT_THAT(results, ElementsAre(operation_aborted, operation_aborted, operation_aborted));
}

TEST_F(RedisClient, KeepsTheContextOfWhoeverWaitsAndOfNobodyElse) {
  asio::io_context context, of_the_handler;
  asio::cancellation_signal signal;
  std::optional<Error> result;
  Client client(context.get_executor(), connect());
  server->pause();
  client.async_query(
      words("PING"),
      asio::bind_executor(of_the_handler,
                          asio::bind_cancellation_slot(
                              signal.slot(), [&](Error error, Reply) { result = error; })));
  context.poll();
  of_the_handler.poll();
  EXPECT_FALSE(of_the_handler.stopped());

  signal.emit(asio::cancellation_type::terminal);
  of_the_handler.run();  // returns, though the reply is still to come
  EXPECT_EQ(result, operation_aborted);

  server->resume();
  std::optional<Error> next;
  client.async_query(words("PING"), [&](Error error, const Reply&) { next = error; });
  while (!next) context.run_one();
  EXPECT_EQ(next, Error());
}

TEST_F(RedisClient, GoesWithItsContext) {
  const auto sockets_before = open_sockets();
  const auto in_the_frame = std::make_shared<int>();
  {
    asio::io_context context;
    asio::co_spawn(
        context,
        [&, kept = in_the_frame]() -> Task {
          Client client(co_await asio::this_coro::executor, connect());
          co_await client.async_query(words("PING"));
          server->pause();
          context.stop();
          co_await client.async_query(words("PING"));
        },
        asio::detached);
    context.run();
    EXPECT_EQ(in_the_frame.use_count(), 2);
  }
  EXPECT_EQ(in_the_frame.use_count(), 1);
  EXPECT_EQ(open_sockets(), sockets_before);
}

// ---- The rungs

TEST_F(RedisClient, IsInterruptedInATaskThatDoesNotListen) {
  std::latch is_waiting{1};
  runtime->spawn("deaf", [&]() -> Task {
    Client client(co_await asio::this_coro::executor, connect());
    server->pause();
    co_await soon(is_waiting);
    co_await client.async_query(words("PING"));
  });
  is_waiting.wait();

  const auto report = runtime->shutdown({0s, 60s, 0s});

  EXPECT_THAT(report.stragglers, ElementsAre(needing("deaf", Rung::interrupt)));
  EXPECT_EQ(report.failures_total, 0u);
}

TEST_F(RedisClient, IsFreedWithTheFrameOfATaskThatNobodyCanInterrupt) {
  const auto sockets_before = open_sockets();
  const auto in_the_frame = std::make_shared<int>();
  std::latch is_waiting{2};
  const auto deaf = [&](std::shared_ptr<int> /*kept*/) -> Task {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    Client client(co_await asio::this_coro::executor, connect());
    co_await soon(is_waiting);
    co_await client.async_query(words("BLPOP", "nothing", "0"));
  };
  runtime->spawn("deaf", deaf, in_the_frame);
  runtime->spawn("deaf, too", deaf, in_the_frame);
  is_waiting.wait();

  const auto report = runtime->shutdown({0s, 0s, 60s});

  EXPECT_THAT(report.stragglers, testing::UnorderedElementsAre(needing("deaf", Rung::stop),
                                                               needing("deaf, too", Rung::stop)));
  EXPECT_EQ(in_the_frame.use_count(), 1);
  runtime.reset();
  EXPECT_LE(open_sockets(), sockets_before);
}

TEST_F(RedisClient, IsAbandonedInABlockingCall) {
  std::latch is_waiting{1};
  std::latch is_back{1};
  runtime->spawn("blocked", [&]() -> Task {
    auto* const context = redisConnectUnix(server->socket().c_str());
    server->pause();
    is_waiting.count_down();
    auto* const reply = redisCommand(context, "PING");  // hiredis without `async`: the thread waits
    freeReplyObject(reply);
    redisFree(context);
    is_back.count_down();
    co_return;
  });
  is_waiting.wait();

  const auto report = runtime->shutdown({0s, 0s, 50ms});

  EXPECT_THAT(report.stragglers, ElementsAre(needing("blocked", Rung::abandon)));
  EXPECT_EQ(report.threads_abandoned, 1u);
  server->resume();
  is_back.wait();
}

TEST_F(RedisClient, IsForcedInTheMiddleOfAFloodAtEachRung) {
  for (const runtime_sharing::Deadlines deadlines :
       {runtime_sharing::Deadlines{0s, 60s, 0s}, {0s, 0s, 60s}}) {
    const auto sockets_before = open_sockets();
    Books books;
    auto forced = Runtime::start({.threads = 2});
    forced->spawn("owner", own, connect(), std::ref(*forced), std::ref(books));
    while (books.answered < 10) std::this_thread::yield();

    const auto report = forced->shutdown(deadlines);

    EXPECT_EQ(report.threads_abandoned, 0u);
    EXPECT_THAT(report.stragglers,
                testing::Each(Field(&runtime_sharing::Straggler::needed,
                                    testing::AnyOf(Rung::interrupt, Rung::stop))));
    EXPECT_EQ(books.wrong, 0);
    forced.reset();
    EXPECT_EQ(open_sockets(), sockets_before);
  }
}

// ---- The program

scenario::ChildResult redis_logout(const std::vector<std::string>& arguments,
                                   const std::string& variable = "NONE=") {
  std::vector<std::string> words{variable, TEST_BINARY_DIR "/redis_logout"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return scenario::run_child("/usr/bin/env", words);
}

TEST(RedisLogout, TakesNoArguments) {
  for (const std::string argument : {"--help", "6379", ""}) {
    const auto child = redis_logout({argument});
    EXPECT_EQ(child.exit_code, 2);
    EXPECT_EQ(child.err, "usage: redis_logout, without arguments\n");
  }
}

TEST(RedisLogout, SaysWhatIsMissingAndThatItCannotRun) {
  const auto child = redis_logout({}, "PATH=/nonexistent");

  EXPECT_EQ(child.exit_code, 77);
  EXPECT_EQ(child.err,
            "redis_logout: no redis-server here: install redis-tools (Debian) or redis\n");
}

TEST(RedisLogout, SaysWhereItCannotWrite) {
  const auto child = redis_logout({}, "TMPDIR=/nonexistent");

  EXPECT_EQ(child.exit_code, 2);
  EXPECT_THAT(child.err, testing::MatchesRegex("redis_logout: [^\n]*/nonexistent[^\n]*\n"));
}

// ---- The server

TEST(RedisServer, SaysWhatToInstallWhereThereIsNone) {
  const scenario::ScopedEnvironmentVariable nothing_there("PATH", "/nonexistent");

  try {
    const redis::Server server;
    FAIL() << "a server without a program";
  } catch (const redis::Server::Missing& missing) {
    EXPECT_THAT(missing.what(), testing::HasSubstr("redis-tools"));
  }
}

}  // namespace
