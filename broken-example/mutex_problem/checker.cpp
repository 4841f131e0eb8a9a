// The receiver's mistake, with the library's suspension checker on.
#include "runtime_sharing/suspension_checker.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "experiments.hpp"
#include "runtime.hpp"
#include <array>
#include <atomic>
#include <filesystem>
#include <string>

namespace mutex_problem {
namespace {

namespace checked = runtime_sharing::checked;  // in every build: it is what is shown here

boost::json::object finding;  // written before `found` is set, not after
std::atomic<bool> found{false};

void note(const checked::HeldLock& held) {
  const std::filesystem::path file = held.taken_at.file_name();
  finding["lock"] = held.lock;
  finding["taken_at"] = file.filename().string() + ":" + std::to_string(held.taken_at.line());
  finding["task"] = held.task;
  found = true;
}

// The receiver of client.cpp, cut down to its mistake.
// [checked-guard]
asio::awaitable<void> receive(checked::Mutex& mutex, asio::ip::tcp::endpoint server) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer("alice\n", 6), asio::use_awaitable);
  // The runtime must not go away while an event is under way.
  // [tidy-guard]
  const checked::Lock guard(mutex);
  // [/tidy-guard]
  std::array<char, 1> byte{};
  co_await socket.async_read_some(asio::buffer(byte), asio::use_awaitable);
}
// [/checked-guard]

/// Where the guard stands, as the checker shall say it. Counted here, not by the checker.
const auto line_of_the_guard = "checker.cpp:" + std::to_string(__LINE__ - 8);

}  // namespace

// The finding comes while the receiver is suspended, and nobody else needs to want the lock.
Experiment checker() {
  return session(
      {.name = "checker",
       .expected = Outcome::undefined,
       .summary = "a checker names the guard at the suspension",
       .facts = {is("lock", "runtime"), is("taken_at", boost::json::string(line_of_the_guard)),
                 is("task", "event receiver"), is("still_suspended", true)}},
      [](Surroundings& surroundings, Client&) -> asio::awaitable<Observation> {
        checked::set_report_function(note);
        surroundings.homeserver.fall_silent();
        checked::Mutex mutex("runtime");
        std::atomic<bool> received{false};
        Runtime runtime(1, surroundings.threads);

        asio::co_spawn(checked::executor(runtime.get_executor(), "event receiver"),
                       receive(mutex, surroundings.homeserver.endpoint()),
                       [&received](std::exception_ptr failure) {
                         scenario::end_on_failure(failure);
                         received = true;
                       });
        co_await surroundings.ui.until([&] { return found || received; });
        boost::json::object facts = finding;
        facts["still_suspended"] = !received;
        // The server answers whom it knows.
        co_await surroundings.ui.until([&] { return surroundings.homeserver.sign_ins() == 1; });
        surroundings.homeserver.push(one_event);
        surroundings.homeserver.speak();
        co_await surroundings.ui.until([&] { return received.load(); });

        co_return Observation{found ? Outcome::undefined : Outcome::finished, std::move(facts)};
      });
}

}  // namespace mutex_problem
