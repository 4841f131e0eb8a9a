// 24 a long chain ends · each job owns the one before it
// Group     What must outlive what
// Symptom   "it crashes when the last of a long chain goes"
// Expected  jobs_done 5000 · jobs_kept 5000 · jobs_left 0 · stack_bytes at least 80000
// Why       Each destructor runs inside that of the next job: the stack bounds the chain's length.
#include <boost/asio.hpp>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <limits>
#include <memory>
#include <utility>

namespace asio = boost::asio;

struct Destructors {
  void seen(const void* frame) {
    lowest = std::min(lowest, reinterpret_cast<std::uintptr_t>(frame));
    highest = std::max(highest, reinterpret_cast<std::uintptr_t>(frame));
    ++run;
  }
  std::uintptr_t lowest = std::numeric_limits<std::uintptr_t>::max(), highest = 0;
  int run = 0;
};

// [job]
struct Job {
  ~Job() { destructors.seen(__builtin_frame_address(0)); }
  Destructors& destructors;
  std::shared_ptr<Job> before;  // whoever holds a job can cancel all that leads to it
};
// [/job]

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Destructors destructors;
  asio::io_context context;
  int jobs_done = 0;
  std::shared_ptr<Job> last;
  for (int i = 0; i < 5000; ++i) {
    last = std::make_shared<Job>(destructors, std::move(last));
    asio::post(context, [&jobs_done, job = last] { ++jobs_done; });
  }
  context.poll();
  show("jobs_done", jobs_done);
  show("jobs_kept", jobs_done - destructors.run);
  last.reset();
  show("jobs_left", jobs_done - destructors.run);
  show("stack_bytes", destructors.highest - destructors.lowest);
}
