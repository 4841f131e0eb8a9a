// 14 who dies first · the wait is ended, and the frame is gone before either context
// Group     What must outlive what
// Symptom   "hang or crash when the context goes"
// Expected  wait_ended_with operation_aborted · frames_alive_after_own 0
// Why       The wait completes on its context, the coroutine resumes on its own, and ends. After
// that
//           no context holds anything of the other, and the order in which they go is free.
#include <boost/asio.hpp>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool destroy_what_is_left = true;  // and AddressSanitizer reports it
#else
constexpr bool destroy_what_is_left = false;  // undefined: only the facts are shown
#endif

int frames_alive = 0;
std::string wait_ended_with = "nothing yet";

struct Frame {  // a local of a coroutine lives as long as its frame
  Frame() { ++frames_alive; }
  ~Frame() { --frames_alive; }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
};

// [task]
asio::awaitable<void> task(asio::steady_timer& timer_of_other) {
  const Frame frame;
  const auto [error] = co_await timer_of_other.async_wait(asio::as_tuple(asio::use_awaitable));
  wait_ended_with = error == asio::error::operation_aborted ? "operation_aborted" : error.message();
}
// [/task]

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  auto own = std::make_unique<asio::io_context>();
  auto other = std::make_unique<asio::io_context>();
  auto timer = std::make_unique<asio::steady_timer>(*other, 1h);
  asio::co_spawn(*own, task(*timer), asio::detached);
  own->poll();  // the task is suspended now, in a wait of the other context

  // [end]
  timer->cancel();
  other->poll();  // completes the wait, and hands the coroutine back to its own context
  own->poll();    // runs the coroutine to its end
  own.reset();
  // [/end]
  show("wait_ended_with", wait_ended_with);
  show("frames_alive_after_own", frames_alive);
  if (frames_alive > 0 && !destroy_what_is_left) std::quick_exit(0);
  timer.reset();
  other.reset();
}
