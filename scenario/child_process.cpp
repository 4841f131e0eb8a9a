// POSIX only: posix_spawn, pipes, signals. Boost.Process is not used because its version 2 is
// header-only in Boost 1.81, a library to link in 1.88, and has no process group in either.
#include "scenario/child_process.hpp"

#include <boost/algorithm/string/predicate.hpp>
#include <boost/asio.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/runtime_symbol_info.hpp>

extern char** environ;

namespace scenario {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// A signal that is held is noticed after this time at the latest.
constexpr std::chrono::milliseconds longest_look_away = 20ms;
// What a child that was told to end has for its clean-up; then it is killed.
constexpr std::chrono::milliseconds time_to_clean_up = 5s;
// Attaching to a large program on a busy machine takes seconds.
constexpr std::chrono::milliseconds debugger_time_limit = 30s;

const std::array<int, 3> signals_to_hold{SIGINT, SIGTERM, SIGHUP};

::sigset_t set_of(const std::array<int, 3>& numbers) {
  ::sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) ::sigaddset(&set, number);
  return set;
}

/// Takes one of them off the list of those that wait, if they are held and one has come.
std::optional<int> take_held_signal() {
  ::sigset_t held;
  ::sigset_t pending;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &held);
  ::sigpending(&pending);
  for (const int number : signals_to_hold) {
    if (::sigismember(&held, number) == 0 || ::sigismember(&pending, number) == 0) continue;
    const auto only = set_of({number, number, number});
    int taken = 0;
    ::sigwait(&only, &taken);
    return taken;
  }
  return std::nullopt;
}

std::vector<std::string> environment_with(const std::vector<std::string>& added) {
  const auto name_of = [](std::string_view assignment) {
    return assignment.substr(0, assignment.find('='));
  };
  std::vector<std::string> all = added;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (std::ranges::find(added, name_of(*entry), name_of) == added.end()) all.emplace_back(*entry);
  return all;
}

std::vector<char*> null_terminated(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// posix_spawn() with the three standard streams on pipes. The child has a session of its own:
/// a process group, which the watchdog can end as a whole, and no terminal that would stop gdb.
::pid_t spawn(const std::filesystem::path& program, const std::vector<std::string>& arguments,
              const std::vector<std::string>& environment, const std::array<int, 3>& streams) {
  std::vector<std::string> argument_strings{program.string()};
  argument_strings.insert(argument_strings.end(), arguments.begin(), arguments.end());
  auto environment_strings = environment_with(environment);

  ::posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (int stream = 0; stream < 3; ++stream)
    ::posix_spawn_file_actions_adddup2(&actions, streams.at(stream), stream);
  ::posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::sigset_t signals;
  ::sigemptyset(&signals);
  ::posix_spawnattr_setsigmask(&attributes, &signals);
  ::sigaddset(&signals, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &signals);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  ::pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes,
                                  null_terminated(argument_strings).data(),
                                  null_terminated(environment_strings).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw std::system_error(error, std::generic_category(), "cannot start " + program.string());
  return pid;
}

/// A pipe that a child inherits by the copy of its end only.
void connect(asio::readable_pipe& read_end, asio::writable_pipe& write_end) {
  asio::connect_pipe(read_end, write_end);
  ::fcntl(read_end.native_handle(), F_SETFD, FD_CLOEXEC);
  ::fcntl(write_end.native_handle(), F_SETFD, FD_CLOEXEC);
}

/// Writing to a child that does not read is an error here, and no signal.
class SigpipeIgnored {
 public:
  SigpipeIgnored() : before_(std::signal(SIGPIPE, SIG_IGN)) {}
  ~SigpipeIgnored() { std::signal(SIGPIPE, before_); }
  SigpipeIgnored(const SigpipeIgnored&) = delete;
  SigpipeIgnored& operator=(const SigpipeIgnored&) = delete;

 private:
  void (*before_)(int);
};

void rethrow(std::exception_ptr failure) {
  if (failure) std::rethrow_exception(failure);
}

using OnOutput = std::function<void(const std::string&, RunningChild&)>;

/// A started process and this side's ends of its pipes. Its destructor leaves nothing running.
class Child final : public RunningChild {
 public:
  Child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
        const ChildOptions& options, const OnOutput& on_output);
  ~Child() override;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void send(std::string_view input) override;
  void signal(int number) override {
    if (pid_ > 0) ::kill(pid_, number);
  }
  void end_after(std::chrono::milliseconds time) override { limit_ = begun_ + time; }
  void collect_stacks() override;

  ChildResult run();

 private:
  asio::awaitable<void> read(asio::readable_pipe& from, std::string& to);
  asio::awaitable<void> write();
  bool has_ended() const;
  bool wait_until_ended();
  void await_sigchld();
  void pass_on_and_throw(int number);
  void kill_with_its_own_children();

  const ChildOptions options_;
  const OnOutput& on_output_;
  const SigpipeIgnored sigpipe_ignored_;
  asio::io_context context_{1};
  asio::signal_set sigchld_{context_, SIGCHLD};
  asio::writable_pipe in_{context_};
  asio::readable_pipe out_{context_};
  asio::readable_pipe err_{context_};
  std::string unsent_;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point limit_ = begun_ + options_.time_limit;
  ::pid_t pid_ = -1;
  ChildResult result_;
};

