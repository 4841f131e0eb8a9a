#include "scenario/child_process.hpp"

#include "interactive.hpp"
#include <chrono>
#include <csignal>
#include <string>
#include <vector>

namespace correct_example {
namespace {

using scenario::Experiment;
using scenario::is;
using scenario::Observation;
using scenario::Outcome;
using scenario::Settings;
using scenario::varies;

/// The program itself on a (pretended) terminal, interrupted each time that it has printed the next
/// of `interrupt_after`.
scenario::ChildResult converse(const Settings& settings, std::chrono::milliseconds deadline,
                               const std::string& typed,
                               const std::vector<std::string>& interrupt_after) {
  std::size_t interrupts = 0;
  return scenario::run_child(
      scenario::this_program(),
      {"--interactive", "--events", settings.events.string(), "--deadline",
       std::to_string(deadline.count())},
      {.input = typed, .keep_input_open = true},
      [&](const std::string& printed, scenario::RunningChild& child) {
        while (interrupts < interrupt_after.size() &&
               printed.find(interrupt_after[interrupts]) != std::string::npos) {
          ++interrupts;
          child.signal(SIGINT);
        }
      });
}

/// The rung in the report that a conversation printed.
std::string rung_in(const std::string& printed) {
  const auto begin = printed.find("reached '");
  if (begin == std::string::npos) return "no report";
  return printed.substr(begin + 9, printed.find('\'', begin + 9) - begin - 9);
}

}  // namespace

// Ctrl-C once is one graceful shutdown; twice forces it; the exit code tells which it was. The
// deadline of the second is so far away that only force can end it before.
Experiment ctrl_c() {
  return {.name = "ctrl-c",
          .expected = Outcome::finished,
          .summary = "once is graceful, twice forces",
          .facts = {is("once_exit_code", 0), is("once_rung_reached", "wait"),
                    varies("once_ms", "a duration"), is("twice_exit_code", 128 + SIGINT),
                    varies("twice_rung_reached", "forced, it waits for nobody: interrupt or stop"),
                    varies("twice_ms", "a duration")},
          .run = [](const Settings& settings) {
            const scenario::SignalsHeld held;  // and passed on to the conversation
            const auto once =
                converse(settings, settings.deadline, "login alice\n", {"alice is signed in"});
            const auto twice = converse(settings, std::chrono::minutes(10), "login alice\ndeaf\n",
                                        {"a deaf task was added", "waiting for 1 task: deaf"});

            const bool both_ended = !once.timed_out && !twice.timed_out;
            const bool told_apart = once.exit_code == 0 && twice.exit_code == 128 + SIGINT;
            return Observation{!both_ended  ? Outcome::stuck
                               : told_apart ? Outcome::finished
                                            : Outcome::undefined,
                               {{"once_exit_code", once.exit_code.value_or(-1)},
                                {"once_rung_reached", rung_in(once.out)},
                                {"once_ms", once.duration.count()},
                                {"twice_exit_code", twice.exit_code.value_or(-1)},
                                {"twice_rung_reached", rung_in(twice.out)},
                                {"twice_ms", twice.duration.count()}}};
          }};
}

}  // namespace correct_example
