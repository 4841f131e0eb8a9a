#include "scenario/experiment.hpp"

#include "scenario/child_process.hpp"
#include "scenario/command_line.hpp"
#include "scenario/diagnostics.hpp"
#include "scenario/program_output.hpp"
#include "scenario/temporary_folder.hpp"
#include "scenario/terminal.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>

namespace scenario {
namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;

// An experiment that is documented to hang gets a little more than its own deadline. For the
// others the watchdog is a safety net, wide enough for a busy machine and a sanitizer.
constexpr std::chrono::milliseconds grace_for_hanging = 1500ms;
constexpr std::chrono::milliseconds grace_for_others = 60s;

// A recorded file of any length may be replayed: a safety net grows with it, by this many bytes a
// second. That is a hundredth of what a replay reaches.
constexpr std::uintmax_t slowest_bytes_per_second = 50'000;

std::chrono::milliseconds time_limit_of(const Experiment& experiment, const Settings& settings) {
  if (experiment.hangs) return settings.deadline + grace_for_hanging;
  std::error_code unknown_size;
  const auto size = std::filesystem::file_size(settings.events, unknown_size);
  const std::chrono::seconds reading(unknown_size ? 0 : size / slowest_bytes_per_second);
  return settings.deadline + grace_for_others + reading;
}

std::atomic<bool> in_child = false;

// In a child, standard output carries one JSON object a line to the parent. The newline in front
// ends whatever the experiment itself may have printed there; one fwrite is one piece even when
// several threads speak.
void tell_parent(const boost::json::object& message) {
  std::string line = "\n";
  line.append(boost::json::serialize(message)).append("\n");
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

/// What a child told its parent.
struct Account {
  std::optional<Outcome> outcome;
  std::optional<std::string> error;
  boost::json::object facts;
};

void take_message(Account& account, const boost::json::object& message) {
  if (const auto* facts = message.if_contains("facts"); facts != nullptr && facts->is_object())
    for (const auto& fact : facts->get_object()) account.facts[fact.key()] = fact.value();
  if (const auto* outcome = message.if_contains("outcome"); outcome != nullptr)
    account.outcome = parse_outcome(boost::json::value_to<std::string>(*outcome));
  if (const auto* error = message.if_contains("error"); error != nullptr)
    account.error = boost::json::value_to<std::string>(*error);
}

Account read_account(const std::string& child_output) {
  Account account;
  std::istringstream lines(child_output);
  for (std::string line; std::getline(lines, line);) {
    boost::json::error_code not_ours;
    const auto message = boost::json::parse(line, not_ours);
    if (!not_ours && message.is_object()) take_message(account, message.get_object());
  }
  return account;
}

/// What the command line asks for.
struct Request {
  CommonOptions common;
  std::vector<Experiment> experiments;
  bool in_process = false;
  bool interactive = false;
};

class Runner {
 public:
  Runner(const Program& program, Request request)
      : program_(program), request_(std::move(request)) {}

  int run_all() const;
  int run_as_child() const;

 private:
  Report run(const Experiment& experiment) const;
  Report run_in_process(const Experiment& experiment) const;
  Report run_in_child(const Experiment& experiment) const;
  ChildResult start_child(const Experiment& experiment) const;
  void pass_on(const Report& report, const ChildResult& child) const;

  const Program& program_;
  const Request request_;
};

std::optional<Outcome> observed_in(const Account& account, const ChildResult& child) {
  if (account.error) return std::nullopt;
  if (account.outcome) return account.outcome;
  return child.timed_out ? Outcome::stuck : Outcome::undefined;
}

/// How the child ended, where that says more than its outcome.
void add_ending(boost::json::object& facts, const Account& account, const ChildResult& child) {
  if (account.error) facts["error"] = *account.error;
  if (const auto finding = sanitizer_finding(child.err)) facts["sanitizer"] = *finding;
  if (child.timed_out || account.error) return;
  if (child.signal != 0) facts["signal"] = child.signal;
  if (child.exit_code && (*child.exit_code != 0 || !account.outcome))
    facts["exit_code"] = *child.exit_code;
}

/// An outcome counts only if nothing contradicts it afterwards, by a sanitizer or by the way in
/// which the child ended. Where undefined behaviour is what is shown, both belong to it; and what a
/// sanitizer finds in a program that is documented to fail is one more witness.
bool is_as_documented(const Report& report, const Account& account, const ChildResult& child) {
  if (report.observed != report.experiment.expected) return false;
  if (report.experiment.expected == Outcome::undefined) return true;
  if (!account.outcome) return true;
  const bool fails_by_design = report.experiment.expected != Outcome::finished;
  return child.exit_code == 0 && (fails_by_design || !sanitizer_finding(child.err));
}

int Runner::run_all() const {
  const bool json = request_.common.json;
  if (!json) print_head(std::cout, program_);
  std::vector<Report> reports;
  for (const auto& experiment : request_.experiments) {
    reports.push_back(run(experiment));
    if (!json) print_report(std::cout, reports.back());
  }
  if (json)
    print_json(std::cout, to_json(program_, reports));
  else
    print_verdict(std::cout, reports);
  return all_as_documented(reports) ? 0 : 1;
}

Report Runner::run(const Experiment& experiment) const {
  auto report = request_.in_process ? run_in_process(experiment) : run_in_child(experiment);
  if (const auto* error = report.facts.if_contains("error"); error != nullptr && !report.observed)
    complain(program_.name, "experiment '" + experiment.name +
                                "' failed: " + boost::json::value_to<std::string>(*error));
  return report;
}

Report Runner::run_in_process(const Experiment& experiment) const {
  Report report;
  report.experiment = experiment;
  const auto start = std::chrono::steady_clock::now();
  try {
    auto observation = experiment.run(request_.common.settings);
    report.observed = observation.outcome;
    report.facts = std::move(observation.facts);
  } catch (const std::exception& error) {
    report.facts["error"] = error.what();
  }
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
  report.duration_ms = taken.count();
  report.as_documented = report.observed == experiment.expected;
  return report;
}

Report Runner::run_in_child(const Experiment& experiment) const {
  const auto child = start_child(experiment);
  const auto account = read_account(child.out);
  Report report;
  report.experiment = experiment;
  report.observed = observed_in(account, child);
  report.facts = account.facts;
  add_ending(report.facts, account, child);
  report.stacks = thin_stacks(child.stacks);
  report.duration_ms = child.duration.count();
  report.as_documented = is_as_documented(report, account, child);
  pass_on(report, child);
  return report;
}

ChildResult Runner::start_child(const Experiment& experiment) const {
  const ProgressLine progress("running " + experiment.name + " ...");
  const TemporaryFolder folder;  // a child may end without removing what it has
  std::vector<std::string> arguments{"--child", "--experiment=" + experiment.name};
  std::ranges::move(to_arguments(request_.common), std::back_inserter(arguments));
  ChildOptions options;
  options.time_limit = time_limit_of(experiment, request_.common.settings);
  options.collect_stacks = true;
  options.environment = {"TMPDIR=" + folder.path().string()};
  return run_child(this_program(), arguments, options);
}

void Runner::pass_on(const Report& report, const ChildResult& child) const {
  if (!report.as_documented || spdlog::should_log(spdlog::level::info))
    std::cerr << child.err << std::flush;
}

int Runner::run_as_child() const {
  in_child = true;
  allow_debugger();
  try {
    auto observation = request_.experiments.front().run(request_.common.settings);
    tell_parent(
        {{"outcome", to_string(observation.outcome)}, {"facts", std::move(observation.facts)}});
    return 0;
  } catch (const std::exception& error) {
    tell_parent({{"error", error.what()}});
    return 1;
  }
}

po::options_description options_of(const Program& program) {
  auto options = common_options();
  options.add_options()                                         //
      ("list", "print the experiments and what they document")  //
      ("experiment", po::value<std::vector<std::string>>()->value_name("NAME"),
       "run this one only; may be given several times")  //
      ("in-process",
       "run in this process, for a debugger, instead of each in a child under a watchdog");
  for (const auto& flag : program.flags)
    options.add_options()(flag.c_str(), ("short for --experiment " + flag).c_str());
  if (program.interactive) options.add_options()("interactive", "take commands from a terminal");
  return options;
}

void print_help(const Program& program) {
  std::cout << "usage: " << program.name << " [options]\n"
            << program.title << "\n\n"
            << options_of(program)
            << "\nExit code: 0 observed what is documented, 1 did not, 2 wrong use.\n";
}

Experiment find_experiment(const Program& program, const std::string& name) {
  const auto found = std::ranges::find(program.experiments, name, &Experiment::name);
  if (found != program.experiments.end()) return *found;
  std::vector<std::string> names;
  std::ranges::transform(program.experiments, std::back_inserter(names), &Experiment::name);
  throw UsageError("unknown experiment '" + name + "'; choose from " +
                   boost::algorithm::join(names, ", "));
}

std::vector<Experiment> chosen_experiments(const Program& program, const po::variables_map& given) {
  std::vector<Experiment> chosen;
  if (given.count("experiment") > 0)
    for (const auto& name : given["experiment"].as<std::vector<std::string>>())
      chosen.push_back(find_experiment(program, name));
  for (const auto& flag : program.flags)
    if (given.count(flag) > 0) chosen.push_back(find_experiment(program, flag));
  return chosen.empty() ? program.experiments : chosen;
}

void refuse_what_contradicts(const Program& program, const Request& request,
                             const po::variables_map& given) {
  if (request.interactive) {
    std::vector<std::string> others{"experiment", "json", "in-process"};
    std::ranges::copy(program.flags, std::back_inserter(others));
    for (const auto& other : others)
      if (given.count(other) > 0) throw UsageError("--interactive does not go with --" + other);
  }
  const auto hanging = std::ranges::find_if(request.experiments, &Experiment::hangs);
  if (request.in_process && hanging != request.experiments.end())
    throw UsageError("experiment '" + hanging->name +
                     "' is documented to hang: it needs the watchdog, not --in-process");
}

Request read_request(const Program& program, const po::variables_map& given) {
  Request request;
  request.experiments = chosen_experiments(program, given);
  request.in_process = given.count("in-process") > 0;
  request.interactive = given.count("interactive") > 0;
  refuse_what_contradicts(program, request, given);
  request.common = read_common(given);
  return request;
}

void print_experiments(const Program& program, bool json) {
  if (json)
    print_json(std::cout, list_as_json(program));
  else
    print_list(std::cout, program);
}

int run_request(const Program& program, const po::variables_map& given) {
  auto request = read_request(program, given);
  log_to_stderr(request.common.log_level);
  if (request.interactive) return program.interactive(request.common.settings);
  const Runner runner(program, std::move(request));
  return given.count("child") > 0 ? runner.run_as_child() : runner.run_all();
}

int run_command_line(const Program& program, int argc, const char* const argv[]) {
  auto known = options_of(program);
  known.add_options()("child", "run one experiment and tell the parent process");
  const auto given = parse_strictly(argc, argv, known);
  if (given.count("help") > 0)
    print_help(program);
  else if (given.count("version") > 0)
    std::cout << version_line(program.name) << '\n';
  else if (given.count("list") > 0)
    print_experiments(program, given.count("json") > 0);
  else
    return run_request(program, given);
  return 0;
}

}  // namespace

int run_program(const Program& program, int argc, char* argv[]) {
  const int code =
      exit_code_of(program.name, [&] { return run_command_line(program, argc, argv); });
  if (program.leaves_threads) std::_Exit(code);
  return code;
}

void publish_facts(const boost::json::object& facts) {
  if (in_child) tell_parent({{"facts", facts}});
}

}  // namespace scenario
