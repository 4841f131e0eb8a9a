// 17 the call nobody can interrupt · the read is an operation, which can be cancelled
// Group     Threads that stand still
// Symptom   "it exits only after I press Enter"
// Expected  logout_needs_enter no · read_ended_by the logout · keys_left 1
// Why       No thread is inside read(): one waits for all descriptors at once, and for its queue.
#include <boost/asio.hpp>
#include <boost/thread/thread.hpp>

#include <atomic>
#include <iostream>
#include <semaphore>
#include <string>
#include <sys/ioctl.h>

namespace asio = boost::asio;

struct Keyboard {  // a pipe: whoever presses a key writes into it
  asio::io_context context;
  asio::readable_pipe input{context};
  asio::writable_pipe keys{context};
};

struct Client {
  asio::awaitable<void> read_keys() {
    while (!told) {
      char key = 0;
      reading.release();
      // [read]
      const auto [error, size] = co_await keyboard.input.async_read_some(
          asio::buffer(&key, 1), asio::as_tuple(asio::use_awaitable));
      const bool cancelled = error == asio::error::operation_aborted;
      read_ended_by = size == 1 ? "a key" : cancelled ? "the logout" : error.message();
      // [/read]
    }
  }
  void logout() {
    told = true;
    asio::post(keyboard.context, [this] { keyboard.input.cancel(); });
    reader.join();
  }
  Keyboard& keyboard;
  std::atomic<bool> told = false;
  std::counting_semaphore<> reading{0}, quiet{0};  // quiet: logout has returned, or waits
  std::string read_ended_by = "nothing";
  boost::thread reader{[this] {
    asio::co_spawn(keyboard.context, read_keys(), asio::detached);
    keyboard.context.run();
  }};
};

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Keyboard keyboard;
  asio::connect_pipe(keyboard.input, keyboard.keys);
  Client client{keyboard};
  client.reading.acquire();
  std::atomic<bool> returned = false;
  boost::thread window([&] {
    client.logout();
    returned = true;
    client.quiet.release();
  });
  client.quiet.acquire();
  show("logout_needs_enter", returned ? "no" : "yes");
  asio::write(keyboard.keys, asio::buffer("\n", 1));  // somebody presses Enter
  window.join();
  show("read_ended_by", client.read_ended_by);
  int keys_left = 0;
  ::ioctl(keyboard.input.native_handle(), FIONREAD, &keys_left);
  show("keys_left", keys_left);
}
