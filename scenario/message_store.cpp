#include "scenario/message_store.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <boost/thread/lock_guard.hpp>
#include <boost/thread/mutex.hpp>

#include <atomic>
#include <cerrno>
#include <deque>
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

/// Ready for the next use whatever became of this one.
class StatementUse {
 public:
  explicit StatementUse(SQLite::Statement& statement) : statement_(statement) {}
  ~StatementUse() { statement_.tryReset(); }
  StatementUse(const StatementUse&) = delete;
  StatementUse& operator=(const StatementUse&) = delete;

 private:
  SQLite::Statement& statement_;
};

SQLite::Database create(const std::filesystem::path& file) {
  SQLite::Database database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.setBusyTimeout(2000);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec(schema);
  return database;
}

}  // namespace

Sample sample_machine() {
  Sample sample;
  sample.taken_at_us = std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::system_clock::now().time_since_epoch())
                           .count();
  ::getloadavg(&sample.load, 1);
#ifdef _SC_AVPHYS_PAGES
  sample.memory_available_kib = ::sysconf(_SC_AVPHYS_PAGES) * (::sysconf(_SC_PAGESIZE) / 1024);
#endif
  ::rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) sample.resident_kib = usage.ru_maxrss;
  return sample;
}

struct Connection::Impl {
  Impl(std::filesystem::path where, std::chrono::milliseconds busy_timeout)
      : file(std::move(where)),
        database(file.string(), SQLite::OPEN_READWRITE, static_cast<int>(busy_timeout.count())),
        message(database, "INSERT INTO messages VALUES (?, ?, ?, ?, ?)"),
        sample(database, "INSERT INTO samples VALUES (?, ?, ?, ?, ?)") {
    database.exec("PRAGMA synchronous = NORMAL");
  }

  const std::filesystem::path file;
  SQLite::Database database;
  SQLite::Statement message;
  SQLite::Statement sample;
};

Connection::Connection(const std::filesystem::path& file, std::chrono::milliseconds busy_timeout)
    : impl_(naming(file, [&] { return std::make_unique<Impl>(file, busy_timeout); })) {}

Connection::~Connection() = default;

void Connection::insert_message(const std::string& user, const Event& event) {
  naming(impl_->file, [&] {
    auto& insert = impl_->message;
    const StatementUse use(insert);
    insert.bindNoCopy(1, user);
    insert.bindNoCopy(2, event.room);
    insert.bindNoCopy(3, event.sender);
    insert.bind(4, event.ts);
    insert.bindNoCopy(5, event.body);
    insert.exec();
  });
}

void Connection::insert_samples(const std::string& user, std::span<const Sample> samples) {
  naming(impl_->file, [&] {
    SQLite::Transaction transaction(impl_->database, SQLite::TransactionBehavior::IMMEDIATE);
    auto& insert = impl_->sample;
    for (const Sample& sample : samples) {
      const StatementUse use(insert);
      insert.bindNoCopy(1, user);
      insert.bind(2, sample.taken_at_us);
      insert.bind(3, sample.load);
      insert.bind(4, sample.memory_available_kib);
      insert.bind(5, sample.resident_kib);
      insert.exec();
    }
    transaction.commit();
  });
}

void Connection::reset() noexcept {
  impl_->message.tryReset();
  impl_->sample.tryReset();
  const bool in_transaction = sqlite3_get_autocommit(impl_->database.getHandle()) == 0;
  if (in_transaction) impl_->database.tryExec("ROLLBACK");
}

void Connection::limit_file_to_its_present_size() {
  naming(impl_->file, [&] {
    const int pages = impl_->database.execAndGet("PRAGMA page_count");
    impl_->database.exec("PRAGMA max_page_count = " + std::to_string(pages));
  });
}

struct MessageStore::Impl {
  explicit Impl(const std::filesystem::path& where)
      : file(where),
        database(create(file)),
        messages(database, "SELECT count(*) FROM messages WHERE user = ?"),
        samples(database, "SELECT count(*) FROM samples WHERE user = ?") {}

