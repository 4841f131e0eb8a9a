// Runs experiments, each in a child process of the same binary, and says what became of them.
#include "scenario/child_process.hpp"
#include "scenario/command_line.hpp"
#include "scenario/output.hpp"
#include "scenario/recording.hpp"
#include "scenario/surroundings.hpp"
#include "scenario/trace_file.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/describe/class.hpp>
#include <boost/json.hpp>
#include <boost/regex.hpp>
#include <boost/thread/exceptions.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <unistd.h>

namespace scenario {
namespace {

namespace json = boost::json;
namespace po = boost::program_options;

// The safety net grows with the recorded file, by a fiftieth of the speed that a replay reaches.
constexpr std::uint64_t slowest_lines_per_second = 200;

std::atomic<bool> in_child = false;

/// What a child tells its parent, in pieces.
struct Account {
  json::object facts = {};
  std::optional<Outcome> outcome = {};
  std::string failure = {};
};
BOOST_DESCRIBE_STRUCT(Account, (), (facts, outcome, failure))

// In a child, standard output carries one JSON object a line to the parent. The newline in front
// ends whatever the experiment itself may have printed there; one fwrite is one piece even when
// several threads speak.
void tell_parent(const Account& piece) {
  if (!in_child) return;
  const auto line = "\n" + json::serialize(json::value_from(piece)) + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

Account account_in(const std::string& child_output) {
  Account account;
  std::istringstream lines(child_output);
  for (std::string line; std::getline(lines, line);) {
    try {
      const auto piece = json::value_to<Account>(json::parse(line));
      for (const auto& fact : piece.facts) account.facts[fact.key()] = fact.value();
      if (piece.outcome) account.outcome = piece.outcome;
      if (account.failure.empty()) account.failure = piece.failure;
    } catch (const std::exception&) {  // not ours
    }
  }
  return account;
}

bool ended_as_documented(const Experiment& experiment, const ChildResult& child) {
  if (experiment.ending == Ending::by_watchdog) return child.timed_out;
  if (experiment.ending == Ending::by_abort) return child.signal == SIGABRT;
  return child.exit_code == 0;
}

/// The first line that was logged at `warn` or above.
std::string first_warning(const std::string& standard_error) {
  const boost::regex warning(R"(^.*\[(?:warning|error|critical)\].*)");
  boost::smatch line;
  const bool found =
      boost::regex_search(standard_error, line, warning, boost::match_not_dot_newline);
  return found ? line.str() : "";
}

/// Says what was observed, and each difference from what is documented. An outcome counts only if
/// it was told, with all its facts, and if the child then ended as it is documented to. A sanitizer
/// may end a child early: where its report is what is documented, it proves the outcome by itself;
/// on the broken side it is one more witness; on the correct side it contradicts.
Report judge(const Experiment& experiment, const Account& account, const ChildResult& child) {
  Report report{.experiment = experiment,
                .facts = account.facts,
                .stacks = child.stacks,
                .duration_ms = child.duration.count()};
  const bool must_finish = experiment.expected == Outcome::finished;
  const auto finding = sanitizer_finding(child.err);
  report.sanitizer = finding.value_or("");
  const bool proved_by_sanitizer = finding && *finding == experiment.sanitizer_report;
  const bool cut_short = proved_by_sanitizer && !account.outcome;
  report.observed = cut_short ? experiment.expected : account.outcome;

  auto& wrong = report.differences;
  if (!account.failure.empty()) report.observed.reset();
  if (!report.observed) {
    wrong.push_back(account.failure.empty() ? ending_of(child) + " before it told an outcome"
                                            : account.failure);
    return report;
  }
  if (report.observed != experiment.expected)
    wrong.push_back(fmt::format("outcome: documented {}, observed {}",
                                to_string(experiment.expected), to_string(*report.observed)));
  std::ranges::move(differences(experiment, report.facts, cut_short), std::back_inserter(wrong));
  if (!ended_as_documented(experiment, child) && (must_finish || !finding))
    wrong.push_back(ending_of(child));
  if (finding && must_finish) wrong.push_back("found by " + *finding);
  if (sanitizer_of_this_build(experiment.sanitizer_report) && !proved_by_sanitizer)
    wrong.push_back("documented " + experiment.sanitizer_report + ", not found");
  if (const auto warning = first_warning(child.err); must_finish && !warning.empty())
    wrong.push_back("logged: " + warning);
  return report;
}

/// Empty: nothing is recorded.
using RawFile = std::filesystem::path;

ChildResult start_child(const Program& program, const CommonOptions& common,
                        const Experiment& experiment, const RawFile& raw_file) {
  const auto& settings = common.settings;
  std::vector<std::string> arguments{"--child=" + std::to_string(::getpid()),
                                     "--experiment=" + experiment.name};
  std::ranges::move(to_arguments(common), std::back_inserter(arguments));
  if (!raw_file.empty()) arguments.push_back("--trace=" + raw_file.string());
  const auto time_limit =
      settings.deadline + program.safety_net +
      std::chrono::seconds(settings.recorded.lines() / slowest_lines_per_second);
  bool deadline_set = false;
  const auto end_once_stuck = [&](const std::string& printed, RunningChild& child) {
    if (deadline_set || account_in(printed).outcome != Outcome::stuck) return;
    deadline_set = true;
    child.collect_stacks();
    child.end_after(settings.deadline);
  };
  return run_child(this_program(), arguments, {.time_limit = time_limit, .collect_stacks = true},
                   end_once_stuck);
}

Report run_in_child(const Program& program, const CommonOptions& common,
                    const Experiment& experiment, const RawFile& raw_file) {
  const auto child = start_child(program, common, experiment, raw_file);
  auto report = judge(experiment, account_in(child.out), child);
  if (!report.as_documented() || spdlog::should_log(spdlog::level::info))
    std::cerr << child.err << std::flush;
  return report;
}

/// False if there is no recording now. The verdict is what it is.
bool keep_recording(const Program& program, const RawFile& raw_file, const std::string& file,
                    const Report& report) try {
  const auto dropped = write_trace(raw_file, file, program.name, report);
  if (dropped.events > 0)
    complain(program.name, fmt::format("recording {}: {} events are missing: {}", file,
                                       dropped.events, dropped.reason));
  return true;
} catch (const std::exception& error) {
  complain(program.name, fmt::format("cannot write recording {}: {}", file, error.what()));
  return false;
}

/// `trace`: the file to record the one experiment in; empty: none.
int run_all(const Program& program, const CommonOptions& common,
            const std::vector<Experiment>& experiments, const std::string& trace) {
  const SignalsHeld held;
  const TemporaryFolder folder;  // of the children: one may end without removing what it has
  ::setenv("TMPDIR", folder.path().c_str(), 1);
  const RawFile raw_file = trace.empty() ? "" : folder.path() / "recording";
  if (!common.json) print_head(std::cout, program);
  std::vector<Report> reports;
  for (const auto& experiment : experiments) {
    const auto& report = reports.emplace_back(run_in_child(program, common, experiment, raw_file));
    if (!report.as_documented())
      complain(program.name, "experiment '" + experiment.name + "': " + report.differences.front());
    if (!common.json) print_report(std::cout, report);
  }
  if (common.json)
    print_json(std::cout, to_json(program, reports));
  else
    print_verdict(std::cout, reports);
  const bool kept = trace.empty() || keep_recording(program, raw_file, trace, reports.front());
  return kept && std::ranges::all_of(reports, &Report::as_documented) ? 0 : 1;
}

int run_as_child(const Experiment& experiment, const Settings& settings) {
  in_child = true;
  try {
    tell(experiment.run(settings));
  } catch (const Interrupted&) {
    throw;
  } catch (...) {
    end_on_failure(std::current_exception());
  }
  return 0;
}

po::options_description options_of(const Program& program) {
  auto options = common_options();
  options.add_options()                                         //
      ("list", "print the experiments and what they document")  //
      ("experiment", po::value<std::vector<std::string>>()->value_name("NAME"),
       "run this one only; may be given several times")  //
      ("trace", po::value<std::string>()->value_name("FILE"),
       "record the run of one experiment; the file opens in Perfetto");
  for (const auto& flag : program.flags)
    options.add_options()(flag.c_str(), ("short for --experiment " + flag).c_str());
  if (program.interactive != nullptr)
    options.add_options()("interactive", "take commands from a terminal");
  return options;
}

void print_help(const Program& program) {
  std::cout << "usage: " << program.name << " [options]\n"
            << program.title << "\n\n"
            << options_of(program)
            << "\nExit code: 0 observed what is documented, 1 did not, 2 wrong use.\n";
}

std::vector<Experiment> chosen_experiments(const Program& program, const Settings& settings,
                                           const po::variables_map& given) {
  std::vector<std::string> names;
  if (given.count("experiment") > 0) names = given["experiment"].as<std::vector<std::string>>();
  for (const auto& flag : program.flags)
    if (given.count(flag) > 0) names.push_back(flag);
  auto all = program.experiments(settings);
  if (names.empty()) return all;
  std::vector<std::string> known;
  std::ranges::transform(all, std::back_inserter(known), &Experiment::name);
  std::vector<Experiment> chosen;
  for (const auto& name : names) {
    const auto found = std::ranges::find(all, name, &Experiment::name);
    if (found == all.end())
      throw UsageError("unknown experiment '" + name + "'; choose from " +
                       boost::algorithm::join(known, ", "));
    chosen.push_back(*found);
  }
  return chosen;
}

void refuse_what_contradicts(const Program& program, const po::variables_map& given) {
  if (given.count("interactive") == 0) return;
  std::vector<std::string> others{"experiment", "json", "trace"};
  std::ranges::copy(program.flags, std::back_inserter(others));
  for (const auto& other : others)
    if (given.count(other) > 0) throw UsageError("--interactive does not go with --" + other);
}

void refuse_what_cannot_be_recorded(const std::string& trace,
                                    const std::vector<Experiment>& experiments) {
  if (trace.empty()) throw UsageError("--trace takes the name of a file");
  if (experiments.size() != 1)
    throw UsageError("--trace records one experiment: choose it with --experiment");
}

int run_request(const Program& program, const po::variables_map& given) {
  const auto common = read_common(given);
  const auto experiments = chosen_experiments(program, common.settings, given);
  refuse_what_contradicts(program, given);
  const auto trace = given.count("trace") > 0 ? given["trace"].as<std::string>() : "";
  log_to_stderr(common.log_level);
  if (given.count("child") > 0 && !trace.empty()) recording::start(trace);
  if (given.count("child") > 0) return run_as_child(experiments.front(), common.settings);
  tell_rejected_lines(program.name, common.settings);
  if (given.count("interactive") > 0) return program.interactive(common.settings);
  if (given.count("trace") > 0) refuse_what_cannot_be_recorded(trace, experiments);
  return run_all(program, common, experiments, trace);
}

int run_command_line(const Program& program, int argc, const char* const argv[]) {
  auto known = options_of(program);
  known.add_options()("child", po::value<int>(), "run one experiment and tell that process");
  const auto given = parse_strictly(argc, argv, known);
  if (given.count("child") > 0) depend_on_parent(given["child"].as<int>());
  if (given.count("help") > 0)
    print_help(program);
  else if (given.count("version") > 0)
    std::cout << version_line(program.name) << '\n';
  else if (given.count("list") == 0)
    return run_request(program, given);
  else if (given.count("json") > 0)
    print_json(std::cout, list_as_json(program, read_common(given).settings));
  else
    print_list(std::cout, program);
  return 0;
}

}  // namespace

int run_program(const Program& program, int argc, char* argv[]) {
  const int code =
      exit_code_of(program.name, [&] { return run_command_line(program, argc, argv); });
  if (program.leaves_threads) std::_Exit(code);
  return code;
}

void tell(const json::object& facts) {
  tell_parent({.facts = facts});
}

void tell(const Observation& observation) {
  recording::outcome(to_string(observation.outcome));
  tell_parent({.facts = observation.facts, .outcome = observation.outcome});
}

void end_on_failure(std::exception_ptr failure) {
  if (failure == nullptr) return;
  std::string words = "an exception that is no std::exception";
  try {
    std::rethrow_exception(failure);
  } catch (const boost::thread_exception& error) {
    words = "the system refuses a thread: " + error.code().message();
  } catch (const std::exception& error) {
    words = error.what();
  } catch (...) {  // the words say it
  }
  if (in_child)
    tell_parent({.failure = words});
  else
    complain("failure", words);
  std::_Exit(1);
}

}  // namespace scenario
