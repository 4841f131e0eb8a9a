// perf_steps · fixed work on one thread, for an instruction counter
// Run       valgrind --tool=callgrind --collect-atstart=no --toggle-collect='*FixedWork::spawn*'
// perf_steps Expected  the numbers in perf_guard.json, which tools/perf_guard.py records and
// compares

#include "benchmarks/fixed_work.hpp"
#include <cstdlib>

int main() {
  bench::FixedWork work;
  work.spawn();
  work.wait();
  work.cancel_on();
  work.cancel();
  work.finish();
  return work.done() ? EXIT_SUCCESS : EXIT_FAILURE;
}