  std::int64_t count(SQLite::Statement& statement, const std::string& user) {
    return naming(file, [&] {
      const boost::lock_guard<boost::mutex> lock(mutex);
      const StatementUse use(statement);
      statement.bind(1, user);
      statement.executeStep();
      return statement.getColumn(0).getInt64();
    });
  }

  const std::filesystem::path file;
  // Leases outlive the store where a broken experiment leaves them behind.
  const std::shared_ptr<std::atomic<int>> on_loan = std::make_shared<std::atomic<int>>(0);
  boost::mutex mutex;  // guards everything below
  SQLite::Database database;
  SQLite::Statement messages;
  SQLite::Statement samples;
};

int MessageStore::connections_open() const noexcept {
  return *impl_->on_loan;
}

MessageStore::MessageStore(std::filesystem::path file)
    : impl_(naming(file, [&] { return std::make_unique<Impl>(file); })) {}

MessageStore::~MessageStore() = default;

const std::filesystem::path& MessageStore::file() const noexcept {
  return impl_->file;
}

std::int64_t MessageStore::messages_of(const std::string& user) const {
  return impl_->count(impl_->messages, user);
}

std::int64_t MessageStore::samples_of(const std::string& user) const {
  return impl_->count(impl_->samples, user);
}

std::int64_t MessageStore::rows_of(const std::string& user) const {
  return messages_of(user) + samples_of(user);
}

/// Held by the pool, by each lease and by each return that is on its way, so that it is there for
/// whichever of them ends last.
///
/// A channel of all idle connections would do, were it not for Boost 1.81: there a cancelled
/// receive leaves a buffered channel that refuses to send. So each wait has a channel of its own.
struct Lease::PoolState {
  using Wait =
      asio::experimental::concurrent_channel<void(error_code, std::unique_ptr<Connection>)>;
  class TakenOut;

  PoolState(asio::any_io_executor where, int connections,
            std::shared_ptr<std::atomic<int>> on_loan_of_the_store)
      : executor(std::move(where)),
        size(connections),
        on_loan_of_all(std::move(on_loan_of_the_store)) {}

  static asio::awaitable<Lease> acquire(std::shared_ptr<PoolState> self);
  static asio::awaitable<void> drain(std::shared_ptr<PoolState> self);

  asio::awaitable<std::unique_ptr<Connection>> take();
  std::shared_ptr<Wait> begin_wait();
  void abandon_wait(const std::shared_ptr<Wait>& wait);
  void put_back(std::unique_ptr<Connection> connection);

  const asio::any_io_executor executor;
  const int size;
  const std::shared_ptr<std::atomic<int>> on_loan_of_all;  // the store's pools together
  std::atomic<int> on_loan{0};

  boost::mutex mutex;  // guards the rest; never held across a suspension
  std::vector<std::unique_ptr<Connection>> idle;
  std::deque<std::shared_ptr<Wait>> waiting;  // empty while a connection is idle
};

/// Connections that drain() has taken: not on loan, and put back whatever happens. By a handler
/// and not at once, because the frame may be destroyed with its context, when the waits are shut
/// down already: a handler that is posted then is destroyed unheard.
class Lease::PoolState::TakenOut {
 public:
  explicit TakenOut(std::shared_ptr<PoolState> pool) : pool_(std::move(pool)) {}
  ~TakenOut() {
    for (auto& connection : connections_) put_back(std::move(connection));
  }
  TakenOut(const TakenOut&) = delete;
  TakenOut& operator=(const TakenOut&) = delete;

  void add(std::unique_ptr<Connection> connection) {
    connections_.push_back(std::move(connection));
  }

 private:
  void put_back(std::unique_ptr<Connection> connection) noexcept try {
    asio::post(pool_->executor, [pool = pool_, back = std::move(connection)]() mutable {
      pool->put_back(std::move(back));
    });
  } catch (...) {  // no memory to post with: the connection never comes back
  }

