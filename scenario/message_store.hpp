#pragma once

#include "scenario/event.hpp"

#include <SQLiteCpp/Database.h>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/thread/mutex.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace scenario {

/// Real values of this machine at one moment, as the time-series worker collects them.
struct Sample {
  std::int64_t taken_at_us = 0;  ///< microseconds since the Unix epoch
  double load = 0;               ///< runnable processes, one-minute average
  std::int64_t memory_available_kib = 0;
  std::int64_t resident_kib = 0;  ///< of this process, the most so far
};

/// A value that the system does not give is 0.
Sample sample_machine();

/// One open SQLite connection. Used by one task at a time: whoever holds its Lease.
class Connection {
 public:
  /// Throws std::runtime_error, naming the file and SQLite's reason, if it cannot be opened.
  explicit Connection(const std::filesystem::path& file);

  /// Each call is one transaction: all of it is stored, or nothing and it throws
  /// std::runtime_error with SQLite's reason (disk full; locked by another for a minute).
  void insert_message(const std::string& user, const Event& event);
  void insert_samples(const std::string& user, std::span<const Sample> samples);

  /// Leaves no transaction open, as a returned connection must be.
  void reset() noexcept { database_.tryExec("ROLLBACK"); }

 private:
  SQLite::Database database_;
};

/// The database file in WAL mode, with its schema. Outlives every session and every runtime;
/// counts rows through a connection of its own. All member functions are thread-safe.
class MessageStore {
 public:
  /// Creates the file and the schema. Throws std::runtime_error if it cannot be written.
  explicit MessageStore(const std::filesystem::path& file);

  std::filesystem::path file() const { return database_.getFilename(); }

  std::int64_t messages_of(const std::string& user) const { return count("messages", user); }
  std::int64_t samples_of(const std::string& user) const { return count("samples", user); }
  /// Both together: what a signed-out user's tasks may not add to.
  std::int64_t rows_of(const std::string& user) const {
    return messages_of(user) + samples_of(user);
  }

  /// Connections of all pools of this store that are on loan, or given back and not yet reset.
  int connections_open() const noexcept { return *on_loan_; }

 private:
  friend class ConnectionPool;
  std::int64_t count(const std::string& table, const std::string& user) const;

  // Leases outlive the store where a broken experiment leaves them behind.
  const std::shared_ptr<std::atomic<int>> on_loan_ = std::make_shared<std::atomic<int>>(0);
  mutable boost::mutex mutex_;  // guards the database
  SQLite::Database database_;
};

struct PoolState;

/// Gives a connection back to its pool, and that is asynchronous: roll-back and return run on the
/// pool's executor. If nothing runs that executor any more, the connection never comes back, and
/// nobody is told.
struct GiveBack {
  std::shared_ptr<PoolState> pool;
  void operator()(Connection* connection) const noexcept;
};

/// A connection on loan from a pool.
using Lease = std::unique_ptr<Connection, GiveBack>;

/// A fixed number of connections, shared by the tasks of one session. Copies share the pool.
/// Thread-safe. Must not outlive the execution context of its executor.
class ConnectionPool {
 public:
  ConnectionPool(const MessageStore& store, boost::asio::any_io_executor executor,
                 std::size_t size);

  /// Waits until a connection is free. The wait is cancellable (terminal) by the awaiting task, and
  /// then throws boost::system::system_error with operation_aborted.
  boost::asio::awaitable<Lease> acquire() const;

  /// Waits, cancellable in the same way, until every connection is back.
  boost::asio::awaitable<void> drained() const;

 private:
  std::shared_ptr<PoolState> state_;
};

}  // namespace scenario
