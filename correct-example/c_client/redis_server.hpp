// A Redis server of one's own, for the example and its tests: nothing of the system is touched.
#pragma once

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace redis {

/// Listens on a Unix socket in a temporary folder, keeps its data in memory, and ends with the
/// object, or with the thread that made it. For one thread at a time.
class Server {
 public:
  /// This machine has no server.
  struct Missing : std::runtime_error {
    Missing() : runtime_error("no redis-server here: install redis-tools (Debian) or redis") {}
  };

  /// Returns when the server accepts connections. Throws Missing, std::system_error, and
  /// std::runtime_error if the server does not start.
  Server() {
    const char* const chosen = std::getenv("TMPDIR");
    folder_ = std::string(chosen != nullptr && *chosen != 0 ? chosen : "/tmp") + "/redis-XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr)
      throw std::system_error(errno, std::system_category(), folder_);
    try {
      start();
    } catch (...) {
      remove_folder();
      throw;
    }
  }
  ~Server() {
    kill();
    remove_folder();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string socket() const { return folder_ + "/socket"; }
  /// Returns when no thread of the server runs any more. What is sent to it waits.
  void pause() const {
    ::kill(process_, SIGSTOP);
    ::waitpid(process_, nullptr, WUNTRACED);
  }
  void resume() const { ::kill(process_, SIGCONT); }
  /// Without a word to anyone, paused or not. Returns when it is gone.
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(std::exchange(process_, -1), nullptr, 0);
  }

 private:
  void start() {
    std::array<int, 2> output{};
    if (::pipe2(output.data(), O_CLOEXEC) != 0)
      throw std::system_error(errno, std::system_category(), "pipe");
    const std::string its_socket = socket();
    process_ = ::fork();
    if (process_ == 0) become_the_server(its_socket.c_str(), output[1]);
    ::close(output[1]);
    std::FILE* const log = ::fdopen(output[0], "r");
    std::string said;
    for (int next = 0; !said.ends_with("eady to accept connections");
         said += static_cast<char>(next)) {
      if ((next = std::fgetc(log)) == EOF) break;
    }
    const bool is_ready = said.ends_with("eady to accept connections");
    std::fclose(log);  // from here on it logs to nobody
    if (is_ready) return;
    int status = 0;
    if (process_ > 0) ::waitpid(process_, &status, 0);
    process_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == is_missing) throw Missing();
    while (said.ends_with('\n')) said.pop_back();
    throw std::runtime_error("redis-server did not start: " + said.substr(said.rfind('\n') + 1));
  }
  /// In the child, where nothing may be allocated.
  [[noreturn]] static void become_the_server(const char* its_socket, int output) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(output, STDOUT_FILENO);
    // In Debian's redis-tools, one program is both, and its name says which.
    for (const char* program : {"redis-server", "redis-check-rdb"}) {
      ::execlp(program, "redis-server", "--port", "0", "--unixsocket", its_socket, "--save", "",
               "--daemonize", "no", nullptr);
    }
    ::_exit(is_missing);
  }
  void remove_folder() const {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  static constexpr int is_missing = 127;

  std::string folder_;
  pid_t process_ = -1;
};

}  // namespace redis
