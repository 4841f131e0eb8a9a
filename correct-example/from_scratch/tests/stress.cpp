// The last step, under a race: threads and tasks spawn while logout closes the door. Every task
// that was accepted has ended, or is named. A seed decides, and counts do; no clock does.
//
// step_stress [SEED]; without one it takes one of its own and prints it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wreturn-type"  // only main may end without one
#define main main_of_the_step
#include "../5_restart.cpp"  // NOLINT(bugprone-suspicious-include): the step is one file
#undef main
#pragma GCC diagnostic pop

#include <atomic>
#include <charconv>
#include <random>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr int rounds = 160;
constexpr int deaf_each = 100;  // rounds: one with deaf tasks takes the whole of its deadline
constexpr int spawners = 3;
constexpr int spawns_of_each = 80;

struct Accepted {
  std::atomic<int> tasks = 0, samples = 0, deaf = 0;
  std::atomic<int> spawners_arrived = 0, spawners_refused = 0;  // each by its last spawn
};

bool spawn_sample(const Owner& runtime, Accepted& accepted) {
  if (!runtime->spawn("sample", sample(runtime))) return false;
  ++accepted.samples;
  ++accepted.tasks;
  return true;
}

// Spawns on a thread of the pool, where co_spawn would begin a task at once: also one that spawns.
asio::awaitable<void> spawn_inside(Owner runtime, Accepted& accepted, int depth) {
  spawn_sample(runtime, accepted);
  if (depth > 0 && runtime->spawn("inside", spawn_inside(runtime, accepted, depth - 1))) {
    ++accepted.tasks;
  }
  co_return;
}

void spawn_until_refused(const Owner& runtime, Accepted& accepted, unsigned seed, bool with_deaf) {
  std::mt19937 random(seed);
  ++accepted.spawners_arrived;
  for (int i = 0; i < spawns_of_each; ++i) {
    if (random() % 4 == 0) std::this_thread::yield();
    const auto kind = random() % 8;
    bool is_open = true;
    if (kind < 4) {
      is_open = spawn_sample(runtime, accepted);
    } else if (kind < 6) {
      is_open = runtime->spawn("inside", spawn_inside(runtime, accepted, 2));
      accepted.tasks += is_open;
    } else if (kind == 6 && with_deaf) {
      is_open = runtime->spawn("deaf", deaf(runtime));
      accepted.deaf += is_open;
      accepted.tasks += is_open;
    } else {
      is_open = runtime->spawn("receive", receive(runtime));
      accepted.tasks += is_open;
    }
    if (!is_open) {
      ++accepted.spawners_refused;
      return;
    }
  }
}

int tasks = 0, refused = 0, stored = 0, named = 0, wrong = 0;

void expect(bool is_so, std::string_view what) {
  if (is_so) return;
  std::cout << "wrong " << what << '\n';
  ++wrong;
}

// When the door closes: after some tasks, or with all spawners before it and nobody inside.
enum class Closing { after_some, before_all };

void play(std::mt19937& random, Closing closing, bool with_deaf) {
  Owner slot = std::make_shared<Runtime>();
  const Owner runtime = slot;
  Accepted accepted;
  Lock lock(runtime->mutex, std::defer_lock);
  if (closing == Closing::before_all) lock.lock();
  std::vector<std::jthread> threads;
  for (int i = 0; i < spawners; ++i) {
    threads.emplace_back([&, seed = static_cast<unsigned>(random())] {
      spawn_until_refused(runtime, accepted, seed, with_deaf);
    });
  }
  if (closing == Closing::before_all) {
    while (accepted.spawners_arrived < spawners) std::this_thread::yield();
    for (auto turns = random() % 16; turns > 0; --turns) std::this_thread::yield();
  } else {
    const int logout_after = static_cast<int>(random() % (spawners * spawns_of_each));
    while (accepted.tasks < logout_after) std::this_thread::yield();
    lock.lock();
  }
  logout(slot, lock);
  lock.unlock();
  threads.clear();

  const auto named_as = [&](const char* name) {
    return static_cast<int>(runtime->stragglers.count(name));
  };
  expect(runtime->stored + named_as("sample") == accepted.samples,
         "a sample was neither stored nor named");
  expect(named_as("deaf") == accepted.deaf, "a deaf task was not named");
  expect(runtime->running.empty(), "a task is running after logout");
  expect(!slot && !runtime->engine, "logout left something in the slot, or the threads");
  expect(!runtime->spawn("late", sample(runtime)), "a late task was accepted");
  expect(runtime.use_count() == 1, "a frame is left that owns the runtime");
  tasks += accepted.tasks;
  refused += accepted.spawners_refused;
  stored += runtime->stored;
  named += static_cast<int>(runtime->stragglers.size());
}

}  // namespace

int main(int count, char* arguments[]) {
  unsigned seed = std::random_device{}();
  if (count > 1) {
    const std::string_view text = arguments[1];
    const auto [end, error] = std::from_chars(text.begin(), text.end(), seed);
    if (count > 2 || error != std::errc{} || end != text.end()) {
      std::cerr << "step_stress: '" << text << "': give one seed, a whole number, or nothing\n";
      return 2;
    }
  }
  std::cout << "seed " << seed << '\n' << std::flush;
  std::mt19937 random(seed);
  for (int round = 0; round < rounds; ++round) {
    play(random, round % 4 == 0 ? Closing::before_all : Closing::after_some,
         round % deaf_each == 1);
  }
  expect(refused > 0, "no spawner met the closed door: there was no race");
  std::cout << "tasks " << tasks << "\nrefused_spawners " << refused << "\nsamples_stored "
            << stored << "\nnamed " << named << "\nwrong " << wrong << '\n';
  return wrong == 0 ? 0 : 1;
}
