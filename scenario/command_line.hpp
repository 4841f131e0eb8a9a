// The command line that all programs of this repository share, and how they end.
#pragma once

#include "scenario/experiment.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace scenario {

/// The command line was used in a wrong way; what() says in one line how. Exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the options that every program has are set to.
struct CommonOptions {
  Settings settings;
  bool json = false;
  std::string log_level;
};

/// --help, --version, --events, --workers, --deadline, --json and --log-level.
boost::program_options::options_description common_options();

/// Throws UsageError for what is not in `known`: no abbreviations, no positional arguments. -h is
/// --help.
boost::program_options::variables_map parse_strictly(
    int argc, const char* const argv[], const boost::program_options::options_description& known);

/// Throws UsageError for a value that is not allowed, and if the events file cannot be read. Reads
/// that file once, from end to end.
CommonOptions read_common(const boost::program_options::variables_map& given);

/// One line on standard error if the events file has lines that are no events.
void tell_rejected_lines(std::string_view program, const Settings& settings);

/// The same options as arguments for another program of this repository, without --json.
std::vector<std::string> to_arguments(const CommonOptions& options);

/// "arc_problem 0.1.0 (Boost 1.81.0)"
std::string version_line(std::string_view program);
std::string_view project_version();
/// "1.81.0"
std::string boost_version();

/// Log lines go to standard error, from this level on.
void log_to_stderr(const std::string& level);

/// Runs `body` and returns its exit code. What it throws becomes one line on standard error:
/// 2 for a UsageError, 1 for everything else, and 1 if standard output could not be written.
/// Interrupted ends the process by its signal.
int exit_code_of(std::string_view program, const std::function<int()>& body);

/// The one line on standard error that a program complains with.
void complain(std::string_view program, std::string_view what);

}  // namespace scenario
