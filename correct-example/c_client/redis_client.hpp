// The commands of hiredis as an operation that a task awaits and a token ends.
// docs/11-wrapping-a-c-client.md says why each line stands where it does.
#pragma once

#include "correct-example/c_client/hiredis_connection.hpp"

#include <boost/algorithm/string/case_conv.hpp>
#include <boost/asio.hpp>

#include <hiredis/async.h>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace redis {

/// A command: `words("SET", key, value)`. With g++ 12, no braced list can stand in a `co_await`.
using Words = std::vector<std::string>;
Words words(const auto&... each) {
  return {std::string(each)...};
}

/// What the server answered. The elements of an array are left out.
struct Reply {
  int type = REDIS_REPLY_NIL;
  long long integer = 0;  ///< of an integer
  std::string text;       ///< of a string, a status, an error
};

// [query]
/// One command. Kept by hiredis until it calls back, whether or not anyone still waits for that.
/// It is sent, and called back, where the connection is; everything else is where the handler is.
template <typename Handler>
class Query : public std::enable_shared_from_this<Query<Handler>> {
 public:
  Query(Handler handler, const asio::any_io_executor& fallback)
      : executor_(asio::get_associated_executor(handler, fallback)) {
    waiting_.emplace(Waiting{std::move(handler), asio::make_work_guard(executor_)});
  }

  void begin(const std::shared_ptr<Connection>& connection, Words command) {
    if (!connection) return post(asio::error::not_connected, {});
    if (auto slot = asio::get_associated_cancellation_slot(waiting_->handler);
        slot.is_connected()) {
      slot.assign([weak = this->weak_from_this()](asio::cancellation_type type) {
        using Type = asio::cancellation_type;
        // `total` would promise that the command was not carried out.
        if ((type & (Type::terminal | Type::partial)) == Type::none) return;
        if (const auto self = weak.lock()) self->post(asio::error::operation_aborted, {});
      });
    }
    asio::dispatch(connection->get_executor(),
                   [self = this->shared_from_this(), connection, command = std::move(command)] {
                     self->send(*connection, command);
                   });
  }
  /// From anywhere.
  void post(Error error, Reply reply) {
    asio::post(executor_,
               [self = this->shared_from_this(), error, reply = std::move(reply)]() mutable {
                 self->complete(error, std::move(reply));
               });
  }

 private:
  void send(Connection& connection, const Words& command) {
    if (connection.context() == nullptr) return post(asio::error::not_connected, {});
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const auto& word : command) {
      texts.push_back(word.data());
      sizes.push_back(word.size());
    }
    auto kept = std::make_unique<std::shared_ptr<Query>>(this->shared_from_this());
    const int status =
        redisAsyncCommandArgv(connection.context(), &called_back, kept.get(),
                              static_cast<int>(command.size()), texts.data(), sizes.data());
    if (status != REDIS_OK) return post(asio::error::not_connected, {});
    static_cast<void>(kept.release());  // called_back() has it now
  }
  /// Inside of hiredis, which may be freeing the connection: nothing but a post. No exception may
  /// pass through C.
  static void called_back(redisAsyncContext* context, void* answer, void* kept) noexcept {
    const std::unique_ptr<std::shared_ptr<Query>> self(static_cast<std::shared_ptr<Query>*>(kept));
    if (answer == nullptr)
      return (*self)->post(Connection::from(context->data).why_it_ended(*context), {});
    const auto& its = *static_cast<const redisReply*>(answer);  // freed when this returns
    (*self)->post({}, {its.type, its.integer, its.str ? std::string(its.str, its.len) : ""});
  }
  /// The first result counts: a reply that comes after a cancellation is dropped here.
  void complete(Error error, Reply reply) {
    if (!waiting_) return;
    auto waiting = *std::exchange(waiting_, std::nullopt);
    asio::get_associated_cancellation_slot(waiting.handler).clear();
    std::move(waiting.handler)(error, std::move(reply));
  }

  using Executor = asio::associated_executor_t<Handler, asio::any_io_executor>;
  struct Waiting {
    Handler handler;
    asio::executor_work_guard<Executor> work;
  };

  const Executor executor_;
  std::optional<Waiting> waiting_;  // empty: it has its result
};
// [/query]

/// A connection to a Redis server. Made on the strand of its executor; from then on thread-safe.
/// Have SIGPIPE ignored: hiredis writes to a server that has gone.
class Client {
 public:
  /// Takes what redisAsyncConnectUnix() or redisAsyncConnect() has just returned. Throws
  /// system_error if that has failed already; otherwise the first operation says so.
  Client(asio::any_io_executor executor, redisAsyncContext* connecting)
      : executor_(std::move(executor)) {
    std::unique_ptr<redisAsyncContext, decltype(&redisAsyncFree)> context(connecting,
                                                                          &redisAsyncFree);
    if (!context) throw std::bad_alloc();
    if (context->err != 0)
      throw boost::system::system_error(Connection::error_of(*context), "redis");
    const auto connection = std::make_shared<Connection>(executor_, context->c.fd);
    connection->begin(context.release());
    connection_ = connection;
  }
  /// Commands without a reply end with `operation_aborted`.
  ~Client() {
    if (const auto connection = connection_.lock())
      asio::dispatch(connection->get_executor(), [connection] { connection->close(); });
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// An initiating function, `void(Error, Reply)`. A cancellation ends the wait, not
  /// the command: the server may carry it out all the same. What the server refuses is a reply,
  /// too. `invalid_argument` for no words, and for what has more than one reply: SUBSCRIBE,
  /// MONITOR.
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(Error, Reply))
                CompletionToken = asio::use_awaitable_t<>>
  auto async_query(Words command, CompletionToken&& completion_token = CompletionToken()) {
    const auto initiate = [this](auto handler, Words its_words) {
      using Handler = std::decay_t<decltype(handler)>;
      const auto query = std::make_shared<Query<Handler>>(std::move(handler), executor_);
      if (!has_one_reply(its_words)) return query->post(asio::error::invalid_argument, {});
      query->begin(connection_.lock(), std::move(its_words));
    };
    return asio::async_initiate<CompletionToken, void(Error, Reply)>(initiate, completion_token,
                                                                     std::move(command));
  }

 private:
  static bool has_one_reply(const Words& command) {
    if (command.empty()) return false;
    const auto name = boost::algorithm::to_lower_copy(command.front());
    return !name.ends_with("subscribe") && !name.ends_with("monitor");  // PSUBSCRIBE, PMONITOR, too
  }

  const asio::any_io_executor executor_;
  std::weak_ptr<Connection> connection_;
};

}  // namespace redis
