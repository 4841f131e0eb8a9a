// A program whose experiments are as small as can be, one for each way in which one can end. The
// tests of run_program start it as a reader or a script would.
#include "scenario/experiment.hpp"

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <latch>
#include <stdexcept>

namespace {

using scenario::Observation;
using scenario::Outcome;
using scenario::Settings;

Observation finish(const Settings& settings) {
  return {Outcome::finished,
          {{"owners_left", 0}, {"logout_ms", 1.25}, {"workers", settings.workers}}};
}

void wait_for_ever() {
  std::latch never{1};
  never.wait();
}

Observation hang(const Settings&) {
  scenario::publish_facts({{"progress", "started"}, {"logout_returned", false}});
  scenario::publish_facts({{"progress", "waiting"}});
  wait_for_ever();
  return {};
}

Observation crash(const Settings&) {
  scenario::publish_facts({{"progress", "about to crash"}});
  std::raise(SIGKILL);
  return {};
}

Observation fail(const Settings&) {
  throw std::runtime_error("no such luck");
}

Observation leak_unexpectedly(const Settings&) {
  std::cerr << "words of the child\n";
  return {Outcome::leaked, {{"owners_left", 3}}};
}

Observation exit_early(const Settings&) {
  std::exit(3);
}

// What AddressSanitizer's end of a process looks like from outside, in every build.
Observation end_as_a_sanitizer_does(const Settings&) {
  std::cerr << "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x60200000eff0\n";
  std::exit(1);
}

Observation finish_with_a_sanitizer_report(const Settings&) {
  std::cerr << "WARNING: ThreadSanitizer: data race (pid=7)\n";
  return {Outcome::finished, {}};
}

Observation print_on_stdout(const Settings&) {
  std::cout << "half a line" << std::flush;
  return {Outcome::finished, {}};
}

Observation list_stragglers(const Settings&) {
  return {Outcome::leaked,
          {{"stragglers", {"a task with a rather long name", "another task, with a name as long"}},
           {"relogin", "a sentence that is so long that it has to be continued on another line"}}};
}

int greet(const Settings& settings) {
  std::cout << "interactive with " << settings.workers << " workers\n";
  return 0;
}

scenario::Program sample_program() {
  return {
      .name = "sample_program",
      .title = "each way in which an experiment can end",
      .experiments =
          {{"finishing", Outcome::finished, "ends as it should", finish},
           {"hanging", Outcome::stuck, "never returns", hang, true},
           {"crashing", Outcome::undefined, "is ended by a signal", crash},
           {"sanitized", Outcome::undefined, "is ended by a sanitizer", end_as_a_sanitizer_does},
           {"chatty", Outcome::finished, "prints where the outcome goes", print_on_stdout},
           {"stragglers", Outcome::leaked, "has much to say", list_stragglers},
           {"throwing", Outcome::finished, "ends by an exception", fail},
           {"differing", Outcome::finished, "leaks, but says it finishes", leak_unexpectedly},
           {"exiting", Outcome::finished, "ends without an outcome", exit_early},
           {"racing", Outcome::finished, "has a race", finish_with_a_sanitizer_report}},
      .flags = {"chatty"},
      .interactive = greet,
  };
}

}  // namespace

int main(int argc, char* argv[]) {
  return scenario::run_program(sample_program(), argc, argv);
}
