// Raw Boost.Asio in the forms that its documentation leads to. Every task is counted, none is
// named. All wait on a timer: Asio itself has no wait for cancellation.
//
//   asio-signal         a strand and a cancellation_signal each; emitted by a post to each strand
//   asio-signal-inside  the same, with the posts made by one of the pool's threads
//   asio-or             a strand each; `sleep || told`, the second a timer that is cancelled
//   asio-stop-callback  a strand each; a std::stop_callback posts the timer's cancellation
//   asio-one-strand     one strand for all, a cancellation_signal each; one post emits them all
//   asio-post           no coroutine at all, only for tasks that end at once
//   threads             two threads that run nothing: what a restart cannot be cheaper than

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "benchmarks/program.hpp"
#include <atomic>
#include <exception>
#include <semaphore>
#include <stop_token>
#include <thread>
#include <vector>

namespace bench {
namespace {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;
using Executor = asio::thread_pool::executor_type;
using Strand = asio::strand<Executor>;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// The pool, and the counter of the tasks that have not ended.
class AsioProgram : public Program {
 public:
  AsioProgram(const Work& work, Observer& observer) : work_(work), observer_(observer) {}

  void run_inside(std::function<void()> function) override {
    asio::post(pool_, std::move(function));
  }
  void wait() override {
    all_ended_.acquire();
    pool_.join();
  }

 protected:
  /// The completion handler of each task.
  auto count() {
    return [this](const std::exception_ptr&) { ended(); };
  }
  void ended() {
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) all_ended_.release();
  }

  asio::awaitable<void> finish_at_once() { co_return; }

  asio::awaitable<void> sleep_for_an_hour(std::size_t index) {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    observer_.parked();
    co_await timer.async_wait(as_result);
    observer_.resumed(index);
  }

  const Work work_;
  Observer& observer_;
  std::atomic<std::size_t> unfinished_{work_.tasks};
  std::binary_semaphore all_ended_{0};
  asio::thread_pool pool_{Work::threads};  // before it dies, nothing of the above may
};

/// asio-signal, asio-signal-inside
class SignalEach final : public AsioProgram {
 public:
  SignalEach(const Work& work, Observer& observer)
      : AsioProgram(work, observer), emit_inside_(work.program == "asio-signal-inside") {}

  void spawn(std::size_t index) override {
    if (work_.wait == Wait::none) return asio::co_spawn(pool_, finish_at_once(), count());
    auto& task = *(tasks_[index] = std::make_unique<Task>(pool_.get_executor()));
    asio::co_spawn(task.strand, sleep_for_an_hour(index),
                   asio::bind_cancellation_slot(task.signal.slot(), count()));
  }

  void cancel() override {
    if (!emit_inside_) return emit_all();
    asio::post(pool_, [this] { emit_all(); });
  }

 private:
  struct Task {
    explicit Task(const Executor& executor) : strand(executor) {}
    Strand strand;
    asio::cancellation_signal signal;  // belongs to the strand
  };

  void emit_all() {
    for (const auto& task : tasks_) {
      asio::post(task->strand,
                 [&task = *task] { task.signal.emit(asio::cancellation_type::terminal); });
    }
  }

  const bool emit_inside_;
  std::vector<std::unique_ptr<Task>> tasks_{work_.tasks};
};

/// asio-or
class TimerOrTimer final : public AsioProgram {
 public:
  using AsioProgram::AsioProgram;

  void spawn(std::size_t index) override {
    auto& task = *(tasks_[index] = std::make_unique<Task>(pool_.get_executor()));
    asio::co_spawn(task.strand, sleep_or_told(index, task), count());
  }

  void cancel() override {
    for (const auto& task : tasks_) {
      asio::post(task->strand, [&task = *task] { task.told.expires_at(Clock::time_point::min()); });
    }
  }

 private:
  struct Task {
    explicit Task(const Executor& executor)
        : strand(executor), told(strand, Clock::time_point::max()) {}
    Strand strand;
    asio::steady_timer told;  // belongs to the strand
  };

  asio::awaitable<void> sleep_or_told(std::size_t index, Task& task) {
    asio::steady_timer sleep(co_await asio::this_coro::executor, 1h);
    observer_.parked();
    co_await (sleep.async_wait(as_result) || task.told.async_wait(as_result));
    observer_.resumed(index);
  }

  std::vector<std::unique_ptr<Task>> tasks_{work_.tasks};
};

/// asio-stop-callback
class StopCallback final : public AsioProgram {
 public:
  using AsioProgram::AsioProgram;

  void spawn(std::size_t index) override {
    const Strand strand(pool_.get_executor());
    asio::co_spawn(strand, wait_for_stop(index, strand), count());
  }

  void cancel() override { source_.request_stop(); }

 private:
  asio::awaitable<void> wait_for_stop(std::size_t index, Strand strand) {
    const auto timer = std::make_shared<asio::steady_timer>(strand, 1h);
    const std::stop_callback callback(
        source_.get_token(), [timer, strand] { asio::post(strand, [timer] { timer->cancel(); }); });
    observer_.parked();
    co_await timer->async_wait(as_result);
    observer_.resumed(index);
  }

  std::stop_source source_;
};

/// asio-one-strand
class OneStrand final : public AsioProgram {
 public:
  using AsioProgram::AsioProgram;

  void spawn(std::size_t index) override {
    auto& signal = *(signals_[index] = std::make_unique<asio::cancellation_signal>());
    asio::co_spawn(strand_, sleep_for_an_hour(index),
                   asio::bind_cancellation_slot(signal.slot(), count()));
  }

  void cancel() override {
    asio::post(strand_, [this] {
      for (const auto& signal : signals_) signal->emit(asio::cancellation_type::terminal);
    });
  }

 private:
  const Strand strand_{pool_.get_executor()};
  std::vector<std::unique_ptr<asio::cancellation_signal>> signals_{work_.tasks};
};

/// asio-post
class PostOnly final : public AsioProgram {
 public:
  using AsioProgram::AsioProgram;

  void spawn(std::size_t) override {
    asio::post(pool_, [this] { ended(); });
  }
  void cancel() override {}
};

/// threads
class ThreadsOnly final : public Program {
 public:
  explicit ThreadsOnly(Observer& observer) : observer_(observer) {}

  void run_inside(std::function<void()> function) override { function(); }
  void spawn(std::size_t) override { observer_.parked(); }
  void cancel() override {}
  void wait() override {}

 private:
  Observer& observer_;
  std::jthread first_{[] {}};
  std::jthread second_{[] {}};
};

}  // namespace

ProgramPointer make_asio_program(const Work& work, Observer& observer) {
  const auto& name = work.program;
  if (name == "asio-signal" || name == "asio-signal-inside") {
    return std::make_unique<SignalEach>(work, observer);
  }
  if (name == "asio-or") return std::make_unique<TimerOrTimer>(work, observer);
  if (name == "asio-stop-callback") return std::make_unique<StopCallback>(work, observer);
  if (name == "asio-one-strand") return std::make_unique<OneStrand>(work, observer);
  if (name == "asio-post") return std::make_unique<PostOnly>(work, observer);
  if (name == "threads") return std::make_unique<ThreadsOnly>(observer);
  return nullptr;
}

}  // namespace bench
