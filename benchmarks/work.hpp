#pragma once

#include <cstddef>
#include <string>

namespace bench {

/// What a task does once it runs.
enum class Wait {
  none,   ///< nothing: it ends at once
  token,  ///< waits until it is told to end
  sleep,  ///< the same, raced with a sleep of an hour
};

/// What one process measures, as its command line says in words of the form `key=value`.
struct Work {
  std::string work = "park";
  std::string program = "ours";
  std::size_t tasks = 1000;
  Wait wait = Wait::token;
  bool inside = false;          ///< spawned by two tasks of the pool, else by the main thread
  bool child_tokens = false;    ///< one for each task, else all share one
  std::string allocator = "-";  ///< told by whoever preloads one; only repeated in the output
  static constexpr int threads = 2;
  static constexpr int restarts = 100;
  static constexpr std::size_t restart_tasks = 100;
};

/// Throws std::invalid_argument, naming the word that it does not understand.
Work read_work(int argc, const char* const* argv);

}  // namespace bench
