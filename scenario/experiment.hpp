#pragma once

#include "scenario/outcome.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace scenario {

/// What the command line sets, the same for every program.
struct Settings {
  std::filesystem::path events;              ///< the recorded events that the homeserver replays
  int workers = 2;                           ///< threads of a runtime
  std::chrono::milliseconds deadline{1000};  ///< after which "no progress" is called stuck
};

/// What one run of an experiment showed.
struct Observation {
  Outcome outcome = Outcome::finished;
  boost::json::object facts;  ///< SessionFacts, and what only this experiment measures
};

/// One thing that a program shows, and the outcome that it documents.
struct Experiment {
  std::string name;
  Outcome expected = Outcome::finished;
  std::string summary;  ///< one line, at most 60 characters
  std::function<Observation(const Settings&)> run;
  /// Documented to end in the watchdog's hands: the child is given the deadline plus 1.5 s,
  /// and the stacks of its threads are shown where gdb is present.
  bool hangs = false;
};

/// One program: its command line, its experiments, its output.
struct Program {
  std::string name;
  std::string title;  ///< one line, for --help and the head of the output
  std::vector<Experiment> experiments;
  /// What its experiments leave behind (threads, frames) must not disturb the end of the process:
  /// end it with std::_Exit. True on the broken side only.
  bool leaves_threads = false;
  /// Experiments with a flag of their own: --NAME is short for --experiment NAME.
  std::vector<std::string> flags = {};
  /// Present: the program has --interactive.
  std::function<int(const Settings&)> interactive = {};
};

/// Parses the command line, runs the experiments each in a child process of the same binary under a
/// watchdog, prints what was observed. Exit code: 0 as documented, 1 not so, 2 wrong use.
int run_program(const Program& program, int argc, char* argv[]);

/// In a child: facts that shall be known even if the experiment never returns. Later facts replace
/// earlier ones of the same name. Does nothing outside a child.
void publish_facts(const boost::json::object& facts);

}  // namespace scenario
