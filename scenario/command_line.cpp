#include "scenario/command_line.hpp"

#include "scenario/child_process.hpp"
#include "scenario/output.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/lexical_cast/try_lexical_convert.hpp>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/version.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <utility>

namespace scenario {
namespace {

namespace po = boost::program_options;

const std::vector<std::string> log_levels{"trace", "debug", "info", "warn", "error", "off"};

// Everything is long and in full. Without allow_short, "-x" is an argument that nobody expects.
constexpr int strict_style = po::command_line_style::allow_long |
                             po::command_line_style::long_allow_adjacent |
                             po::command_line_style::long_allow_next;

int read_number(const po::variables_map& given, const std::string& option, int lowest,
                int highest) {
  const auto& text = given[option].as<std::string>();
  int number = 0;
  if (!boost::conversion::try_lexical_convert(text, number) || number < lowest || number > highest)
    throw UsageError(
        fmt::format("--{} takes a number from {} to {}, not '{}'", option, lowest, highest, text));
  return number;
}

std::string read_log_level(const po::variables_map& given) {
  const auto& level = given["log-level"].as<std::string>();
  if (std::ranges::find(log_levels, level) == log_levels.end())
    throw UsageError("unknown log level '" + level + "'; choose from " +
                     boost::algorithm::join(log_levels, ", "));
  return level;
}

[[noreturn]] void refuse_events(const std::filesystem::path& file, const std::string& reason) {
  throw UsageError("cannot read events file '" + file.string() + "': " + reason +
                   "; name one with --events");
}

// Each experiment reads the file again, each in a process with a standard input of its own: what
// can be read once, or without end, is refused, and /dev/stdin is the file behind it.
std::filesystem::path read_events(const po::variables_map& given) {
  const std::filesystem::path named = given["events"].as<std::string>();
  std::error_code error;
  const auto file = std::filesystem::canonical(named, error);
  if (error) refuse_events(named, error.message());
  if (std::filesystem::is_directory(file)) refuse_events(named, "it is a directory");
  if (std::filesystem::is_regular_file(file) || file == "/dev/null") return file;
  refuse_events(named, "it is no regular file: save its lines in one first");
}

EventTally tally_of(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> bytes(max_line_bytes);
  EventReader reader;
  while (stream) {
    stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    reader.feed({bytes.data(), static_cast<std::size_t>(stream.gcount())});
    if (!stream) reader.finish();
    while (reader.next()) {
    }
  }
  if (!stream.eof()) refuse_events(file, std::generic_category().message(errno));
  return reader.tally();
}

}  // namespace

po::options_description common_options() {
  const auto width = static_cast<unsigned>(output_width());
  po::options_description options("Options", width, width / 2);
  options.add_options()                                //
      ("help", "print this help and end; so does -h")  //
      ("version", "print the version and end")         //
      ("events",
       po::value<std::string>()
           ->default_value(DEFAULT_EVENTS_FILE, "the recorded sample")
           ->value_name("FILE"),
       "events that the homeserver replays, one JSON object a line")  //
      ("workers", po::value<std::string>()->default_value("2")->value_name("N"),
       "threads of a runtime, 1 to 256")  //
      ("deadline", po::value<std::string>()->default_value("1000")->value_name("MS"),
       "milliseconds after which no progress is called stuck, 1 to 600000")  //
      ("json", "print one JSON object and nothing else")                     //
      ("log-level", po::value<std::string>()->default_value("warn")->value_name("LEVEL"),
       "trace, debug, info, warn, error or off; the log goes to standard error");
  return options;
}

po::variables_map parse_strictly(int argc, const char* const argv[],
                                 const po::options_description& known) try {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::ranges::replace(arguments, "-h", "--help");
  const auto parsed = po::command_line_parser(arguments).options(known).style(strict_style).run();
  for (const auto& option : parsed.options)
    if (option.position_key >= 0)
      throw UsageError("unexpected argument '" + option.original_tokens.front() + "'; try --help");
  po::variables_map given;
  po::store(parsed, given);
  return given;
} catch (const po::error& error) {
  throw UsageError(std::string(error.what()) + "; try --help");
}

CommonOptions read_common(const po::variables_map& given) {
  CommonOptions options;
  options.settings.workers = read_number(given, "workers", 1, 256);
  options.settings.deadline = std::chrono::milliseconds(read_number(given, "deadline", 1, 600'000));
  options.json = given.count("json") > 0;
  options.log_level = read_log_level(given);
  options.settings.events = read_events(given);
  options.settings.recorded = tally_of(options.settings.events);
  return options;
}

void tell_rejected_lines(std::string_view program, const Settings& settings) {
  const auto& tally = settings.recorded;
  if (tally.rejected == 0) return;
  complain(program,
           fmt::format("{} of {} {} in {} rejected; line {}: {}", tally.rejected, tally.lines(),
                       tally.lines() == 1 ? "line" : "lines", settings.events.string(),
                       tally.first_rejected_line, tally.first_rejected_reason));
}

std::vector<std::string> to_arguments(const CommonOptions& options) {
  return {"--events=" + options.settings.events.string(),
          "--workers=" + std::to_string(options.settings.workers),
          "--deadline=" + std::to_string(options.settings.deadline.count()),
          "--log-level=" + options.log_level};
}

std::string version_line(std::string_view program) {
  return fmt::format("{} {} (Boost {})", program, project_version(), boost_version());
}

std::string_view project_version() {
  return PROJECT_VERSION;
}

std::string boost_version() {
  return fmt::format("{}.{}.{}", BOOST_VERSION / 100'000, BOOST_VERSION / 100 % 1000,
                     BOOST_VERSION % 100);
}

void log_to_stderr(const std::string& level) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("", std::move(sink)));
  spdlog::set_level(spdlog::level::from_str(level));
}

int exit_code_of(std::string_view program, const std::function<int()>& body) try {
  const int code = body();
  if (!std::cout.flush()) throw std::runtime_error("cannot write to standard output");
  return code;
} catch (const Interrupted& interrupted) {
  end_by(interrupted.signal);
} catch (const UsageError& error) {
  complain(program, error.what());
  return 2;
} catch (const std::exception& error) {
  complain(program, error.what());
  return 1;
}

void complain(std::string_view program, std::string_view what) {
  std::cerr << program << ": " << one_line(what) << "\n" << std::flush;
}

}  // namespace scenario
