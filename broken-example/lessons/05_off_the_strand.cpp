// 05 off the strand · the cancellation is emitted by whoever wants it, on his own thread
// Group     What must outlive what
// Symptom   "crashes once a week"
// Expected  emit_ran_on_strand no · strand_busy_meanwhile yes · wait_ended operation_aborted
// Report    ThreadSanitizer: data race
// Why       `emit` runs inline, on the thread that calls it, and changes what the strand's handler
//           works on at the same moment: a strand protects only what goes through it.
#include <boost/asio.hpp>

#include <atomic>
#include <future>
#include <iostream>
#include <thread>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Strand = asio::strand<asio::thread_pool::executor_type>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Strand>;

// The flags put the two threads in order by time, as a clock would. With ThreadSanitizer they do no
// more than that; otherwise they also order memory, so that no undefined step is taken.
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
constexpr auto order = std::memory_order_relaxed;
#else
constexpr auto order = std::memory_order_seq_cst;
#endif

struct Flag {
  void raise() { up.store(true, order); }
  void await() const {
    while (!up.load(order)) std::this_thread::yield();
  }
  std::atomic<bool> up = false;
};

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  asio::thread_pool pool(1);
  const Strand strand = asio::make_strand(pool);
  Timer timer(strand, 1h);
  asio::cancellation_signal signal;
  std::promise<boost::system::error_code> ended;
  Flag waiting, asked;
  std::atomic<bool> strand_busy = false;

  // [handler]
  asio::post(strand, [&] {
    strand_busy.store(true, order);
    timer.async_wait(asio::bind_cancellation_slot(
        signal.slot(), [&](boost::system::error_code error) { ended.set_value(error); }));
    waiting.raise();
    asked.await();  // the handler is still at work while somebody cancels
    strand_busy.store(false, order);
  });
  // [/handler]

  std::promise<std::pair<bool, bool>> emitted;
  const auto emit = [&] {
    emitted.set_value({strand.running_in_this_thread(), strand_busy.load(order)});
    signal.emit(asio::cancellation_type::terminal);
  };
  waiting.await();
  // [emit]
  emit();
  // [/emit]
  asked.raise();

  const auto [on_strand, busy] = emitted.get_future().get();
  show("emit_ran_on_strand", on_strand ? "yes" : "no");
  show("strand_busy_meanwhile", busy ? "yes" : "no");
  const bool aborted = ended.get_future().get() == asio::error::operation_aborted;
  show("wait_ended", aborted ? "operation_aborted" : "otherwise");
  pool.join();
}
