#include "lock_each_time.hpp"

#include <boost/thread/lock_guard.hpp>

#include "client.hpp"
#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cmath>

namespace mutex_problem {
namespace {

constexpr int rounds = 9;
constexpr int uses_a_round = 20'000;

/// What a use needs of the runtime; volatile, or the compiler would leave the use out.
void use(Runtime& runtime) {
  [[maybe_unused]] const volatile bool here = runtime.get_executor().running_in_this_thread();
}

/// Each user takes its own time: whoever only waits for them may be late himself.
template <typename Use>
double ns_per_use(int threads, Use use_once) {
  using Clock = std::chrono::steady_clock;
  std::barrier together(threads);
  std::atomic<Clock::rep> took{0};
  std::vector<boost::thread> users;
  for (int i = 0; i < threads; ++i) {
    users.emplace_back([&] {
      together.arrive_and_wait();
      const auto begun = Clock::now();
      for (int n = 0; n < uses_a_round; ++n) use_once();
      took += (Clock::now() - begun).count();
    });
  }
  for (auto& user : users) user.join();
  const std::chrono::duration<double, std::nano> all_users = Clock::duration(took);
  return all_users.count() / threads / uses_a_round;
}

double median(std::array<double, rounds> values) {
  std::ranges::nth_element(values, values.begin() + rounds / 2);
  return std::round(values[rounds / 2] * 10) / 10;
}

}  // namespace

boost::json::object cost_of_a_use(scenario::Surroundings& surroundings, app::Client& client) {
  const auto shared = std::make_shared<Runtime>(1, surroundings.threads);
  GuardedRuntime& guarded = client.shared();
  const auto locked = [&] {
    const boost::lock_guard<ObservedMutex> guard(guarded.mutex);
    if (guarded.runtime) use(*guarded.runtime);
  };
  const auto copied = [&] {
    const auto copy = shared;
    use(*copy);
  };

  boost::json::object facts;
  for (const int threads : {1, 2}) {
    std::array<double, rounds> with_lock{};
    std::array<double, rounds> with_copy{};
    for (int round = 0; round < rounds; ++round) {
      with_lock[round] = ns_per_use(threads, locked);
      with_copy[round] = ns_per_use(threads, copied);
    }
    const std::string suffix = threads == 1 ? "_alone_ns" : "_contended_ns";
    facts["lock_use_unlock" + suffix] = median(with_lock);
    facts["copy_shared_ptr" + suffix] = median(with_copy);
  }
  return facts;
}

}  // namespace mutex_problem
