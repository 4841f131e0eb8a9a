#include "scenario/machine_sample.hpp"

#include <cerrno>
#include <chrono>
#include <fstream>
#include <limits>
#include <locale>
#include <stdlib.h>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

namespace scenario {

namespace {

std::int64_t microseconds_since_epoch() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

[[noreturn]] void throw_unreadable(const std::string& what) {
  throw std::system_error(std::make_error_code(std::errc::io_error), "cannot read " + what);
}

#if defined(__linux__)

std::ifstream open(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw_unreadable(path);
  file.imbue(std::locale::classic());
  return file;
}

double load() {
  auto file = open("/proc/loadavg");
  double one_minute = 0;
  if (!(file >> one_minute)) throw_unreadable("/proc/loadavg");
  return one_minute;
}

std::int64_t memory_available_kib() {
  auto file = open("/proc/meminfo");
  std::string key;
  std::int64_t kib = 0;
  while (file >> key >> kib) {
    if (key == "MemAvailable:") return kib;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  throw_unreadable("MemAvailable in /proc/meminfo");
}

std::int64_t resident_kib() {
  auto file = open("/proc/self/statm");
  std::int64_t total_pages = 0;
  std::int64_t resident_pages = 0;
  if (!(file >> total_pages >> resident_pages)) throw_unreadable("/proc/self/statm");
  return resident_pages * (sysconf(_SC_PAGESIZE) / 1024);
}

#else

double load() {
  double one_minute = 0;
  if (getloadavg(&one_minute, 1) != 1) throw_unreadable("the load average");
  return one_minute;
}

std::int64_t memory_available_kib() {
  return 0;
}

std::int64_t resident_kib() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) throw_unreadable("the resource usage");
#if defined(__APPLE__)
  return usage.ru_maxrss / 1024;  // bytes there, KiB elsewhere
#else
  return usage.ru_maxrss;
#endif
}

#endif

}  // namespace

Sample sample_machine() {
  Sample sample;
  sample.taken_at_us = microseconds_since_epoch();
  sample.load = load();
  sample.memory_available_kib = memory_available_kib();
  sample.resident_kib = resident_kib();
  return sample;
}

}  // namespace scenario
