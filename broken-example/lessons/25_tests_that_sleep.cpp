// 25 tests that sleep · the test waits for a time, and looks
// Group     The runtime, its start and its end
// Symptom   "the test passes here and fails in CI"
// Expected  rows_seen 0 · test failed · rows_at_the_end 1
// Why       How long another thread takes is no property of the program: it depends on the machine.
#include <boost/asio.hpp>

#include <atomic>
#include <chrono>
#include <iostream>
#include <latch>
#include <thread>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// [store]
struct Store {
  void save_row() {
    asio::post(worker, [this] {
      turn.wait();
      ++rows;
    });
  }
  std::atomic<int> rows = 0;
  std::latch turn{1};  // a busy machine: the worker's turn comes when the test has looked, or waits
  asio::thread_pool worker{1};
};
// [/store]

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Store store;
  // [test]
  store.save_row();
  std::this_thread::sleep_for(1ms);  // surely long enough
  const int rows = store.rows;
  store.turn.count_down();  // the test has looked
  // [/test]
  show("rows_seen", rows);
  show("test", rows == 1 ? "passed" : "failed");
  store.worker.join();
  show("rows_at_the_end", store.rows.load());
}