Child::Child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
             const ChildOptions& options, const OnOutput& on_output)
    : options_(options), on_output_(on_output), unsent_(options.input) {
  asio::readable_pipe its_in(context_);
  asio::writable_pipe its_out(context_);
  asio::writable_pipe its_err(context_);
  connect(its_in, in_);
  connect(out_, its_out);
  connect(err_, its_err);
  pid_ = spawn(program, arguments, options.environment,
               {its_in.native_handle(), its_out.native_handle(), its_err.native_handle()});
}

Child::~Child() {
  if (pid_ > 0) kill_with_its_own_children();
}

void Child::send(std::string_view input) {
  const bool idle = unsent_.empty();
  unsent_ += input;
  if (idle) asio::co_spawn(context_, write(), asio::detached);
}

ChildResult Child::run() {
  asio::co_spawn(context_, read(out_, result_.out), rethrow);  // what the callback throws
  asio::co_spawn(context_, read(err_, result_.err), asio::detached);
  asio::co_spawn(context_, write(), asio::detached);
  await_sigchld();

  result_.timed_out = !wait_until_ended();
  result_.duration = Clock::now() - begun_;
  if (result_.timed_out && options_.collect_stacks && result_.stacks.empty()) collect_stacks();
  kill_with_its_own_children();
  while (context_.poll() > 0) {  // what is still in the pipes; others may hold their ends open
  }
  return std::move(result_);
}

void Child::collect_stacks() {
  ChildOptions gdb_options{.time_limit = debugger_time_limit};
  gdb_options.environment = {"DEBUGINFOD_URLS="};  // no look at the network
  const auto gdb = run_child("/usr/bin/env",
                             {"gdb", "--batch", "-nx", "-p", std::to_string(pid_), "-ex",
                              "set print frame-arguments none", "-ex", "thread apply all bt"},
                             gdb_options);
  result_.stacks = thin_stacks(gdb.out);
}

asio::awaitable<void> Child::read(asio::readable_pipe& from, std::string& to) {
  std::vector<char> bytes(64 * 1024);
  for (;;) {
    const auto [error, size] =
        co_await from.async_read_some(asio::buffer(bytes), asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    to.append(bytes.data(), size);
    if (&from == &out_ && on_output_) on_output_(to, *this);
  }
}

asio::awaitable<void> Child::write() {
  while (!unsent_.empty()) {
    const auto [error, size] =
        co_await in_.async_write_some(asio::buffer(unsent_), asio::as_tuple(asio::use_awaitable));
    if (error) break;  // the child reads no more
    unsent_.erase(0, size);
  }
  if (!options_.keep_input_open) in_.close();
}

// Looks without reaping: until it is reaped, its process group's number cannot be given to others.
bool Child::has_ended() const {
  ::siginfo_t info{};
  const int result = ::waitid(P_PID, static_cast<::id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return result == 0 && info.si_pid == pid_;
}

/// False at the time limit. The end of the pipes would be no sign: a child's own children may hold
/// them open.
bool Child::wait_until_ended() {
  while (!has_ended()) {
    if (Clock::now() >= limit_) return false;
    context_.run_one_until(std::min(limit_, Clock::now() + longest_look_away));
    if (const auto number = take_held_signal()) pass_on_and_throw(*number);
  }
  return true;
}

/// Each SIGCHLD wakes wait_until_ended(), which looks whose it was.
void Child::await_sigchld() {
  sigchld_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) await_sigchld();
  });
}