  std::shared_ptr<PoolState> pool_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

asio::awaitable<std::unique_ptr<Connection>> Lease::PoolState::take() {
  const auto wait = begin_wait();
  try {
    co_return co_await wait->async_receive(asio::use_awaitable);
  } catch (const boost::system::system_error&) {
    abandon_wait(wait);
    // The channel has a word of its own for a cancelled wait; the tasks know Asio's.
    throw boost::system::system_error(asio::error::operation_aborted);
  }
}

std::shared_ptr<Lease::PoolState::Wait> Lease::PoolState::begin_wait() {
  auto wait = std::make_shared<Wait>(executor, 1);
  const boost::lock_guard<boost::mutex> lock(mutex);
  if (idle.empty()) {
    waiting.push_back(wait);
  } else {
    wait->try_send(error_code(), std::move(idle.back()));
    idle.pop_back();
  }
  return wait;
}

void Lease::PoolState::abandon_wait(const std::shared_ptr<Wait>& wait) {
  {
    const boost::lock_guard<boost::mutex> lock(mutex);
    std::erase(waiting, wait);
  }
  // A connection may have been sent after the wait was cancelled: it goes to the next.
  wait->try_receive([this](error_code, std::unique_ptr<Connection> connection) {
    put_back(std::move(connection));
  });
}

void Lease::PoolState::put_back(std::unique_ptr<Connection> connection) {
  const boost::lock_guard<boost::mutex> lock(mutex);
  while (!waiting.empty()) {
    const auto next = std::move(waiting.front());
    waiting.pop_front();
    // Refused by a wait that has been cancelled.
    if (next->try_send(error_code(), std::move(connection))) return;
  }
  idle.push_back(std::move(connection));
}

asio::awaitable<Lease> Lease::PoolState::acquire(std::shared_ptr<PoolState> self) {
  auto connection = co_await self->take();
  ++self->on_loan;
  ++*self->on_loan_of_all;
  co_return Lease(std::move(self), std::move(connection));
}

asio::awaitable<void> Lease::PoolState::drain(std::shared_ptr<PoolState> self) {
  TakenOut taken_out(self);
  for (int i = 0; i < self->size; ++i) {
    auto connection = co_await self->take();
    taken_out.add(std::move(connection));
  }
}

Lease::Lease(std::shared_ptr<PoolState> pool, std::unique_ptr<Connection> connection) noexcept
    : pool_(std::move(pool)), connection_(std::move(connection)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  pool_ = std::move(other.pool_);
  connection_ = std::move(other.connection_);
  return *this;
}

Lease::~Lease() {
  give_back();
}

void Lease::give_back() noexcept try {
  if (!connection_) return;
  const auto executor = pool_->executor;  // a copy: the handler takes the pool away
  asio::post(executor, [pool = std::move(pool_), connection = std::move(connection_)]() mutable {
    connection->reset();
    --pool->on_loan;
    --*pool->on_loan_of_all;
    pool->put_back(std::move(connection));
  });
} catch (...) {  // no memory to post with: the connection never comes back
}

ConnectionPool::ConnectionPool(const MessageStore& store, asio::any_io_executor executor, int size)
    : state_(std::make_shared<Lease::PoolState>(std::move(executor), size, store.impl_->on_loan)) {
  if (size < 1) throw std::invalid_argument("a connection pool needs at least one connection");
  for (int i = 0; i < size; ++i) state_->put_back(std::make_unique<Connection>(store.file()));
}

asio::awaitable<Lease> ConnectionPool::acquire() {
  return Lease::PoolState::acquire(state_);
}

asio::awaitable<void> ConnectionPool::drained() {
  return Lease::PoolState::drain(state_);
}

int ConnectionPool::size() const noexcept {
  return state_->size;
}

int ConnectionPool::connections_open() const noexcept {
  return state_->on_loan;
}

}  // namespace scenario
