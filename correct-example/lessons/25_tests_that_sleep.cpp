// 25 tests that sleep · the test waits for the event itself
// Group     The runtime, its start and its end
// Symptom   "the test passes here and fails in CI"
// Expected  rows_seen 1 · test passed · rows_at_the_end 1
// Why       What waits for the event takes as long as that takes, on any machine.
#include <boost/asio.hpp>

#include <atomic>
#include <iostream>
#include <latch>

namespace asio = boost::asio;

// [store]
struct Store {
  void save_row() {
    asio::post(worker, [this] {
      turn.wait();
      ++rows;
      saved.count_down();
    });
  }
  std::atomic<int> rows = 0;
  std::latch turn{1};  // a busy machine: the worker's turn comes when the test has looked, or waits
  std::latch saved{1};
  asio::thread_pool worker{1};
};
// [/store]

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Store store;
  // [test]
  store.save_row();
  store.turn.count_down();  // from here on the test waits
  store.saved.wait();       // however long it takes
  const int rows = store.rows;
  // [/test]
  show("rows_seen", rows);
  show("test", rows == 1 ? "passed" : "failed");
  store.worker.join();
  show("rows_at_the_end", store.rows.load());
}
