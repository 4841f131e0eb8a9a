#pragma once

#include <cstdint>

namespace scenario {

/// Real values of this machine at one moment, as the time-series worker collects them.
struct Sample {
  std::int64_t taken_at_us = 0;  ///< microseconds since the Unix epoch
  double load = 0;               ///< runnable processes, one-minute average
  std::int64_t memory_available_kib = 0;
  std::int64_t resident_kib = 0;  ///< of this process
};

/// Linux: /proc/loadavg, /proc/meminfo and /proc/self/statm. Other POSIX systems: getloadavg()
/// and getrusage(), with memory_available_kib left at 0. Throws std::system_error if unreadable.
Sample sample_machine();

}  // namespace scenario
