// The library itself: a runtime, a scope with tracked and named tasks, and its token.

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/runtime.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include "benchmarks/program.hpp"

namespace bench {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using runtime_sharing::CancellationToken;
using runtime_sharing::Runtime;
using runtime_sharing::TaskScope;

class OurProgram final : public Program {
 public:
  OurProgram(const Work& work, Observer& observer) : work_(work), observer_(observer) {}
  ~OurProgram() override { runtime_->shutdown(); }

  void run_inside(std::function<void()> function) override {
    asio::post(runtime_->get_executor(), std::move(function));
  }

  void spawn(std::size_t index) override {
    auto name = "task-" + std::to_string(index);
    switch (work_.wait) {
      case Wait::none:
        scope_.spawn(std::move(name), []() -> asio::awaitable<void> { co_return; });
        break;
      case Wait::token:
        scope_.spawn(std::move(name), [this, index, token = token()] {
          return wait_for_cancellation(index, token);
        });
        break;
      case Wait::sleep:
        scope_.spawn(std::move(name),
                     [this, index, token = token()] { return sleep_for_an_hour(index, token); });
        break;
    }
  }

  void cancel() override { scope_.token().cancel(); }

  void wait() override {
    scope_.close();
    scope_.wait_until(Clock::now() + 1h);
  }

 private:
  CancellationToken token() const {
    return work_.child_tokens ? scope_.token().child_token() : scope_.token();
  }

  // The token lives in the callable, which lives as long as its task.
  asio::awaitable<void> wait_for_cancellation(std::size_t index, const CancellationToken& token) {
    observer_.parked();
    co_await token.cancelled();
    observer_.resumed(index);
  }

  asio::awaitable<void> sleep_for_an_hour(std::size_t index, const CancellationToken& token) {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    observer_.parked();
    co_await timer.async_wait(runtime_sharing::cancel_on(token, asio::as_tuple(asio::deferred)));
    observer_.resumed(index);
  }

  const Work work_;
  Observer& observer_;
  const std::shared_ptr<Runtime> runtime_ = Runtime::start({.threads = Work::threads});
  TaskScope scope_{"session", runtime_->scope()};
};

}  // namespace

ProgramPointer make_our_program(const Work& work, Observer& observer) {
  if (work.program != "ours") return nullptr;
  return std::make_unique<OurProgram>(work, observer);
}

}  // namespace bench
