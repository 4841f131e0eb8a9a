// A client library in C that has threads of its own and can take a request back: what the page
// about C clients says of those, which hiredis (correct-example/c_client) is not.

#include "correct-example/tests/shutdown_reports.hpp"
#include "runtime_sharing/runtime_sharing.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using runtime_sharing::cancel_on;
using runtime_sharing::Runtime;

// ---- The library in C, as such libraries are: it calls back once, on a thread of its own, also
// after a cancellation; the request is the caller's until it is freed.

enum DbStatus { db_ok, db_cancelled };
using DbCallback = void (*)(void* user, DbStatus status, int rows);

struct DbRequest {
  DbCallback callback;
  void* user;
  std::atomic<bool> answered{false};
};

std::atomic<int> requests_alive{0};
std::atomic<DbRequest*> last_request{nullptr};
std::mutex threads_mutex;
std::vector<std::thread> threads;

void db_answer(DbRequest* request, DbStatus status, int rows) {
  if (request->answered.exchange(true)) return;
  const std::lock_guard lock(threads_mutex);
  threads.emplace_back([request, status, rows] { request->callback(request->user, status, rows); });
}
/// "slow" is never answered, unless it is cancelled.
DbRequest* db_query(const std::string& sql, DbCallback callback, void* user) {
  auto* const request = new DbRequest{callback, user};
  ++requests_alive;
  last_request = request;
  if (sql != "slow") db_answer(request, db_ok, 42);
  return request;
}
void db_cancel(DbRequest* request) {
  db_answer(request, db_cancelled, 0);
}
void db_free(DbRequest* request) {
  --requests_alive;
  delete request;
}

/// What is under way: kept by the C library's callback, then by the post of its result.
template <typename Handler, typename Executor>
struct Query {
  Query(Handler its_handler, const Executor& its_executor)
      : handler(std::move(its_handler)),
        executor(asio::prefer(its_executor, asio::execution::outstanding_work.tracked)) {}
  ~Query() {
    if (request != nullptr) db_free(request);
  }

  // [own-thread]
  /// On a thread of the C library: nothing but a post to where the handler belongs.
  static void called_back(void* user, DbStatus status, int rows) {
    std::unique_ptr<Query> self(static_cast<Query*>(user));
    const auto executor = self->executor;
    asio::post(executor, [self = std::move(self), status, rows]() mutable {
      Handler handler = std::move(self->handler);
      if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
        slot.clear();  // before the request goes
      self.reset();
      error_code error;
      if (status == db_cancelled) error = asio::error::operation_aborted;
      std::move(handler)(error, rows);
    });
  }
  // [/own-thread]

  Handler handler;
  std::decay_t<decltype(asio::prefer(std::declval<const Executor&>(),
                                     asio::execution::outstanding_work.tracked))>
      executor;
  DbRequest* request = nullptr;
};

/// An initiating function, `void(error_code, int rows)`. To be begun where its handler runs, as an
/// operation that a task awaits is.
template <typename CompletionToken>
auto async_query(std::string sql, CompletionToken&& completion_token) {
  const auto initiate = [](auto handler, const std::string& statement) {
    const auto executor = asio::get_associated_executor(handler);
    auto slot = asio::get_associated_cancellation_slot(handler);
    using Pending = Query<decltype(handler), std::decay_t<decltype(executor)>>;
    auto* const pending = new Pending(std::move(handler), executor);
    DbRequest* const request = db_query(statement, &Pending::called_back, pending);
    // The answer may be on its way; it is posted to this very strand, so it comes after this.
    pending->request = request;
    if (slot.is_connected())
      slot.assign([request](asio::cancellation_type) { db_cancel(request); });
  };
  return asio::async_initiate<CompletionToken, void(error_code, int)>(initiate, completion_token,
                                                                      std::move(sql));
}

void join_threads_of_the_library() {
  const std::lock_guard lock(threads_mutex);
  for (auto& thread : threads) thread.join();
  threads.clear();
}

TEST(CClient, AnswersTheTaskThatAwaitsIt) {
  const auto runtime = Runtime::start({.threads = 2});
  std::atomic<int> rows{0};
  runtime->spawn("reader", [&, token = runtime->token()]() -> asio::awaitable<void> {
    for (int i = 0; i < 100; ++i) rows += co_await async_query("quick", cancel_on(token));
  });

  EXPECT_TRUE(runtime->shutdown({60s, 0s, 0s}).graceful());
  join_threads_of_the_library();

  EXPECT_EQ(rows % 42, 0);
  EXPECT_EQ(requests_alive, 0);
}

TEST(CClient, IsCancelledByTheTokenWhereTheTaskRuns) {
  const auto runtime = Runtime::start({.threads = 2});
  std::latch asked{1};
  error_code ended_by;
  runtime->spawn("reader", [&, token = runtime->token()]() -> asio::awaitable<void> {
    asio::post(co_await asio::this_coro::executor, [&asked] { asked.count_down(); });
    const auto [error, rows] =
        co_await async_query("slow", cancel_on(token, asio::as_tuple(asio::use_awaitable)));
    ended_by = error;
  });
  asked.wait();

  const auto report = runtime->shutdown({60s, 0s, 0s});
  join_threads_of_the_library();

  EXPECT_TRUE(report.graceful());
  EXPECT_EQ(ended_by, asio::error::operation_aborted);
  EXPECT_EQ(requests_alive, 0);
}

TEST(CClient, IsInterruptedInATaskThatDoesNotListen) {
  const auto runtime = Runtime::start({.threads = 2});
  std::latch asked{1};
  runtime->spawn("deaf reader", [&]() -> asio::awaitable<void> {
    asio::post(co_await asio::this_coro::executor, [&asked] { asked.count_down(); });
    co_await async_query("slow", asio::use_awaitable);
  });
  asked.wait();

  const auto report = runtime->shutdown({0s, 60s, 0s});
  join_threads_of_the_library();

  EXPECT_THAT(report.stragglers,
              testing::ElementsAre(needing("deaf reader", runtime_sharing::Rung::interrupt)));
  EXPECT_EQ(report.failures_total, 0u);
  EXPECT_EQ(requests_alive, 0);
}

TEST(CClient, KeepsATaskThatNobodyCanCancelUntilItCallsBack) {
  const auto runtime = Runtime::start({.threads = 2});
  std::latch asked{1};
  const auto in_the_frame = std::make_shared<int>();
  runtime->spawn("reader", [&, kept = in_the_frame]() -> asio::awaitable<void> {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    asio::post(co_await asio::this_coro::executor, [&asked] { asked.count_down(); });
    co_await async_query("slow", asio::use_awaitable);
  });
  asked.wait();

  const auto report = runtime->shutdown({0s, 0s, 0s});
  EXPECT_THAT(report.stragglers,
              testing::ElementsAre(needing("reader", runtime_sharing::Rung::abandon)));
  EXPECT_EQ(report.threads_abandoned, 0u);
  EXPECT_EQ(in_the_frame.use_count(), 2);

  db_answer(last_request, db_ok, 1);
  join_threads_of_the_library();
  EXPECT_EQ(in_the_frame.use_count(), 1);
  EXPECT_EQ(requests_alive, 0);
}

}  // namespace
