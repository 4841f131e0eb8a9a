// 17 the call nobody can interrupt · a thread is inside read(), and is told by a flag
// Group     Threads that stand still
// Symptom   "it exits only after I press Enter"
// Expected  logout_needs_enter yes · read_ended_by a key · keys_left 0
// Why       Neither a flag nor boost::thread::interrupt() reaches a call into the kernel.
#include <boost/asio.hpp>
#include <boost/thread/thread.hpp>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <semaphore>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

namespace asio = boost::asio;

struct Keyboard {  // a pipe: whoever presses a key writes into it
  asio::io_context context;
  asio::readable_pipe input{context};
  asio::writable_pipe keys{context};
};

struct Client {
  // [client]
  void read_keys() {
    while (!told) {
      char key = 0;
      reading.release();
      const auto size = ::read(keyboard.input.native_handle(), &key, 1);
      read_ended_by = size == 1 ? "a key" : std::strerror(errno);
    }
  }
  void logout() {
    told = true;
    reader.interrupt();
    quiet.release();  // from here on it waits
    reader.join();
  }
  // [/client]
  Keyboard& keyboard;
  std::atomic<bool> told = false;
  std::counting_semaphore<> reading{0}, quiet{0};  // quiet: logout has returned, or waits
  std::string read_ended_by = "nothing";
  boost::thread reader{[this] { read_keys(); }};
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
