// POSIX only: posix_spawn, pipes, signals. Boost.Process is not used because its version 2 is
// header-only in Boost 1.81, a library to link in 1.88, and has no process group in either.
#include "scenario/child_process.hpp"

#include <boost/asio.hpp>
#include <boost/regex.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
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

// The end of a child, or a signal that is held, is noticed after this time at the latest.
constexpr std::chrono::milliseconds longest_look_away = 2ms;
// What a child that was told to end has for its clean-up; then it is killed.
constexpr std::chrono::milliseconds time_to_clean_up = 5s;
// Attaching to a large program on a busy machine takes seconds.
constexpr std::chrono::milliseconds debugger_time_limit = 30s;

::sigset_t set_of(const std::vector<int>& numbers) {
  ::sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) ::sigaddset(&set, number);
  return set;
}

const ::sigset_t signals_to_hold = set_of({SIGINT, SIGTERM, SIGHUP});

/// posix_spawn() with the three standard streams redirected. The child has a session of its own:
/// a process group, which the watchdog can end as a whole, and no terminal that would stop gdb.
::pid_t spawn(const std::filesystem::path& program, const std::vector<std::string>& arguments,
              const std::array<int, 3>& streams) {
  std::vector<std::string> strings{program.string()};
  strings.insert(strings.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& string : strings) argv.push_back(string.data());
  argv.push_back(nullptr);

  ::posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  int stream = 0;
  for (const int end : streams) ::posix_spawn_file_actions_adddup2(&actions, end, stream++);
  ::posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  const auto none = set_of({});
  const auto sigpipe = set_of({SIGPIPE});
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &sigpipe);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  ::pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw std::system_error(error, std::generic_category(), "cannot start " + program.string());
  return pid;
}

/// A started process and this side's ends of its streams. Its destructor leaves nothing running.
class Child final : public RunningChild {
 public:
  Child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
        const ChildOptions& options, const OnOutput& on_output)
      : options_(options), on_output_(on_output) {
    asio::local::stream_protocol::socket its_in(context_);
    asio::writable_pipe its_out(context_);
    asio::writable_pipe its_err(context_);
    asio::local::connect_pair(its_in, in_);
    asio::connect_pipe(out_, its_out);
    asio::connect_pipe(err_, its_err);
    // The child inherits copies of its ends only.
    for (const int end : {its_in.native_handle(), in_.native_handle(), out_.native_handle(),
                          its_out.native_handle(), err_.native_handle(), its_err.native_handle()})
      ::fcntl(end, F_SETFD, FD_CLOEXEC);
    pid_ = spawn(program, arguments,
                 {its_in.native_handle(), its_out.native_handle(), its_err.native_handle()});
  }
  ~Child() override {
    if (pid_ > 0) kill_with_its_own_children();
  }

  void signal(int number) override {
    if (pid_ > 0) ::kill(pid_, number);
  }

  void end_after(std::chrono::milliseconds time) override { limit_ = begun_ + time; }

  void collect_stacks() override {
    // Without those URLS it does not look for anything in the network.
    const auto gdb =
        run_child("/usr/bin/env",
                  {"DEBUGINFOD_URLS=", "gdb", "--batch", "-nx", "-p", std::to_string(pid_), "-ex",
                   "set print frame-arguments none", "-ex", "thread apply all bt"},
                  {.time_limit = debugger_time_limit});
    result_.stacks = thin_stacks(gdb.out);
  }

  ChildResult run() {
    asio::co_spawn(context_, read(out_, result_.out), [](std::exception_ptr thrown) {
      if (thrown) std::rethrow_exception(thrown);  // by the callback
    });
    asio::co_spawn(context_, read(err_, result_.err), asio::detached);
    asio::co_spawn(context_, write(), asio::detached);

    result_.timed_out = !wait_until_ended();
    result_.duration = Clock::now() - begun_;
    if (result_.timed_out && options_.collect_stacks && result_.stacks.empty()) collect_stacks();
    kill_with_its_own_children();
    while (context_.poll() > 0) {  // what is still in the pipes; others may hold their ends open
    }
    return std::move(result_);
  }

 private:
  asio::awaitable<void> read(asio::readable_pipe& from, std::string& to) {
    std::vector<char> bytes(64 * 1024);
    for (;;) {
      const auto [error, size] =
          co_await from.async_read_some(asio::buffer(bytes), asio::as_tuple(asio::use_awaitable));
      if (error) co_return;
      to.append(bytes.data(), size);
      if (&from == &out_ && on_output_) on_output_(to, *this);
    }
  }

  asio::awaitable<void> write() {
    // An error says that the child reads no more.
    co_await asio::async_write(in_, asio::buffer(options_.input),
                               asio::as_tuple(asio::use_awaitable));
    if (!options_.keep_input_open) in_.close();
  }

  // Looks without reaping: until then its process group's number cannot be given to others.
  bool has_ended() const {
    ::siginfo_t info{};  // and so it stays while the child runs
    ::waitid(P_PID, static_cast<::id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid == pid_;
  }

  /// False at the time limit. The end of the pipes would be no sign: a child's own children may
  /// hold them open.
  bool wait_until_ended() {
    while (!has_ended()) {
      if (Clock::now() >= limit_) return false;
      context_.run_one_until(std::min(limit_, Clock::now() + longest_look_away));
      const ::timespec at_once{};
      const int held = ::sigtimedwait(&signals_to_hold, nullptr, &at_once);
      if (held > 0) pass_on_and_throw(held);
    }
    return true;
  }

  void pass_on_and_throw(int number) {
    signal(number);
    limit_ = Clock::now() + time_to_clean_up;
    wait_until_ended();
    throw Interrupted(number);
  }

  void kill_with_its_own_children() {
    ::kill(-pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
  }

  const ChildOptions options_;
  const OnOutput& on_output_;
  asio::io_context context_{1};
  // Waits go on when all streams are closed.
  const asio::executor_work_guard<asio::io_context::executor_type> keep_running_{
      context_.get_executor()};
  asio::local::stream_protocol::socket in_{context_};  // a pipe would raise SIGPIPE here
  asio::readable_pipe out_{context_};
  asio::readable_pipe err_{context_};
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point limit_ = begun_ + options_.time_limit;
  ::pid_t pid_ = -1;
  ChildResult result_;
};

}  // namespace

