#pragma once

#include <boost/asio.hpp>
#include <boost/thread/thread.hpp>

#include <atomic>
#include <exception>
#include <filesystem>
#include <functional>
#include <set>
#include <string>

namespace scenario {

/// A homeserver on 127.0.0.1, on a port that the system chooses, with a thread and a context of
/// its own, so that it lives on whatever becomes of the client's runtime.
///
/// A client signs in by sending its user's name and a newline. The server then pushes the recorded
/// events file, newline-delimited, streamed and never loaded as a whole, ends its last line if the
/// file does not, and afterwards either keeps the connection open (a live session) or closes it (a
/// replay).
///
/// All member functions may be called from any thread and return at once.
class Homeserver {
 public:
  enum class AfterReplay { keep_open, close };

  struct Options {
    std::filesystem::path events;  ///< empty: push nothing on sign-in
    AfterReplay after_replay = AfterReplay::keep_open;
    /// Called on the server's thread with what it failed by: no descriptor, the file unreadable.
    std::function<void(std::exception_ptr)> on_failure = [](std::exception_ptr) {};
  };

  /// Throws std::system_error, naming the file, if the events file cannot be opened.
  explicit Homeserver(Options options);
  ~Homeserver();

  boost::asio::ip::tcp::endpoint endpoint() const { return endpoint_; }

  /// From now on nothing is sent but what is on its way; connections stay open. push() is
  /// remembered for speak().
  void fall_silent();
  void speak();

  /// Sends one more line to everyone signed in, after what is already on its way.
  void push(std::string line);

  /// Closes every connection, in the middle of a line if there is one on its way.
  void drop_connections();

  /// Users signed in and connected at this moment.
  int connections() const noexcept { return connections_; }
  int sign_ins() const noexcept { return sign_ins_; }
  /// Pushed lines that were sent so far, counted for each client that they went to.
  int lines_pushed() const noexcept { return lines_pushed_; }

 private:
  struct Session;

  boost::asio::awaitable<void> accept_clients();

  const Options options_;
  std::atomic<int> connections_{0};
  std::atomic<int> sign_ins_{0};
  std::atomic<int> lines_pushed_{0};

  // The server's thread alone uses these.
  bool silent_ = false;
  std::set<Session*> sessions_;  // of every accepted client
  boost::asio::io_context context_{1};
  boost::asio::ip::tcp::acceptor acceptor_{context_, {boost::asio::ip::address_v4::loopback(), 0}};

  const boost::asio::ip::tcp::endpoint endpoint_ = acceptor_.local_endpoint();
  boost::thread thread_;  // last: everything above is there before it starts
};

}  // namespace scenario
