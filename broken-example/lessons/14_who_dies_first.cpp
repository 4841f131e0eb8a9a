// 14 who dies first · the context of the coroutine, while the timer of another one holds its frame
// Group     What must outlive what
// Symptom   "hang or crash when the context goes"
// Expected  wait_ended_with nothing yet · frames_alive_after_own 1
// Report    AddressSanitizer: heap-use-after-free
// Why       The pending wait belongs to the other context, and the frame belongs to the wait. It is
//           destroyed with that context, by way of its own executor, whose context is gone.
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
  own.reset();
  // [/end]
  show("wait_ended_with", wait_ended_with);
  show("frames_alive_after_own", frames_alive);
  if (frames_alive > 0 && !destroy_what_is_left) std::quick_exit(0);
  timer.reset();
  other.reset();
}
