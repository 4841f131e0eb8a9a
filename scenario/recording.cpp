#include "scenario/recording.hpp"

#include <boost/json/serialize.hpp>
#include <spdlog/fmt/fmt.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <mutex>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace scenario::recording {
namespace {

// They stay open: threads that are left behind may have something to tell until the process ends.
int events_file = -1;
int count_file = -1;  // the same file, for its first line

std::int64_t most_here = most_events;
std::atomic<std::int64_t> events{0};
std::atomic<int> threads{0};

std::mutex dropped_mutex;
std::int64_t dropped = 0;  // guarded by dropped_mutex, like the next one
int reason = 0;            // the system's, if it was that

/// The task that a thread runs.
struct Running {
  const void* task;
  std::string name;
};

struct Thread {
  const int number = ++threads;
  std::string name = {};
  std::vector<Running> running = {};  // turns nest, by dispatch: the innermost comes last
  std::string_view waits_for = {};    // what the innermost will be suspended for
};

Thread& this_thread() {
  static thread_local Thread thread;
  return thread;
}

/// The first line of the raw file, of a constant length: a killed child leaves the count of what is
/// not there, too.
bool write_count() noexcept {
  const auto line = fmt::format("{{\"dropped\":{:>20},\"error\":{:>6}}}\n", dropped, reason);
  return ::pwrite(count_file, line.data(), line.size(), 0) == static_cast<::ssize_t>(line.size());
}

void drop(int error) noexcept {
  const std::lock_guard lock(dropped_mutex);
  ++dropped;
  if (error != 0) reason = error;
  write_count();
}

/// `more` is what follows the name: further members, each with a comma in front.
void write_event(char phase, std::string_view category, std::string_view name,
                 const std::string& more) noexcept {
  const std::chrono::nanoseconds at = std::chrono::steady_clock::now().time_since_epoch();
  if (events.fetch_add(1, std::memory_order_relaxed) >= most_here) return drop(0);
  // The newline in front ends a line that the system has not written to its end.
  const auto line = fmt::format(
      "\n{{\"ns\":{},\"tid\":{},\"ph\":\"{}\",\"cat\":\"{}\",\"name\":{}{}}}\n", at.count(),
      this_thread().number, phase, category, boost::json::serialize(name), more);
  errno = 0;  // a part of the line may have had room
  if (::write(events_file, line.data(), line.size()) != static_cast<::ssize_t>(line.size()))
    drop(errno);
}

std::string with_task(const void* task) {
  return fmt::format(R"(,"args":{{"task":"{}"}})", task);
}

}  // namespace

void start(const std::filesystem::path& raw_file, std::int64_t most) {
  most_here = most;
  constexpr int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
  count_file = ::open(raw_file.c_str(), flags | O_TRUNC, 0600);
  events_file = ::open(raw_file.c_str(), flags | O_APPEND, 0600);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is told by write()
  detail::is_on = count_file >= 0 && events_file >= 0 && write_count();
}

namespace detail {

void name_thread(std::string_view name) noexcept {
  auto& thread = this_thread();
  if (!thread.name.empty()) return;
  thread.name = name;
  write_event('M', "thread name", name, "");
}

void name_thread(std::string_view name, std::int64_t number) noexcept {
  name_thread(fmt::format("{} {}", name, number));
}

void turn_begins(const void* task, std::string_view name) noexcept {
  auto& thread = this_thread();
  thread.running.push_back({task, std::string(name)});
  thread.waits_for = {};
  write_event('B', "turn", name, with_task(task));
}

void turn_ends() noexcept {
  auto& thread = this_thread();
  const auto [task, name] = std::move(thread.running.back());
  thread.running.pop_back();
  const auto what = std::exchange(thread.waits_for, {});
  write_event('E', "turn", name,
              fmt::format(R"(,"args":{{"task":"{}","ended":false,"waits_for":{}}})", task,
                          boost::json::serialize(what)));
}

void task_ended(const void* task) noexcept {
  write_event(' ', "task ended", "", with_task(task));
}

void waits_for(std::string_view what) noexcept {
  this_thread().waits_for = what;
}

void destroyed(const void* task, std::string_view name) noexcept {
  write_event('i', "destroyed", name, with_task(task));
}

void lock_wait(bool begins, const void* lock) noexcept {
  write_event(begins ? 'B' : 'E', "lock wait", "waits for the guard",
              fmt::format(R"(,"args":{{"lock":"{}"}})", lock));
}

void lock_held(bool begins, const void* lock, std::string_view name) noexcept {
  const auto& thread = this_thread();
  const bool in_task = !thread.running.empty();
  write_event(
      begins ? 'b' : 'e', "lock", name,
      fmt::format(R"(,"id":"{0}","args":{{"lock":"{0}","task":{1},"name":{2}}})", lock,
                  in_task ? fmt::format("\"{}\"", thread.running.back().task) : "0",
                  boost::json::serialize(in_task ? thread.running.back().name : thread.name)));
}

void freeze(bool begins) noexcept {
  if (this_thread().name == "window") write_event(begins ? 'B' : 'E', "freeze", "frozen", "");
}

void span(bool begins, const void* id, std::string_view name) noexcept {
  write_event(begins ? 'b' : 'e', "span", name, fmt::format(R"(,"id":"{}")", id));
}

void mark(std::string_view category, std::string_view name) noexcept {
  write_event('i', category, name, "");
}

void rows_stored(std::int64_t count) noexcept {
  write_event('i', "store", "rows stored", fmt::format(R"(,"args":{{"count":{}}})", count));
}

void generation_begins(std::int64_t number) noexcept {
  write_event('i', "generation", fmt::format("generation {}", number),
              fmt::format(R"(,"args":{{"generation":{}}})", number));
}

}  // namespace detail
}  // namespace scenario::recording
