#include "scenario/message_store.hpp"

#include "scenario/recording.hpp"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <SQLiteCpp/VariadicBind.h>
#include <boost/asio.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/thread/lock_guard.hpp>

#include <cerrno>
#include <chrono>
#include <sqlite3.h>
#include <stdexcept>
#include <stdlib.h>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace scenario {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr auto schema = R"sql(
  PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS messages (
    user TEXT NOT NULL, room TEXT NOT NULL, sender TEXT NOT NULL, ts INTEGER NOT NULL,
    body TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS samples (
    user TEXT NOT NULL, taken_at_us INTEGER NOT NULL, load REAL NOT NULL,
    memory_available_kib INTEGER NOT NULL, resident_kib INTEGER NOT NULL);
)sql";

/// Runs `work` and turns SQLite's exception into one that names the file, and the system's reason.
template <typename Work>
auto naming(const std::filesystem::path& file, Work work) {
  errno = 0;
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    const bool has_reason = error.getErrorCode() == SQLITE_CANTOPEN && errno != 0;
    throw std::runtime_error(file.string() + ": " + error.what() +
                             (has_reason ? ": " + std::generic_category().message(errno) : ""));
  }
}

SQLite::Database open(const std::filesystem::path& file, int flags, const char* first_words) {
  return naming(file, [&] {
    constexpr int busy_timeout_ms = 60'000;
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE | flags, busy_timeout_ms);
    database.exec(first_words);
    return database;
  });
}

}  // namespace

Sample sample_machine() {
  Sample sample;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  sample.taken_at_us = now / std::chrono::microseconds(1);
  ::getloadavg(&sample.load, 1);
#ifdef _SC_AVPHYS_PAGES
  sample.memory_available_kib = ::sysconf(_SC_AVPHYS_PAGES) * (::sysconf(_SC_PAGESIZE) / 1024);
#endif
  ::rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) sample.resident_kib = usage.ru_maxrss;
  return sample;
}

Connection::Connection(const std::filesystem::path& file)
    : database_(open(file, 0, "PRAGMA synchronous = NORMAL")) {}

void Connection::insert_message(const std::string& user, const Event& event) {
  naming(database_.getFilename(), [&] {
    SQLite::Statement insert(database_, "INSERT INTO messages VALUES (?, ?, ?, ?, ?)");
    SQLite::bind(insert, user, event.room, event.sender, event.ts, event.body);
    insert.exec();
  });
  recording::rows_stored(1);
}

void Connection::insert_samples(const std::string& user, std::span<const Sample> samples) {
  naming(database_.getFilename(), [&] {
    SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement insert(database_, "INSERT INTO samples VALUES (?, ?, ?, ?, ?)");
    for (const Sample& sample : samples) {
      SQLite::bind(insert, user, sample.taken_at_us, sample.load, sample.memory_available_kib,
                   sample.resident_kib);
      insert.exec();
      insert.reset();
    }
    transaction.commit();
  });
  recording::rows_stored(std::ssize(samples));
}

MessageStore::MessageStore(const std::filesystem::path& file)
    : database_(open(file, SQLite::OPEN_CREATE, schema)) {}

std::int64_t MessageStore::count(const std::string& table, const std::string& user) const {
  return naming(file(), [&] {
    const boost::lock_guard<boost::mutex> lock(mutex_);
    SQLite::Statement statement(database_, "SELECT count(*) FROM " + table + " WHERE user = ?");
    statement.bind(1, user);
    statement.executeStep();
    return statement.getColumn(0).getInt64();
  });
}

/// Held by the pool, by each lease and by each return that is on its way, so that it is there for
/// whichever of them ends last.
struct PoolState {
  using Turn = asio::experimental::concurrent_channel<void(error_code)>;

  void put_back(std::unique_ptr<Connection> connection) {
    const boost::lock_guard<boost::mutex> lock(mutex);
    idle.push_back(std::move(connection));
    for (const auto& waiter : std::exchange(waiting, {}))
      if (const auto turn = waiter.lock()) turn->try_send(error_code());
  }

  const asio::any_io_executor executor;
  const std::size_t size;
  const std::shared_ptr<std::atomic<int>> on_loan;  // of the store's pools together

  boost::mutex mutex = {};  // guards the rest; never held across a suspension
  std::vector<std::unique_ptr<Connection>> idle = {};
  std::vector<std::weak_ptr<Turn>> waiting = {};  // each is told once, by put_back()
};

namespace {

/// Waits as on a condition variable, until `attempt`, which is called under the lock, succeeds.
///
/// A channel of idle connections would do, were it not for Boost 1.81: there a cancelled receive
/// leaves a buffered channel that refuses to send. So each wait has a channel of its own.
template <typename Attempt>
asio::awaitable<void> wait_until(std::shared_ptr<PoolState> pool, std::string_view what,
                                 Attempt attempt) {
  for (;;) {
    const auto turn = std::make_shared<PoolState::Turn>(pool->executor, 1);
    {
      const boost::lock_guard<boost::mutex> lock(pool->mutex);
      if (attempt()) co_return;
      pool->waiting.push_back(turn);
    }
    recording::waits_for(what);
    const auto [error] = co_await turn->async_receive(asio::as_tuple(asio::use_awaitable));
    // The channel has a word of its own for a cancelled wait; the tasks know Asio's.
    if (error) throw boost::system::system_error(asio::error::operation_aborted);
  }
}

asio::awaitable<Lease> acquire_from(std::shared_ptr<PoolState> pool) {
  std::unique_ptr<Connection> connection;
  const auto take = [&] {
    if (pool->idle.empty()) return false;
    connection = std::move(pool->idle.back());
    pool->idle.pop_back();
    return true;
  };
  co_await wait_until(pool, "a connection", take);
  ++*pool->on_loan;
  co_return Lease(connection.release(), GiveBack{std::move(pool)});
}

}  // namespace

void GiveBack::operator()(Connection* connection) const noexcept try {
  auto reset_and_return = [state = pool, back = std::unique_ptr<Connection>(connection)]() mutable {
    back->reset();
    --*state->on_loan;
    state->put_back(std::move(back));
  };
  asio::post(pool->executor, std::move(reset_and_return));
} catch (...) {  // no memory to post with: the connection never comes back
}

ConnectionPool::ConnectionPool(const MessageStore& store, asio::any_io_executor executor,
                               std::size_t size)
    : state_(new PoolState{std::move(executor), size, store.on_loan_}) {
  if (size == 0) throw std::invalid_argument("a connection pool needs at least one connection");
  while (state_->idle.size() < size) state_->put_back(std::make_unique<Connection>(store.file()));
}

asio::awaitable<Lease> ConnectionPool::acquire() const {
  return acquire_from(state_);
}

asio::awaitable<void> ConnectionPool::drained() const {
  return wait_until(state_, "its connections",
                    [pool = state_] { return pool->idle.size() == pool->size; });
}

}  // namespace scenario
