// 12 what the coroutine outlives · it owns its object, its argument and its closure
// Group     What must outlive what
// Symptom   "garbage in a captured variable"
// Expected  object_at_resume alice · argument_at_resume bob · capture_at_resume carol
// Why       A coroutine keeps its parameters: an owner of the object, the argument by value. And
//           `co_spawn` keeps a closure that is handed over without being called.
#include <boost/asio.hpp>

#include <iostream>
#include <memory>
#include <string>

namespace asio = boost::asio;
using Name = std::shared_ptr<const std::string>;
using Watch = std::weak_ptr<const std::string>;  // expires with the last owner of the name

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool read_what_is_gone = true;  // and AddressSanitizer reports it
#else
constexpr bool read_what_is_gone = false;  // undefined: only the fact is shown
#endif

Watch alice, bob, carol;

Name make_name(Watch& watch, const char* text) {
  auto name = std::make_shared<const std::string>(text);
  watch = name;
  return name;
}

void show(const char* fact, const Watch& watch, auto read) {
  const bool gone = watch.expired() && !read_what_is_gone;
  std::cout << fact << ' ' << (gone ? "gone" : read()) << std::endl;
}

asio::awaitable<void> suspend() {
  co_await asio::post(asio::use_awaitable);
}

struct Session {
  // [object]
  asio::awaitable<void> run([[maybe_unused]] std::shared_ptr<Session> self) {
    co_await suspend();
    show("object_at_resume", alice, [this] { return *name; });
  }
  // [/object]
  Name name;
};

// [argument]
asio::awaitable<void> greet(Name name) {
  co_await suspend();
  show("argument_at_resume", bob, [&name] { return *name; });
}
// [/argument]

int main() {
  asio::io_context context;
  const auto spawn = [&](auto task) { asio::co_spawn(context, std::move(task), asio::detached); };

  // [spawn]
  auto session = std::make_shared<Session>(Session{make_name(alice, "alice")});
  spawn(session->run(session));
  session.reset();

  spawn(greet(make_name(bob, "bob")));

  spawn([name = make_name(carol, "carol")]() -> asio::awaitable<void> {
    co_await suspend();
    show("capture_at_resume", carol, [&name] { return *name; });
  });
  // [/spawn]
  context.run();
}
