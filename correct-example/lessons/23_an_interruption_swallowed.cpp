// 23 an interruption swallowed · an error of an item is caught, an interruption is none
// Group     Threads that stand still
// Symptom   "I interrupted it, and it went on"
// Expected  items_after_interruption 0 · items_failed 1 · ended_by the interruption
// Why       boost::thread_interrupted is no std::exception: whoever handles errors lets it pass.
#include <boost/thread/thread.hpp>

#include <exception>
#include <iostream>
#include <latch>
#include <stdexcept>
#include <string>

struct Worker {
  // [work]
  void work() {
    for (int item = 0; item < 5; ++item) {
      try {
        handle(item);
        ++done;
      } catch (const std::exception&) {  // a bad item must not end the others
        ++failed;
      }
    }
  }
  // [/work]
  void handle(int item) {
    if (item == 1) throw std::runtime_error("a bad item");
    if (item == 2) {
      under_way.count_down();
      interrupted.wait();
    }
    boost::this_thread::interruption_point();  // so is each wait of Boost.Thread
  }
  void run() {
    try {
      work();
      ended_by = "the end of the list";
    } catch (const boost::thread_interrupted&) {
      ended_by = "the interruption";
    }
  }
  int done = 0, failed = 0;
  std::string ended_by = "nothing";
  std::latch under_way{1}, interrupted{1};  // the worker is in an item; it has been interrupted
};

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Worker worker;
  boost::thread thread([&] { worker.run(); });
  worker.under_way.wait();
  const int done_before = worker.done;
  thread.interrupt();
  worker.interrupted.count_down();
  thread.join();
  show("items_after_interruption", worker.done - done_before);
  show("items_failed", worker.failed);
  show("ended_by", worker.ended_by);
}
