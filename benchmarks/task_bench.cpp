// task_bench · one process, one program, one number of tasks; prints one line of JSON
// Run       task_bench work=park program=ours tasks=100000 wait=token spawn=inside token=child
// Works     park: spawn, wait until all are parked, cancel, wait for all   (A)
//           finish: spawn tasks that end at once, wait for all             (B)
//           restart: two threads, 100 parked tasks, cancel, wait, join     (D)
//           fairness: turns of others before one from outside has its first
//           logout: the same as park, from a window's event loop           (the window's freeze)
// Programs  program_ours.cpp, program_asio.cpp, program_broken.cpp; tokio/ has the same works
// Why       docs/benchmarks.md

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "benchmarks/fairness.hpp"
#include "benchmarks/logout.hpp"
#include "benchmarks/program.hpp"
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <ratio>
#include <semaphore>
#include <stdexcept>
#include <unistd.h>
#include <vector>

namespace bench {

ProgramPointer make_program(const Work& work, Observer& observer) {
  if (auto program = make_our_program(work, observer)) return program;
  if (auto program = make_asio_program(work, observer)) return program;
  if (auto program = make_broken_program(work, observer)) return program;
  throw std::invalid_argument("no program '" + work.program + "'");
}

namespace {

using boost::json::object;

template <typename Unit>
double in(Clock::duration time) {
  return std::chrono::duration<double, Unit>(time).count();
}

/// Nanoseconds for each task.
double each(Clock::duration time, const Work& work) {
  return in<std::nano>(time) / static_cast<double>(work.tasks);
}

/// What the process occupies, as the system counts it: the same for every allocator and language.
double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double total_pages = 0;
  double resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// All tasks, by the main thread or by two functions inside the pool; returns after the last.
void spawn_all(Program& program, const Work& work) {
  if (!work.inside) {
    for (std::size_t i = 0; i < work.tasks; ++i) program.spawn(i);
    return;
  }
  std::counting_semaphore<> spawned(0);
  const auto half = work.tasks / 2;
  const auto spawn_range = [&](std::size_t first, std::size_t end) {
    program.run_inside([&, first, end] {
      for (std::size_t i = first; i < end; ++i) program.spawn(i);
      spawned.release();
    });
  };
  spawn_range(0, half);
  spawn_range(half, work.tasks);
  spawned.acquire();
  spawned.acquire();
}

object park(const Work& work) {
  Observer observer(work.tasks);
  auto program = make_program(work, observer);
  const double bytes_before = resident_bytes();

  const auto begun = Clock::now();
  spawn_all(*program, work);
  const auto spawned = Clock::now();
  observer.wait_until_all_are_parked();
  const auto parked = Clock::now();
  const double bytes = resident_bytes() - bytes_before;
  object facts{{"spawn_ns", each(parked - begun, work)},
               {"spawn_call_ns", each(spawned - begun, work)},
               {"bytes", bytes / static_cast<double>(work.tasks)}};
  if (!program->can_cancel()) {
    // Its threads run on, which is what is wrong with it.
    [[maybe_unused]] const auto* left_behind = program.release();
    return facts;
  }

  const auto told = Clock::now();
  program->cancel();
  const auto returned = Clock::now();
  program->wait();
  const auto ended = Clock::now();
  facts["cancel_call_ms"] = in<std::milli>(returned - told);
  facts["cancel_ns"] = each(ended - told, work);
  if (observer.anyone_resumed()) {
    facts["first_resumed_us"] = in<std::micro>(observer.first_resumed() - told);
    facts["last_resumed_us"] = in<std::micro>(observer.last_resumed() - told);
  }
  return facts;
}

object finish(const Work& work) {
  Observer observer(work.tasks);
  const auto program = make_program(work, observer);
  const auto begun = Clock::now();
  spawn_all(*program, work);
  program->wait();
  return {{"finish_ns", each(Clock::now() - begun, work)}};
}

object restart(const Work& work) {
  std::vector<double> took;
  for (int i = 0; i < Work::restarts; ++i) {
    Observer observer(work.tasks);
    const auto begun = Clock::now();
    auto program = make_program(work, observer);
    spawn_all(*program, work);
    observer.wait_until_all_are_parked();
    program->cancel();
    program->wait();
    program.reset();
    took.push_back(in<std::micro>(Clock::now() - begun));
  }
  std::ranges::sort(took);
  return {{"restart_us", took[took.size() / 2]}};
}

object measure(const Work& work) {
  if (work.work == "park") return park(work);
  if (work.work == "finish") return finish(work);
  if (work.work == "restart") return restart(work);
  if (work.work == "fairness") return fairness(work);
  if (work.work == "logout") return logout(work);
  throw std::invalid_argument("no work '" + work.work + "'");
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) try {
  const auto work = bench::read_work(argc, argv);
  boost::json::object line{{"work", work.work},
                           {"program", work.program},
                           {"tasks", work.tasks},
                           {"spawn", work.inside ? "inside" : "outside"},
                           {"token", work.child_tokens ? "child" : "shared"},
                           {"allocator", work.allocator}};
  for (auto& [key, value] : bench::measure(work)) line[key] = std::move(value);
  std::cout << boost::json::serialize(line) << '\n' << std::flush;
  std::_Exit(EXIT_SUCCESS);  // a program that nobody can end has threads that still run
} catch (const std::exception& error) {
  std::cerr << "task_bench: " << error.what() << '\n';
  return 2;
}
