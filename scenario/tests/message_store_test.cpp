#include "scenario/message_store.hpp"

#include "scenario/surroundings.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/thread/thread.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

namespace scenario {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Event event_of(std::string body) {
  return {"#a:example.org", "@ana:example.org", 17, std::move(body)};
}

Sample sample_at(std::int64_t taken_at_us) {
  return {taken_at_us, 0.5, 1024, 512};
}

/// While it lives, no file of this process can grow: what a full disk looks like to SQLite.
class FullDisk {
 public:
  FullDisk() {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const ::rlimit none{1024, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_before_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  ::rlimit before_{};
  void (*const signal_before_)(int) = std::signal(SIGXFSZ, SIG_IGN);
};

class StoreTest : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  MessageStore store{folder.path() / "messages.sqlite"};
};

using MessageStoreTest = StoreTest;
using ConnectionTest = StoreTest;

TEST(MessageStore, NamesTheFileThatCannotBeCreated) {
  EXPECT_THAT([] { MessageStore("/no/such/folder/messages.sqlite"); },
              ThrowsMessage<std::runtime_error>(AllOf(HasSubstr("/no/such/folder/messages.sqlite"),
                                                      HasSubstr("unable to open"))));
}

TEST_F(MessageStoreTest, UsesAWriteAheadLog) {
  SQLite::Database database(store.file().string());

  const auto mode = database.execAndGet("PRAGMA journal_mode").getString();

  EXPECT_EQ(mode, "wal");
}

TEST_F(MessageStoreTest, CountsTheRowsOfEachUser) {
  Connection connection(store.file());
  connection.insert_message("ana", event_of("one"));
  connection.insert_message("ana", event_of("two"));
  connection.insert_message("bo", event_of("three"));
  connection.insert_samples("ana", std::array{sample_at(1), sample_at(2), sample_at(3)});

  EXPECT_EQ(store.messages_of("ana"), 2);
  EXPECT_EQ(store.samples_of("ana"), 3);
  EXPECT_EQ(store.rows_of("ana"), 5);
  EXPECT_EQ(store.rows_of("bo"), 1);
  EXPECT_EQ(store.rows_of("chidi"), 0);
}

TEST_F(MessageStoreTest, KeepsItsRowsWhenOpenedAgain) {
  Connection(store.file()).insert_message("ana", event_of("one"));

  const MessageStore again(store.file());

  EXPECT_EQ(again.messages_of("ana"), 1);
}

TEST_F(ConnectionTest, NamesTheFileThatCannotBeOpened) {
  EXPECT_THAT([] { Connection("/no/such/file"); },
              ThrowsMessage<std::runtime_error>(HasSubstr("/no/such/file")));
}

TEST_F(ConnectionTest, StoresAMessageAsItIs) {
  const Event event{"#a:example.org", "@ana:example.org", -17, std::string("木 ' \0 x", 10)};

  Connection(store.file()).insert_message("o'neill", event);

  SQLite::Database database(store.file().string());
  SQLite::Statement row(database, "SELECT user, room, sender, ts, body FROM messages");
  ASSERT_TRUE(row.executeStep());
  EXPECT_EQ(row.getColumn(0).getString(), "o'neill");
  EXPECT_EQ(row.getColumn(1).getString(), event.room);
  EXPECT_EQ(row.getColumn(2).getString(), event.sender);
  EXPECT_EQ(row.getColumn(3).getInt64(), event.ts);
  EXPECT_EQ(row.getColumn(4).getString(), event.body);
}

TEST_F(ConnectionTest, StoresABatchOfSamplesAsItIs) {
  Connection(store.file()).insert_samples("ana", std::array{Sample{7, 0.25, 11, 13}});

  SQLite::Database database(store.file().string());
  SQLite::Statement row(
      database, "SELECT user, taken_at_us, load, memory_available_kib, resident_kib FROM samples");
  ASSERT_TRUE(row.executeStep());
  EXPECT_EQ(row.getColumn(0).getString(), "ana");
  EXPECT_EQ(row.getColumn(1).getInt64(), 7);
  EXPECT_EQ(row.getColumn(2).getDouble(), 0.25);
  EXPECT_EQ(row.getColumn(3).getInt64(), 11);
  EXPECT_EQ(row.getColumn(4).getInt64(), 13);
}

TEST_F(ConnectionTest, SaysSoWhenTheDiskIsFull) {
  Connection connection(store.file());
  const FullDisk full;

  EXPECT_THAT([&] { connection.insert_message("ana", event_of(std::string(100'000, 'x'))); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr(store.file().string()), HasSubstr("disk I/O error"))));

  EXPECT_EQ(store.rows_of("ana"), 0);
}

TEST_F(ConnectionTest, StoresAllOfABatchOrNothing) {
  Connection connection(store.file());
  connection.insert_samples("ana", std::array{sample_at(1)});
  const std::vector<Sample> many(5'000, sample_at(2));
  const FullDisk full;

  EXPECT_THROW(connection.insert_samples("ana", many), std::runtime_error);

  EXPECT_EQ(store.samples_of("ana"), 1);
}

TEST_F(ConnectionTest, WorksOnAfterAFullDisk) {
  Connection connection(store.file());
  {
    const FullDisk full;
    EXPECT_THROW(connection.insert_samples("ana", std::array{sample_at(1)}), std::runtime_error);
  }

  connection.insert_samples("ana", std::array{sample_at(2)});
  connection.insert_message("ana", event_of("two"));

  EXPECT_EQ(store.rows_of("ana"), 2);
}

TEST_F(ConnectionTest, WaitsForAWriterThatIsNotDoneYet) {
  Connection patient(store.file());
  SQLite::Database other(store.file().string(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN EXCLUSIVE");
  boost::thread writer([&] { patient.insert_message("ana", event_of("one")); });

  other.exec("COMMIT");
  writer.join();

  EXPECT_EQ(store.rows_of("ana"), 1);
}

TEST_F(ConnectionTest, ManyWritersLoseNoRow) {
  boost::thread_group writers;
  for (int i = 0; i < 4; ++i) {
    writers.create_thread([this] {
      Connection connection(store.file());
      for (int row = 0; row < 250; ++row) connection.insert_message("ana", event_of("x"));
    });
  }

  writers.join_all();

  EXPECT_EQ(store.messages_of("ana"), 1000);
}

class ConnectionPoolTest : public StoreTest {
 protected:
  /// Starts a task on the context; its outcome is looked at after a run.
  template <typename Result>
  std::future<Result> start(asio::awaitable<Result> task) {
    return asio::co_spawn(context, std::move(task), asio::use_future);
  }

  template <typename Result>
  static bool is_ready(const std::future<Result>& future) {
    return future.wait_for(0s) == std::future_status::ready;
  }

  template <typename Result>
  Result result_of(asio::awaitable<Result> task) {
    auto future = start(std::move(task));
    context.restart();
    context.poll();
    if (!is_ready(future)) throw std::runtime_error("the task still waits");
    return future.get();
  }

  void run_what_is_ready() {
    context.restart();
    context.poll();
  }

  asio::io_context context{1};
};

TEST_F(ConnectionPoolTest, RefusesToHaveNoConnections) {
  EXPECT_THROW(ConnectionPool(store, context.get_executor(), 0), std::invalid_argument);
}

TEST_F(ConnectionPoolTest, LendsConnectionsThatWork) {
  ConnectionPool pool(store, context.get_executor(), 2);

  auto lease = result_of(pool.acquire());
  lease->insert_message("ana", event_of("one"));

  EXPECT_EQ(store.rows_of("ana"), 1);
  EXPECT_EQ(store.connections_open(), 1);
}

TEST_F(ConnectionPoolTest, CountsAConnectionUntilItsReturnHasRun) {
  ConnectionPool pool(store, context.get_executor(), 1);
  std::optional<Lease> lease(result_of(pool.acquire()));

  lease.reset();

  EXPECT_EQ(store.connections_open(), 1);
  run_what_is_ready();
  EXPECT_EQ(store.connections_open(), 0);
}

TEST_F(ConnectionPoolTest, LetsATaskWaitUntilAConnectionIsBack) {
  ConnectionPool pool(store, context.get_executor(), 1);
  std::optional<Lease> first(result_of(pool.acquire()));
  auto second = start(pool.acquire());
  run_what_is_ready();
  EXPECT_FALSE(is_ready(second));

  first.reset();
  run_what_is_ready();

  ASSERT_TRUE(is_ready(second));
  EXPECT_TRUE(second.get());
}

TEST_F(ConnectionPoolTest, LendsEachConnectionToOneTaskAtATime) {
  ConnectionPool pool(store, context.get_executor(), 2);
  const auto one = result_of(pool.acquire());
  const auto other = result_of(pool.acquire());
  auto third = start(pool.acquire());

  run_what_is_ready();

  EXPECT_NE(one.operator->(), other.operator->());
  EXPECT_FALSE(is_ready(third));
  EXPECT_EQ(store.connections_open(), 2);
}

TEST_F(ConnectionPoolTest, GivesBackWhatALeaseHeldBeforeAnAssignment) {
  ConnectionPool pool(store, context.get_executor(), 2);
  auto lease = result_of(pool.acquire());
  auto other = result_of(pool.acquire());

  lease = std::move(other);
  run_what_is_ready();

  EXPECT_EQ(store.connections_open(), 1);
  EXPECT_TRUE(lease);
}

TEST_F(ConnectionPoolTest, LendsAgainAfterAFailedInsert) {
  ConnectionPool pool(store, context.get_executor(), 1);
  {
    auto lease = result_of(pool.acquire());
    const FullDisk full;
    EXPECT_THROW(lease->insert_samples("ana", std::array{sample_at(1)}), std::runtime_error);
  }
  run_what_is_ready();

  auto lease = result_of(pool.acquire());
  lease->insert_samples("ana", std::array{sample_at(2)});

  EXPECT_EQ(store.samples_of("ana"), 1);
}

TEST_F(ConnectionPoolTest, EndsACancelledWaitAndLendsToTheNext) {
  ConnectionPool pool(store, context.get_executor(), 1);
  std::optional<Lease> held(result_of(pool.acquire()));
  asio::cancellation_signal signal;
  std::exception_ptr failure;
  asio::co_spawn(
      context, pool.acquire(),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error, const Lease&) {
        failure = std::move(error);
      }));
  run_what_is_ready();

  signal.emit(asio::cancellation_type::terminal);
  run_what_is_ready();

  ASSERT_TRUE(failure);
  EXPECT_THAT([&] { std::rethrow_exception(failure); },
              ::testing::Throws<boost::system::system_error>(::testing::Property(
                  &boost::system::system_error::code, asio::error::operation_aborted)));
  held.reset();
  run_what_is_ready();
  EXPECT_EQ(store.connections_open(), 0);
  EXPECT_TRUE(result_of(pool.acquire()));
}

TEST_F(ConnectionPoolTest, IsDrainedWhenEveryConnectionIsBack) {
  ConnectionPool pool(store, context.get_executor(), 3);
  std::optional<Lease> one(result_of(pool.acquire()));
  std::optional<Lease> other(result_of(pool.acquire()));
  auto drained = start(pool.drained());
  one.reset();
  run_what_is_ready();
  EXPECT_FALSE(is_ready(drained));
  EXPECT_EQ(store.connections_open(), 1);

  other.reset();
  run_what_is_ready();

  EXPECT_TRUE(is_ready(drained));
  EXPECT_EQ(store.connections_open(), 0);
}

TEST_F(ConnectionPoolTest, LendsAgainAfterItWasDrained) {
  ConnectionPool pool(store, context.get_executor(), 2);

  result_of(pool.drained());
  const auto one = result_of(pool.acquire());
  const auto other = result_of(pool.acquire());

  EXPECT_TRUE(one);
  EXPECT_TRUE(other);
}

TEST_F(ConnectionPoolTest, LendsAgainAfterACancelledDrain) {
  ConnectionPool pool(store, context.get_executor(), 2);
  std::optional<Lease> held(result_of(pool.acquire()));
  asio::cancellation_signal signal;
  bool failed = false;
  asio::co_spawn(context, pool.drained(),
                 asio::bind_cancellation_slot(signal.slot(), [&](const std::exception_ptr& error) {
                   failed = error != nullptr;
                 }));
  run_what_is_ready();

  signal.emit(asio::cancellation_type::terminal);
  run_what_is_ready();

  EXPECT_TRUE(failed);
  EXPECT_TRUE(result_of(pool.acquire()));
}

TEST_F(ConnectionPoolTest, NeverGetsAConnectionBackFromAStoppedContext) {
  ConnectionPool pool(store, context.get_executor(), 1);
  std::optional<Lease> lease(result_of(pool.acquire()));
  context.stop();

  lease.reset();
  context.poll();

  EXPECT_EQ(store.connections_open(), 1);
}

/// Holds a connection for as long as its frame lives.
asio::awaitable<void> hold(ConnectionPool pool, std::atomic<int>& holders) {
  const auto lease = co_await pool.acquire();
  ++holders;
  asio::steady_timer never(co_await asio::this_coro::executor);
  never.expires_at(asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::use_awaitable);
}

asio::awaitable<void> wait_until_drained(ConnectionPool pool) {
  co_await pool.drained();
}

// What forced-stop does: frames die in the context's destructor, in every state a pool knows.
// AddressSanitizer is the judge; the count shows that the frames were there.
TEST_F(ConnectionPoolTest, IsSafeWhenFramesDieWithTheirContext) {
  std::atomic<int> holders{0};
  {
    asio::io_context dying;
    const ConnectionPool pool(store, dying.get_executor(), 2);
    for (int i = 0; i < 2; ++i) asio::co_spawn(dying, hold(pool, holders), asio::detached);
    dying.poll();
    asio::co_spawn(dying, wait_until_drained(pool), asio::detached);
    for (int i = 0; i < 2; ++i) asio::co_spawn(dying, hold(pool, holders), asio::detached);
    dying.poll();
  }

  EXPECT_EQ(holders, 2);
}

TEST_F(ConnectionPoolTest, IsSafeWhenFramesOnStrandsDieWithTheirContext) {
  std::atomic<int> holders{0};
  {
    asio::thread_pool dying(2);
    const ConnectionPool pool(store, asio::make_strand(dying), 2);
    for (int i = 0; i < 4; ++i) {
      asio::co_spawn(asio::make_strand(dying), hold(pool, holders), asio::detached);
    }
    while (holders < 2) boost::this_thread::yield();
    dying.stop();
    dying.join();
  }

  EXPECT_EQ(holders, 2);
}

asio::awaitable<void> store_one(ConnectionPool pool) {
  auto lease = co_await pool.acquire();
  lease->insert_message("ana", event_of("x"));
}

TEST_F(ConnectionPoolTest, ServesManyTasksOnManyThreads) {
  asio::thread_pool threads(3);
  const ConnectionPool pool(store, threads.get_executor(), 2);
  std::vector<std::future<void>> tasks;

  for (int i = 0; i < 200; ++i) {
    tasks.push_back(asio::co_spawn(threads, store_one(pool), asio::use_future));
  }
  for (auto& task : tasks) task.get();
  asio::co_spawn(threads, wait_until_drained(pool), asio::use_future).get();

  EXPECT_EQ(store.messages_of("ana"), 200);
  EXPECT_EQ(store.connections_open(), 0);
  threads.join();
}

}  // namespace
}  // namespace scenario
