#pragma once

#include "scenario/event.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
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
  /// A call that finds the database locked waits for `busy_timeout` before it throws.
  explicit Connection(const std::filesystem::path& file,
                      std::chrono::milliseconds busy_timeout = std::chrono::minutes(1));
  ~Connection();

  /// Each call is one transaction: all of it is stored, or nothing and it throws
  /// std::runtime_error with SQLite's reason (disk full, database locked).
  void insert_message(const std::string& user, const Event& event);
  void insert_samples(const std::string& user, std::span<const Sample> samples);

  /// Leaves no transaction open and no statement half-way, as a returned connection must be.
  void reset() noexcept;

  // For tests: real faults, made by SQLite itself.
  void limit_file_to_its_present_size();  ///< every later growth is SQLITE_FULL

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The database file in WAL mode, with its schema. Outlives every session and every runtime;
/// counts rows through a connection of its own. All member functions are thread-safe.
class MessageStore {
 public:
  /// Creates the file and the schema. Throws std::runtime_error if it cannot be written.
  explicit MessageStore(std::filesystem::path file);
  ~MessageStore();
  MessageStore(const MessageStore&) = delete;
  MessageStore& operator=(const MessageStore&) = delete;

  const std::filesystem::path& file() const noexcept;

  std::int64_t messages_of(const std::string& user) const;
  std::int64_t samples_of(const std::string& user) const;
  /// Both together: what a signed-out user's tasks may not add to.
  std::int64_t rows_of(const std::string& user) const;

  /// Connections on loan from all pools of this store together.
  int connections_open() const noexcept;

 private:
  friend class ConnectionPool;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ConnectionPool;

/// A connection on loan from a pool. Movable; its destructor gives the connection back, and that
/// is asynchronous: roll-back, reset and return run on the pool's executor. If nothing runs that
/// executor any more, the connection never comes back, and nobody is told.
class Lease {
 public:
  Lease() noexcept = default;  ///< of no connection
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();

  Connection* operator->() const noexcept { return connection_.get(); }
  explicit operator bool() const noexcept { return connection_ != nullptr; }

 private:
  friend class ConnectionPool;
  struct PoolState;
  Lease(std::shared_ptr<PoolState> pool, std::unique_ptr<Connection> connection) noexcept;
  void give_back() noexcept;

  std::shared_ptr<PoolState> pool_;
  std::unique_ptr<Connection> connection_;
};

/// A fixed number of connections, shared by the tasks of one session. Copies share the pool.
/// Thread-safe. Must not outlive the execution context of its executor.
class ConnectionPool {
 public:
  /// Opens `size` connections to the store's file.
  ConnectionPool(const MessageStore& store, boost::asio::any_io_executor executor, int size);

  /// Waits until a connection is free. The wait is cancellable (terminal) by the awaiting task, and
  /// then throws boost::system::system_error with operation_aborted.
  boost::asio::awaitable<Lease> acquire();

  /// Waits until every connection is back. Nobody may acquire meanwhile, or both wait longer;
  /// one task at a time may wait for it.
  boost::asio::awaitable<void> drained();

  int size() const noexcept;
  /// On loan, or given back and not yet reset.
  int connections_open() const noexcept;

 private:
  std::shared_ptr<Lease::PoolState> state_;
};

}  // namespace scenario