void Child::pass_on_and_throw(int number) {
  signal(number);
  limit_ = Clock::now() + time_to_clean_up;
  wait_until_ended();
  throw Interrupted(number);
}

void Child::kill_with_its_own_children() {
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
}

/// The name of a frame's function, without its parameters, if it is of this repository's programs
/// or a mutex; "#7  0x0000 in app::Client::flush(...) (...)" has one.
std::string name_of_interest(std::string_view frame) {
  const auto in = frame.find(" in ");
  auto name = frame.substr(in == frame.npos ? std::min(frame.find(' '), frame.size()) : in + 4);
  name.remove_prefix(std::min(name.find_first_not_of(" _"), name.size()));
  name = name.substr(0, name.find_first_of("( "));
  const bool ours = name.starts_with("app::") || name.find("_problem::") < name.find("::") ||
                    name.find("_example::") < name.find("::");
  return ours || name == "pthread_mutex_lock" ? std::string(name) : std::string{};
}

std::optional<std::string> finding_in(std::string_view line) {
  constexpr std::string_view undefined = "runtime error: ";
  if (const auto found = line.find(undefined); found != line.npos)
    return "UndefinedBehaviorSanitizer: " + std::string(line.substr(found + undefined.size()));
  for (const std::string_view before : {"ERROR: ", "WARNING: "}) {
    const auto found = line.find(before);
    if (found == line.npos) continue;
    const auto finding = line.substr(found + before.size());
    const auto sanitizer = finding.substr(0, finding.find(": "));
    if (!sanitizer.ends_with("Sanitizer") || sanitizer == finding) continue;
    return std::string(finding.substr(0, std::min(finding.find(" on "), finding.find(" ("))));
  }
  return std::nullopt;
}

}  // namespace

SignalsHeld::SignalsHeld() noexcept {
  const auto set = set_of(signals_to_hold);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalsHeld::~SignalsHeld() {
  const auto set = set_of(signals_to_hold);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

ChildResult run_child(const std::filesystem::path& program,
                      const std::vector<std::string>& arguments, const ChildOptions& options,
                      const OnOutput& on_output) {
  return Child(program, arguments, options, on_output).run();
}

std::filesystem::path this_program() {
  return boost::dll::program_location();
}

void depend_on_parent([[maybe_unused]] int parent_process) {
#ifdef __linux__
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent_process) ::_exit(1);
#ifdef PR_SET_PTRACER
  ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
#endif
#endif
}

int this_process() {
  return ::getpid();
}

void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  ::_exit(128 + signal);
}

std::vector<std::string> thin_stacks(std::string_view gdb_output) {
  std::vector<std::string> thin;
  std::istringstream lines{std::string(gdb_output)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Thread ")) thin.push_back(line.substr(0, line.find(' ', 7)) + ":");
    if (thin.empty() || !line.starts_with('#')) continue;
    const auto name = name_of_interest(line);
    if (!name.empty() && !thin.back().ends_with(name)) thin.push_back("  " + name);
  }
  return thin;
}

std::optional<std::string> sanitizer_finding(std::string_view standard_error) {
  std::istringstream lines{std::string(standard_error)};
  for (std::string line; std::getline(lines, line);)
    if (auto finding = finding_in(line)) return finding;
  return std::nullopt;
}

}  // namespace scenario
