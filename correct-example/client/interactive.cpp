// The client on a terminal. Everything here runs on the UI loop, the main thread.

#include "interactive.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/algorithm/string/trim.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>

#include "client.hpp"
#include <csignal>
#include <fcntl.h>
#include <iostream>
#include <sstream>
#include <unistd.h>

namespace correct_example {
namespace {

namespace asio = boost::asio;
using app::Client;
using runtime_sharing::Deadlines;
using runtime_sharing::Runtime;
using runtime_sharing::ShutdownReport;
using scenario::Settings;
using scenario::Surroundings;
using namespace std::chrono_literals;

constexpr std::string_view help_text =
    "login NAME   sign in: starts the runtime of a new generation\n"
    "logout       end the session: stop accepting, tell, wait, ...\n"
    "status       what runs at this moment\n"
    "deaf         add a task that does not listen, for logout to find\n"
    "quit         log out and leave (so does Ctrl-C; twice forces)\n";

/// Asio makes standard input non-blocking, and whoever shares the terminal would inherit that.
class InputFlags {
 public:
  InputFlags() : flags_(fcntl(STDIN_FILENO, F_GETFL)) {}
  ~InputFlags() { fcntl(STDIN_FILENO, F_SETFL, flags_); }
  InputFlags(const InputFlags&) = delete;
  InputFlags& operator=(const InputFlags&) = delete;

 private:
  const int flags_;
};

class Conversation {
 public:
  explicit Conversation(const Settings& settings)
      : surroundings_(settings),
        client_(surroundings_),
        input_(surroundings_.ui.executor(), ::dup(STDIN_FILENO)),
        signals_(surroundings_.ui.executor(), SIGINT, SIGTERM, SIGHUP),
        progress_(surroundings_.ui.executor()) {}

  int run() {
    await_signal();
    surroundings_.ui.run(converse());
    signals_.cancel();
    return forced_by_ == 0 ? 0 : 128 + forced_by_;
  }

 private:
  asio::awaitable<void> converse() {
    if (isatty(STDIN_FILENO)) std::cout << help_text;
    while (!leaving_) {
      prompt();
      boost::system::error_code error;
      const std::size_t size =
          co_await asio::async_read_until(input_, asio::dynamic_buffer(typed_), '\n',
                                          asio::redirect_error(asio::use_awaitable, error));
      if (error && error != asio::error::eof) break;  // Ctrl-C closed the input
      std::string line = typed_.substr(0, error ? typed_.size() : size);
      typed_.erase(0, line.size());
      leaving_ = leaving_ || error == asio::error::eof;
      boost::algorithm::trim(line);
      if (!line.empty()) co_await obey(line);
    }
    co_await log_out();
    say("bye");
  }

  asio::awaitable<void> obey(const std::string& line) {
    std::istringstream words(line);
    std::string command, argument, excess;
    words >> command >> argument >> excess;
    const bool takes_argument = command == "login";
    if (takes_argument == argument.empty() || !excess.empty()) {
      say("usage: login NAME | logout | status | deaf | quit | help");
    } else if (command == "login") {
      log_in(argument);
    } else if (command == "logout") {
      if (!client_.session()) say("nobody is signed in");
      co_await log_out();
    } else if (command == "status") {
      show_status();
    } else if (command == "deaf") {
      add_deaf_task();
    } else if (command == "quit") {
      leaving_ = true;
    } else if (command == "help") {
      std::cout << help_text << std::flush;
    } else {
      say("unknown command '" + command + "'; try help");
    }
  }

  void log_in(const std::string& user) {
    if (client_.session()) return say(client_.session()->user + " is signed in; logout first");
    client_.login(user);
    say(user + " is signed in, on generation " +
        std::to_string(client_.session()->runtime->generation()) + " of the runtime");
  }

  void show_status() {
    const auto session = client_.session();
    if (!session) return say("nobody is signed in");
    const auto& activity = *session->activity;
    say(session->user + ", generation " + std::to_string(session->runtime->generation()) + ": " +
        std::to_string(activity.events_handled) + " events and " +
        std::to_string(activity.samples_stored) + " samples stored, tasks: " +
        boost::algorithm::join(session->runtime->scope().unfinished(), ", "));
  }

  void add_deaf_task() {
    if (!client_.session()) return say("nobody is signed in");
    client_.session()->components.spawn("deaf", []() -> asio::awaitable<void> {
      asio::steady_timer timer(co_await asio::this_coro::executor,
                               asio::steady_timer::time_point::max());
      co_await timer.async_wait(asio::use_awaitable);
    });
    say("a deaf task was added");
  }

  /// Shows who is waited for while the session drains.
  asio::awaitable<void> log_out() {
    if (!client_.session()) co_return;
    ending_ = client_.session()->runtime;
    bool done = false;
    asio::co_spawn(
        surroundings_.ui.executor(),
        [&]() -> asio::awaitable<void> {
          std::ostringstream report;
          report << co_await client_.logout();
          say(report.str());
        },
        [&](std::exception_ptr) {
          done = true;
          progress_.cancel();
        });
    std::string shown;
    while (!done) {
      progress_.expires_after(100ms);
      co_await progress_.async_wait(asio::as_tuple(asio::use_awaitable));
      if (!done) show_who_is_waited_for(shown);
    }
    ending_.reset();
  }

  void show_who_is_waited_for(std::string& shown) {
    // The pool waits for the others: it is not the one to name.
    auto names = ending_->scope().unfinished();
    std::erase(names, "pool");
    const std::string text = "waiting for " + std::to_string(names.size()) +
                             (names.size() == 1 ? " task: " : " tasks: ") +
                             boost::algorithm::join(names, ", ");
    if (!names.empty() && text != std::exchange(shown, text)) say(text);
  }

  void await_signal() {
    signals_.async_wait([this](boost::system::error_code error, int number) {
      if (error) return;
      if (++signals_received_ == 1) {
        leaving_ = true;
        say("\nlogging out; once more forces");
        input_.cancel();
      } else {
        forced_by_ = number;
        say("\nforced");
        // A later shutdown of the same runtime shortens the deadlines of the first.
        if (ending_) ending_->async_shutdown(Deadlines::immediate(), asio::detached);
      }
      await_signal();
    });
  }

  void prompt() {
    if (!isatty(STDIN_FILENO)) return;
    std::cout << (client_.session() ? client_.session()->user : "nobody") << "> " << std::flush;
  }

  void say(const std::string& text) { std::cout << text << '\n' << std::flush; }

  Surroundings surroundings_;
  Client client_;
  InputFlags input_flags_;
  asio::posix::stream_descriptor input_;
  std::string typed_;
  asio::signal_set signals_;
  asio::steady_timer progress_;
  std::shared_ptr<Runtime> ending_;  // while a logout is under way
  bool leaving_ = false;             // after what is being done now
  int signals_received_ = 0;         // the first is graceful, the second forces
  int forced_by_ = 0;                // the signal that forced the end
};

}  // namespace

int interactive(const Settings& settings) {
  return Conversation(settings).run();
}

}  // namespace correct_example
