// hiredis, a library in C, on an executor: its hooks ask for waits on its socket, Asio does the
// waiting. It comes with such an adapter for libev, libuv and others.
#pragma once

#include <boost/asio.hpp>

#include <array>
#include <cerrno>
#include <hiredis/async.h>
#include <memory>
#include <utility>

namespace redis {

namespace asio = boost::asio;
using Error = boost::system::error_code;

/// The library's context between two waits on its socket. The waits own it, and nothing else does:
/// when the execution context destroys them, it is freed.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(const asio::any_io_executor& executor, int socket) : socket_(executor, socket) {}
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// From now on the context is freed by close(), or by itself when the connection fails.
  void begin(redisAsyncContext* context) {
    context_ = context;
    context->data = context->ev.data = this;
    context->ev.addRead = [](void* self) { from(self).want(reading, true); };
    context->ev.delRead = [](void* self) { from(self).want(reading, false); };
    context->ev.addWrite = [](void* self) { from(self).want(writing, true); };
    context->ev.delWrite = [](void* self) { from(self).want(writing, false); };
    context->ev.cleanup = [](void* self) { from(self).forget(); };
    want(writing, true);  // until then it is not connected
  }
  /// Calls back for each command that has no reply yet.
  void close() {
    if (auto* const context = std::exchange(context_, nullptr)) redisAsyncFree(context);
  }
  redisAsyncContext* context() const { return context_; }
  asio::any_io_executor get_executor() { return socket_.get_executor(); }
  /// Asked in the callbacks: hiredis says it in errno, which what the first of them does may
  /// change.
  Error why_it_ended(const redisAsyncContext& context) {
    if (!error_) error_ = error_of(context);
    return error_;
  }
  static Error error_of(const redisAsyncContext& context) {
    if (context.err == 0) return asio::error::operation_aborted;  // by close()
    if (context.err == REDIS_ERR_EOF) return asio::error::eof;
    if (context.err == REDIS_ERR_IO && errno != 0) return {errno, boost::system::system_category()};
    return make_error_code(boost::system::errc::protocol_error);
  }
  static Connection& from(void* self) { return *static_cast<Connection*>(self); }

 private:
  enum Direction { reading, writing };

  void want(Direction direction, bool wanted) {
    wanted_[direction] = wanted;
    wait(direction);
  }
  // [wait]
  void wait(Direction direction) {
    if (context_ == nullptr || !wanted_[direction] || waiting_[direction]) return;
    waiting_[direction] = true;
    const auto kind = direction == reading ? socket_.wait_read : socket_.wait_write;
    socket_.async_wait(kind, [self = shared_from_this(), direction](Error error) {
      self->waiting_[direction] = false;
      if (error || self->context_ == nullptr || !self->wanted_[direction]) return;
      const auto handle = direction == reading ? redisAsyncHandleRead : redisAsyncHandleWrite;
      handle(self->context_);  // which may free it: then forget() was called
      self->wait(direction);
    });
  }
  // [/wait]
  /// The last call of hiredis before it closes the socket; since 1.0 also before it calls back.
  void forget() {
    if (const auto* const context = std::exchange(context_, nullptr)) why_it_ended(*context);
    socket_.release();
  }

  asio::posix::stream_descriptor socket_;  // hiredis closes it
  redisAsyncContext* context_ = nullptr;   // null: freed
  Error error_;
  std::array<bool, 2> wanted_{}, waiting_{};
};

}  // namespace redis