SignalsHeld::SignalsHeld() noexcept {
  ::pthread_sigmask(SIG_BLOCK, &signals_to_hold, nullptr);
}

SignalsHeld::~SignalsHeld() {
  ::pthread_sigmask(SIG_UNBLOCK, &signals_to_hold, nullptr);
}

ChildResult run_child(const std::filesystem::path& program,
                      const std::vector<std::string>& arguments, const ChildOptions& options,
                      const OnOutput& on_output) {
  return Child(program, arguments, options, on_output).run();
}

std::string ending_of(const ChildResult& child) {
  if (child.timed_out)
    return fmt::format("ended by the watchdog after {:.1f} s", child.duration.count() / 1000);
  if (child.signal != 0)
    return fmt::format("ended by signal {} ({})", child.signal, ::strsignal(child.signal));
  return fmt::format("ended with exit code {}", child.exit_code.value_or(-1));
}

std::filesystem::path this_program() {
  return boost::dll::program_location();
}

void depend_on_parent([[maybe_unused]] int parent_process) {
#ifdef __linux__
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent_process) ::_exit(1);
  ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
#endif
}

void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  ::_exit(128 + signal);
}

std::vector<std::string> thin_stacks(std::string_view gdb_output) {
  // "Thread 2 (...", or a frame, "#7  0x0000 in app::Client::flush(...) (...)".
  const boost::regex head_or_frame(
      R"(^(Thread \d+)|^#\d+ +(?:\S+ in )?[ _]*)"
      R"(((?:app|\w*_problem|\w*_example)::[^( \n]*|pthread_mutex_lock)(?=[( ]|$))");
  std::vector<std::string> thin;
  const std::string text(gdb_output);
  for (boost::sregex_iterator found(text.begin(), text.end(), head_or_frame), none; found != none;
       ++found) {
    const auto& match = *found;
    if (match[1].matched) thin.push_back(match[1] + ":");
    const auto name = match[2].str();
    if (!name.empty() && !thin.empty() && !thin.back().ends_with(name)) thin.push_back("  " + name);
  }
  return thin;
}

std::optional<std::string> sanitizer_finding(std::string_view standard_error) {
  const boost::regex finding(
      R"(runtime error: (.*)|(?:ERROR|WARNING): (\w*Sanitizer: .*?)(?: on | \(|$))");
  boost::smatch match;
  const std::string text(standard_error);
  if (!boost::regex_search(text, match, finding, boost::match_not_dot_newline)) return std::nullopt;
  return match[1].matched ? "UndefinedBehaviorSanitizer: " + match[1] : match[2].str();
}

bool sanitizer_of_this_build([[maybe_unused]] std::string_view report) {
#if defined(WITH_ADDRESS_SANITIZER)
  return report.starts_with("AddressSanitizer");
#elif defined(WITH_THREAD_SANITIZER)
  return report.starts_with("ThreadSanitizer");
#else
  return false;
#endif
}

}  // namespace scenario
