// How often each step of a task's life asks for memory: by operator new, which this binary
// replaces, or past it, as Asio does for coroutine frames; the linker leads those calls here
// (--wrap). The numbers that must come out are in benchmarks/perf_guard.json: tools/perf_guard.py
// --record writes them there, after a look at whether they are what was wanted.

#include <boost/json/parse.hpp>
#include <boost/version.hpp>
#include <gtest/gtest.h>

#include "benchmarks/fixed_work.hpp"
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>
#include <sstream>

namespace {

std::atomic<int> allocations{0};

}  // namespace

extern "C" {
void* __real_malloc(std::size_t size);
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);

void* __wrap_malloc(std::size_t size) {
  ++allocations;
  return __real_malloc(size);
}
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __real_aligned_alloc(alignment, size);
}
}

// The array, nothrow and sized forms of the standard library call these.
void* operator new(std::size_t size) {
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace {

using bench::FixedWork;

/// The work, and what its steps before the one under test have done.
class Allocations : public testing::Test {
 protected:
  /// How often `step` allocates, for all tasks together.
  int count(void (FixedWork::*step)()) {
    const int before = allocations;
    (work_.*step)();
    return allocations - before;
  }

  /// Compares with the recorded number, and leaves what was counted in the test's output.
  static void expect_recorded(const char* step, int counted) {
    RecordProperty(step, counted);
    std::ifstream file(TEST_SOURCE_DIR "/benchmarks/perf_guard.json");
    std::stringstream text;
    text << file.rdbuf();
    const auto recorded = boost::json::parse(text.str());
    // How often Asio allocates is its own matter, from version to version.
    if (recorded.at("boost").as_string() != BOOST_LIB_VERSION) {
      GTEST_SKIP() << "recorded with Boost " << recorded.at("boost").as_string()
                   << ", this is a build with " << BOOST_LIB_VERSION
                   << ": Asio may allocate another number of times";
    }
    EXPECT_EQ(counted, recorded.at("allocations").at(step).as_int64())
        << "for " << FixedWork::tasks << " tasks. If that is wanted: tools/perf_guard.py --record";
  }

  FixedWork work_;
};

TEST_F(Allocations, OfSpawningAThousandTasksAreAsRecorded) {
  expect_recorded("spawn", count(&FixedWork::spawn));
}

TEST_F(Allocations, OfAThousandWaitsForCancellationAreAsRecorded) {
  work_.spawn();
  expect_recorded("wait", count(&FixedWork::wait));
}

TEST_F(Allocations, OfOneCancelThatWakesAThousandTasksAreAsRecorded) {
  work_.spawn();
  work_.wait();
  expect_recorded("cancel", count(&FixedWork::cancel));
}

TEST_F(Allocations, OfAThousandTasksThatEndAreAsRecorded) {
  work_.spawn();
  work_.wait();
  work_.cancel();
  expect_recorded("finish", count(&FixedWork::finish));
}

TEST_F(Allocations, OfAThousandStepsBoundToATokenAreAsRecorded) {
  expect_recorded("cancel_on", count(&FixedWork::cancel_on));
}

}  // namespace
