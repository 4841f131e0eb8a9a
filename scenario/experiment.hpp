#pragma once

#include "scenario/event.hpp"

#include <boost/describe/enum.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace scenario {

/// What became of an experiment. One vocabulary for the broken side, where an outcome is
/// expected, and for the correct side, where the same outcome is forbidden.
enum class Outcome {
  finished,   ///< all ended, nothing lost
  leaked,     ///< still running, or still held, after logout returned
  stuck,      ///< no progress, and none to come
  lost,       ///< accepted work that never ran, or data never stored
  undefined,  ///< a rule of the language or of a library was broken
  starved,    ///< others could not run meanwhile
};
BOOST_DESCRIBE_ENUM(Outcome, finished, leaked, stuck, lost, undefined, starved)

std::string_view to_string(Outcome outcome) noexcept;

/// What the command line sets, the same for every program.
struct Settings {
  std::filesystem::path events;              ///< what the homeserver replays; empty: nothing
  EventTally recorded = {};                  ///< what is in that file
  int workers = 2;                           ///< threads of a runtime
  std::chrono::milliseconds deadline{1000};  ///< after which "no progress" is called stuck
};

/// What an experiment documents of one fact that it prints: a value, a bound where a run decides
/// how many, or why it may be anything.
struct Documented {
  enum class Kind { is, at_least, at_most, varies };
  BOOST_DESCRIBE_NESTED_ENUM(Kind, is, at_least, at_most, varies)
  std::string fact;
  Kind kind = Kind::is;
  boost::json::value value;  ///< of `varies`: the reason

  bool allows(const boost::json::value& observed) const;
};

template <Documented::Kind kind>
Documented documented(std::string fact, boost::json::value value) {
  return {std::move(fact), kind, std::move(value)};
}
inline constexpr auto is = documented<Documented::Kind::is>;
inline constexpr auto at_least = documented<Documented::Kind::at_least>;
inline constexpr auto at_most = documented<Documented::Kind::at_most>;
inline constexpr auto varies = documented<Documented::Kind::varies>;

/// What one run of an experiment showed.
struct Observation {
  Outcome outcome = Outcome::finished;
  boost::json::object facts;  ///< each of them is documented
};

/// How the child process of an experiment is documented to end.
enum class Ending {
  by_itself,
  by_watchdog,  ///< it has told that it is stuck, and hangs until the deadline
  by_abort,     ///< it has told what it saw, and std::terminate() ends it
};

/// One thing that a program shows, and all that it documents of it.
struct Experiment {
  std::string name;
  Outcome expected = Outcome::finished;
  std::string summary = {};            ///< one line, at most 60 characters
  std::vector<Documented> facts = {};  ///< every fact that it prints
  Ending ending = Ending::by_itself;
  /// Not empty: in a build with that sanitizer its report is part of what is documented. It may end
  /// the child before the later facts are measured.
  std::string sanitizer_report = {};
  std::function<Observation(const Settings&)> run = {};
};

/// Where an observation is not what the experiment documents, a line for each such fact. With
/// `cut_short`, facts may be missing.
std::vector<std::string> differences(const Experiment& experiment, const boost::json::object& facts,
                                     bool cut_short = false);

/// The documented facts as --list --json prints them: {"owners_left": {"at_least": 1}, ...}
boost::json::object to_json(const std::vector<Documented>& facts);

/// The two lists as one, for experiments that document the same and a little more.
std::vector<Documented> operator+(std::vector<Documented> facts, std::vector<Documented> more);

/// One program: its command line, its experiments, its output.
struct Program {
  std::string name;
  std::string title;  ///< one line, for --help and the head of the output
  std::vector<Experiment> (*experiments)(const Settings&) = nullptr;
  /// What its experiments leave behind (threads, frames) must not disturb the end of the process:
  /// end it with std::_Exit. True on the broken side only.
  bool leaves_threads = false;
  /// Experiments with a flag of their own: --NAME is short for --experiment NAME.
  std::vector<std::string> flags = {};
  /// Present: the program has --interactive.
  int (*interactive)(const Settings&) = nullptr;
  /// What a child has besides its deadline until it must have told an outcome: wide enough for a
  /// busy machine and a sanitizer.
  std::chrono::seconds safety_net{60};
};

/// Parses the command line, runs the experiments each in a child process of the same binary under a
/// watchdog, prints what was observed. Exit code: 0 as documented, 1 not so, 2 wrong use.
int run_program(const Program& program, int argc, char* argv[]);

/// In a child: what is known already, should the experiment never return. Later facts replace
/// earlier ones of the same name. Does nothing outside a child.
void tell(const boost::json::object& facts);
/// The same, of an experiment that hangs from here on, or is ended.
void tell(const Observation& observation);

/// Ends the experiment at once, with the exception's words as its reason: what must not fail has
/// failed. The completion handler of tasks that nobody joins; null is no failure.
void end_on_failure(std::exception_ptr failure);

}  // namespace scenario
