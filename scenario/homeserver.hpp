#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
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
    bool trickle = false;  ///< send byte by byte, each in a packet of its own
    /// Called on the server's thread with what it failed by: no descriptor, the file unreadable.
    std::function<void(std::exception_ptr)> on_failure = [](std::exception_ptr) {};
  };

  /// Throws std::system_error, naming the file, if the events file cannot be opened.
  explicit Homeserver(Options options);
  ~Homeserver();
  Homeserver(const Homeserver&) = delete;
  Homeserver& operator=(const Homeserver&) = delete;

  boost::asio::ip::tcp::endpoint endpoint() const;

  /// From now on nothing is sent; connections stay open. push() is remembered for speak().
  void fall_silent();
  void speak();

  /// Sends one more line to everyone signed in, after what is already on its way.
  void push(std::string line);

  /// Closes every connection, in the middle of a line if there is one on its way.
  void drop_connections();

  /// Users signed in and connected at this moment.
  int connections() const noexcept;
  /// Sign-ins so far.
  int sign_ins() const noexcept;
  /// Pushed lines that were sent so far, counted for each client that they went to.
  int lines_pushed() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace scenario
