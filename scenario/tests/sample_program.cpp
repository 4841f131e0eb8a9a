// A program whose experiments are as small as can be, one for each way in which one can end. The
// tests of run_program start it as a reader or a script would.
#include "scenario/experiment.hpp"
#include "scenario/recording.hpp"

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <latch>
#include <stdexcept>

namespace {

using scenario::at_most;
using scenario::Ending;
using scenario::Experiment;
using scenario::is;
using scenario::Observation;
using scenario::Outcome;
using scenario::Settings;
using scenario::tell;

[[noreturn]] void wait_for_ever() {
  std::latch never{1};
  never.wait();
  std::abort();
}

std::vector<Experiment> experiments(const Settings& settings) {
  return {
      {.name = "finishing",
       .expected = Outcome::finished,
       .summary = "ends as it should",
       .facts = {is("owners_left", 0), at_most("logout_ms", 10), is("workers", settings.workers)},
       .run =
           [](const Settings& set) {
             return Observation{
                 Outcome::finished,
                 {{"owners_left", 0}, {"logout_ms", 1.25}, {"workers", set.workers}}};
           }},
      {.name = "hanging",
       .expected = Outcome::stuck,
       .summary = "says that it hangs, and does",
       .facts = {is("progress", "waiting"), is("logout_returned", false)},
       .ending = Ending::by_watchdog,
       .run = [](const Settings&) -> Observation {
         tell(boost::json::object{{"progress", "started"}, {"logout_returned", false}});
         tell(Observation{Outcome::stuck, {{"progress", "waiting"}}});
         wait_for_ever();
       }},
      {.name = "hanging-unsaid",
       .expected = Outcome::stuck,
       .summary = "hangs before the point that it is about",
       .ending = Ending::by_watchdog,
       .run = [](const Settings&) -> Observation { wait_for_ever(); }},
      {.name = "killed",
       .expected = Outcome::undefined,
       .summary = "is killed as it starts",
       .run = [](const Settings&) -> Observation {
         std::raise(SIGKILL);
         return {};
       }},
      {.name = "killed-later",
       .expected = Outcome::undefined,
       .summary = "is killed after it has told its outcome",
       .run = [](const Settings& set) -> Observation {
         scenario::recording::turn_begins(&set, "task");
         tell(Observation{Outcome::undefined, {}});
         std::raise(SIGKILL);
         return {};
       }},
      {.name = "recording-much",
       .expected = Outcome::finished,
       .summary = "has more to record than is kept",
       .run = [](const Settings&) -> Observation {
         for (std::int64_t i = 1; i < scenario::recording::most_events + 23; ++i)
           scenario::recording::heartbeat();
         return {};
       }},
      {.name = "recording-some",
       .expected = Outcome::finished,
       .summary = "has more to record than some files may grow",
       .run = [](const Settings&) -> Observation {
         for (int i = 0; i < 200; ++i) scenario::recording::heartbeat();
         return {};
       }},
      {.name = "exiting",
       .expected = Outcome::undefined,
       .summary = "ends without an outcome",
       .run = [](const Settings&) -> Observation { std::exit(3); }},
      {.name = "aborting",
       .expected = Outcome::lost,
       .summary = "tells what it saw, and aborts",
       .facts = {is("samples_lost", 4)},
       .ending = Ending::by_abort,
       .run = [](const Settings&) -> Observation {
         tell(Observation{Outcome::lost, {{"samples_lost", 4}}});
         std::abort();
       }},
      // What AddressSanitizer's end of a process looks like from outside, in every build.
      {.name = "sanitized",
       .expected = Outcome::undefined,
       .summary = "is ended by the sanitizer that it names",
       .facts = {is("measured_before", true), is("measured_afterwards", true)},
       .sanitizer_report = "AddressSanitizer: heap-use-after-free",
       .run = [](const Settings&) -> Observation {
         tell(boost::json::object{{"measured_before", true}});
         std::cerr << "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x6020\n";
         std::exit(1);
       }},
      {.name = "racing",
       .expected = Outcome::finished,
       .summary = "finishes, and has a race",
       .run = [](const Settings&) -> Observation {
         std::cerr << "WARNING: ThreadSanitizer: data race (pid=7)\n";
         return {};
       }},
      {.name = "warning",
       .expected = Outcome::finished,
       .summary = "finishes, and logs a warning",
       .run = [](const Settings&) -> Observation {
         std::cerr << "[2026-01-01 00:00:00.000] [warning] all is not well\n";
         return {};
       }},
      {.name = "chatty",
       .expected = Outcome::finished,
       .summary = "prints where the outcome goes",
       .run = [](const Settings&) -> Observation {
         std::cout << "half a line" << std::flush;
         return {};
       }},
      {.name = "stragglers",
       .expected = Outcome::leaked,
       .summary = "has much to say",
       .facts = {is("stragglers",
                    {"a task with a rather long name", "another task, with a name as long"}),
                 is("relogin",
                    "a sentence that is so long that it has to be continued on another "
                    "line")},
       .run =
           [](const Settings&) {
             return Observation{
                 Outcome::leaked,
                 {{"stragglers",
                   {"a task with a rather long name", "another task, with a name as long"}},
                  {"relogin",
                   "a sentence that is so long that it has to be continued on another "
                   "line"}}};
           }},
      {.name = "throwing",
       .expected = Outcome::finished,
       .summary = "fails",
       .run = [](const Settings&) -> Observation { throw std::runtime_error("no such luck"); }},
      {.name = "failing-task",
       .expected = Outcome::finished,
       .summary = "has a task that fails, and waits for ever",
       .run = [](const Settings&) -> Observation {
         scenario::end_on_failure(std::make_exception_ptr(std::runtime_error("disk full")));
         wait_for_ever();
       }},
      {.name = "differing",
       .expected = Outcome::finished,
       .summary = "leaks, but documents that it finishes",
       .facts = {is("owners_left", 0), is("logout_returned", true)},
       .run = [](const Settings&) -> Observation {
         std::cerr << "words of the child\n";
         return {Outcome::leaked, {{"owners_left", 3}}};
       }},
  };
}

int greet(const Settings& settings) {
  std::cout << "interactive with " << settings.workers << " workers\n";
  return 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  return scenario::run_program({.name = "sample_program",
                                .title = "each way in which an experiment can end",
                                .experiments = experiments,
                                .flags = {"chatty"},
                                .interactive = greet,
                                .safety_net = std::chrono::seconds(3)},
                               argc, argv);
}
