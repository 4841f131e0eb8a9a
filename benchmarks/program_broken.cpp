// The two broken approaches, as far as they can do the work.
//
//   arc     the tasks share the runtime by shared_ptr: nobody can tell them to end, so only the
//           spawning is measured
//   mutex   one owner behind a lock: each spawn locks; logout takes the runtime out and destroys
//           it, and the tasks with it, where they stand

#include "broken-example/arc_problem/runtime.hpp"
#include "broken-example/mutex_problem/runtime.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "benchmarks/program.hpp"
#include <atomic>
#include <semaphore>
#include <thread>

namespace bench {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

class BrokenProgram : public Program {
 public:
  BrokenProgram(const Work& work, Observer& observer) : work_(work), observer_(observer) {}

 protected:
  /// What a task's frame holds is given by value.
  template <typename Held>
  asio::awaitable<void> run_task(Held) {
    if (work_.wait == Wait::none) {
      if (unfinished_.fetch_sub(1) == 1) all_ended_.release();
      co_return;
    }
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    observer_.parked();
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }

  const Work work_;
  Observer& observer_;
  std::atomic<std::size_t> unfinished_{work_.tasks};
  std::binary_semaphore all_ended_{0};
  scenario::ThreadCensus threads_;
};

class Arc final : public BrokenProgram {
 public:
  using BrokenProgram::BrokenProgram;
  using Runtime = arc_problem::Runtime;

  bool can_cancel() const override { return work_.wait == Wait::none; }
  void run_inside(std::function<void()> function) override {
    asio::post(runtime_->get_executor(), std::move(function));
  }
  void spawn(std::size_t) override {
    asio::co_spawn(runtime_->get_executor(), run_task(runtime_), asio::detached);
  }
  void cancel() override {}
  void wait() override {
    all_ended_.acquire();
    // The last owner must not be a task: ~Runtime would run on one of its own threads.
    while (runtime_.use_count() > 1) std::this_thread::yield();
  }

 private:
  std::shared_ptr<Runtime> runtime_ = std::make_shared<Runtime>(Work::threads, threads_);
};

class Mutex final : public BrokenProgram {
 public:
  Mutex(const Work& work, Observer& observer) : BrokenProgram(work, observer) {
    shared_.runtime.emplace(Work::threads, threads_);
  }

  void run_inside(std::function<void()> function) override {
    asio::post(shared_.runtime->get_executor(), std::move(function));
  }
  void spawn(std::size_t) override {
    const boost::lock_guard<mutex_problem::ObservedMutex> guard(shared_.mutex);
    if (!shared_.runtime) return;
    asio::co_spawn(shared_.runtime->get_executor(), run_task(nullptr), asio::detached);
  }
  void cancel() override { taken_.emplace(std::move(*shared_.take())); }
  void wait() override {
    if (work_.wait == Wait::none) all_ended_.acquire();
    taken_.reset();
  }

 private:
  mutex_problem::GuardedRuntime shared_;
  std::optional<mutex_problem::Runtime> taken_;  // on its way out
};

}  // namespace

ProgramPointer make_broken_program(const Work& work, Observer& observer) {
  if (work.program == "arc") return std::make_unique<Arc>(work, observer);
  if (work.program == "mutex") return std::make_unique<Mutex>(work, observer);
  return nullptr;
}

}  // namespace bench
