// The one POSIX-only file: fork, exec, pipes, poll. Boost.Process is not used because its version 2
// is header-only in Boost 1.81, a library to link in 1.88, and has no process group in either.
#include "scenario/child_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/runtime_symbol_info.hpp>

extern char** environ;

namespace scenario {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// A child that ended is noticed at the latest after this time: its pipes may stay open in the
// hands of its own children, so that the end of its output is no sign.
constexpr std::chrono::milliseconds longest_poll = 5ms;
// Attaching to a large program on a busy machine takes seconds.
constexpr std::chrono::milliseconds debugger_time_limit = 30s;

std::system_error last_error(const std::string& what) {
  return {errno, std::generic_category(), what};
}

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  void close() {
    if (is_open()) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

// Never one of the three standard numbers, even if this process was started with those closed:
// the child's dup2 would overwrite it.
Descriptor above_standard(Descriptor descriptor) {
  Descriptor copy(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!copy.is_open()) throw last_error("fcntl");
  return copy;
}

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw last_error("pipe");
  Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  return {above_standard(std::move(read_end)), above_standard(std::move(write_end))};
}

void make_non_blocking(const Descriptor& descriptor) {
  const int flags = ::fcntl(descriptor.get(), F_GETFL);
  if (::fcntl(descriptor.get(), F_SETFL, flags | O_NONBLOCK) != 0) throw last_error("fcntl");
}

/// While it lives, writing to a pipe that nobody reads is EPIPE on this thread and no signal.
class SigpipeBlocked {
 public:
  SigpipeBlocked() {
    ::sigemptyset(&sigpipe_);
    ::sigaddset(&sigpipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~SigpipeBlocked() {
    sigset_t pending;
    ::sigpending(&pending);
    int taken = 0;
    if (::sigismember(&before_, SIGPIPE) == 0 && ::sigismember(&pending, SIGPIPE) == 1)
      ::sigwait(&sigpipe_, &taken);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;

 private:
  sigset_t sigpipe_{};
  sigset_t before_{};
};

std::string_view variable_name(std::string_view assignment) {
  return assignment.substr(0, assignment.find('='));
}

std::vector<std::string> environment_with(const std::vector<std::string>& added) {
  std::vector<std::string> all = added;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const auto replaces = [&](const auto& one) {
      return variable_name(one) == variable_name(*entry);
    };
    if (std::ranges::none_of(added, replaces)) all.emplace_back(*entry);
  }
  return all;
}

std::vector<char*> null_terminated(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// What exec needs, made before fork: between the two, memory may not be allocated.
struct Launch {
  const char* program;
  char* const* arguments;
  char* const* environment;
  int in;
  int out;
  int err;      // -1: inherited
  int failure;  // takes errno if exec fails, is closed if it does not
  ::pid_t parent;
};

[[noreturn]] void exit_with_error(const Launch& launch) {
  const int error = errno;
  [[maybe_unused]] const auto written = ::write(launch.failure, &error, sizeof error);
  ::_exit(127);
}

// The kernel's promise is bound to the thread that forked: run_child's caller, which waits.
void end_together_with_parent([[maybe_unused]] ::pid_t parent) {
#ifdef __linux__
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
#endif
}

// In the child, between fork and exec: only functions that are async-signal-safe.
[[noreturn]] void become_program(const Launch& launch) {
  // A session of its own, hence a process group, which the watchdog can end as a whole. And no
  // controlling terminal: a debugger that touches it would be stopped.
  ::setsid();
  end_together_with_parent(launch.parent);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const bool redirected = ::dup2(launch.in, STDIN_FILENO) >= 0 &&
                          ::dup2(launch.out, STDOUT_FILENO) >= 0 &&
                          (launch.err < 0 || ::dup2(launch.err, STDERR_FILENO) >= 0);
  if (redirected) ::execve(launch.program, launch.arguments, launch.environment);
  exit_with_error(launch);
}

/// Empty when exec succeeded: then the pipe's last write end is closed without a byte.
std::optional<int> exec_error(const Descriptor& failure) {
  int error = 0;
  ::ssize_t count = 0;
  do {
    count = ::read(failure.get(), &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  if (count == static_cast<::ssize_t>(sizeof error)) return error;
  return std::nullopt;
}

/// A started process and this side's ends of its pipes. Its destructor leaves nothing running.
class Child final : public RunningChild {
 public:
  Child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
        const ChildOptions& options);
  ~Child() override;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void send(std::string_view input) override { unsent_ += input; }
  void signal(int number) override {
    if (pid_ > 0) ::kill(pid_, number);
  }

  ::pid_t pid() const { return pid_; }
  bool has_ended() const;
  /// Waits for at most `time` until a pipe is ready, moves what can be moved; false: nothing was.
  bool move_data(std::chrono::milliseconds time);
  /// Ends it, if it still runs, and what it has started.
  void end();
  /// After end(): its wait status. Afterwards it has no number any more, and no signal reaches it.
  int reap();

  std::string out;
  std::string err;

 private:
  void start(const std::filesystem::path& program, const std::vector<std::string>& arguments,
             const ChildOptions& options);
  bool write_input();
  static bool read_some(Descriptor& from, std::string& to);

  ::pid_t pid_ = -1;
  Descriptor in_;
  Descriptor out_;
  Descriptor err_;
  std::string unsent_;
  bool keep_input_open_;
};

Child::Child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
             const ChildOptions& options)
    : unsent_(options.input), keep_input_open_(options.keep_input_open) {
  start(program, arguments, options);
  make_non_blocking(in_);
}

Child::~Child() {
  if (pid_ < 0) return;
  end();
  reap();
}

void Child::start(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                  const ChildOptions& options) {
  std::vector<std::string> argument_strings{program.string()};
  argument_strings.insert(argument_strings.end(), arguments.begin(), arguments.end());
  auto environment_strings = environment_with(options.environment);
  const auto argument_pointers = null_terminated(argument_strings);
  const auto environment_pointers = null_terminated(environment_strings);

  Pipe to_in = make_pipe();
  Pipe from_out = make_pipe();
  Pipe from_err = make_pipe();
  Pipe failure = make_pipe();
  const Launch launch{program.c_str(),
                      argument_pointers.data(),
                      environment_pointers.data(),
                      to_in.read_end.get(),
                      from_out.write_end.get(),
                      options.inherit_stderr ? -1 : from_err.write_end.get(),
                      failure.write_end.get(),
                      ::getpid()};

  const ::pid_t pid = ::fork();
  if (pid < 0) throw last_error("cannot start " + program.string());
  if (pid == 0) become_program(launch);
  pid_ = pid;
  failure.write_end.close();
  if (const auto error = exec_error(failure.read_end)) {
    end();
    reap();
    throw std::system_error(*error, std::generic_category(), "cannot start " + program.string());
  }
  in_ = std::move(to_in.write_end);
  out_ = std::move(from_out.read_end);
  err_ = std::move(from_err.read_end);
}

// Looks without reaping: until it is reaped, its process group's number cannot be given to others.
bool Child::has_ended() const {
  ::siginfo_t info{};
  const int result = ::waitid(P_PID, static_cast<::id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return result == 0 && info.si_pid == pid_;
}

bool Child::move_data(std::chrono::milliseconds time) {
  if (unsent_.empty() && !keep_input_open_) in_.close();
  // A negative descriptor is ignored by poll.
  std::array<::pollfd, 3> ready{{{unsent_.empty() ? -1 : in_.get(), POLLOUT, 0},
                                 {out_.get(), POLLIN, 0},
                                 {err_.get(), POLLIN, 0}}};
  if (::poll(ready.data(), ready.size(), static_cast<int>(time.count())) <= 0) return false;
  bool moved = false;
  if (ready[0].revents != 0) moved |= write_input();
  if (ready[1].revents != 0) moved |= read_some(out_, out);
  if (ready[2].revents != 0) moved |= read_some(err_, err);
  return moved;
}

bool Child::write_input() {
  const SigpipeBlocked blocked;
  const auto count = ::write(in_.get(), unsent_.data(), unsent_.size());
  if (count < 0) {
    if (errno == EPIPE) in_.close();
    return false;
  }
  unsent_.erase(0, static_cast<std::size_t>(count));
  return true;
}

bool Child::read_some(Descriptor& from, std::string& to) {
  std::array<char, 65536> buffer;
  const auto count = ::read(from.get(), buffer.data(), buffer.size());
  if (count > 0) to.append(buffer.data(), static_cast<std::size_t>(count));
  if (count == 0) from.close();
  return count > 0;
}

void Child::end() {
  ::kill(-pid_, SIGKILL);
  ::siginfo_t info{};
  while (::waitid(P_PID, static_cast<::id_t>(pid_), &info, WEXITED | WNOWAIT) < 0 &&
         errno == EINTR) {
  }
}

int Child::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

void store_status(ChildResult& result, int status) {
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
}

/// Calls the callback when there is more output than it has seen.
class OutputWatcher {
 public:
  using Callback = std::function<void(std::string_view, RunningChild&)>;
  OutputWatcher(Child& child, const Callback& callback) : child_(child), callback_(callback) {}

  void look() {
    if (child_.out.size() == seen_) return;
    seen_ = child_.out.size();
    if (callback_) callback_(child_.out, child_);
  }

 private:
  Child& child_;
  const Callback& callback_;
  std::size_t seen_ = 0;
};

/// Returns whether the child ended by itself before the time limit.
bool watch(Child& child, Clock::time_point time_limit, OutputWatcher& watcher) {
  while (!child.has_ended()) {
    if (Clock::now() >= time_limit) return false;
    child.move_data(longest_poll);
    watcher.look();
  }
  return true;
}

// Through env, which searches the PATH. DEBUGINFOD_URLS: no look at the network.
std::string stacks_of(::pid_t pid) try {
  ChildOptions options;
  options.time_limit = debugger_time_limit;
  options.environment = {"DEBUGINFOD_URLS="};
  const auto gdb = run_child("/usr/bin/env",
                             {"gdb", "--batch", "-nx", "-p", std::to_string(pid), "-ex",
                              "set print frame-arguments none", "-ex", "thread apply all bt"},
                             options);
  const bool has_frames = gdb.out.find("\n#0 ") != std::string::npos;
  return has_frames ? gdb.out : std::string{};
} catch (const std::system_error&) {
  return {};
}

}  // namespace

ChildResult run_child(const std::filesystem::path& program,
                      const std::vector<std::string>& arguments, const ChildOptions& options,
                      const std::function<void(std::string_view, RunningChild&)>& on_output) {
  const auto start = Clock::now();
  Child child(program, arguments, options);
  OutputWatcher watcher(child, on_output);

  ChildResult result;
  result.timed_out = !watch(child, start + options.time_limit, watcher);
  result.duration = Clock::now() - start;
  if (result.timed_out && options.collect_stacks) result.stacks = stacks_of(child.pid());
  child.end();
  while (child.move_data(0ms)) {
  }
  watcher.look();
  store_status(result, child.reap());
  result.out = std::move(child.out);
  result.err = std::move(child.err);
  return result;
}

std::filesystem::path this_program() {
  return boost::dll::program_location();
}

void allow_debugger() {
#ifdef PR_SET_PTRACER
  ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
#endif
}

}  // namespace scenario
