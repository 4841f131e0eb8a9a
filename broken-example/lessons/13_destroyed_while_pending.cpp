// 13 destroyed while pending · the socket goes while a composed read is between two steps
// Group     What must outlive what
// Symptom   "segfault in a composed read"
// Expected  read_ended_first no · read_ended_with nothing yet · bytes_accounted 0
// Report    AddressSanitizer: heap-use-after-free
// Why       The first byte has completed the first step, successfully; the destructor has nothing
// to
//           cancel. The next step is in the queue, and will ask the dead socket for the second
//           byte.
#include <boost/asio.hpp>

#include <array>
#include <iostream>
#include <memory>
#include <string>

namespace asio = boost::asio;
using Socket = asio::local::stream_protocol::socket;

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool run_what_is_left = true;  // and AddressSanitizer reports it
#else
constexpr bool run_what_is_left = false;  // undefined: only the facts are shown
#endif

std::string name_of(const boost::system::error_code& error) {
  if (error == asio::error::operation_aborted) return "operation_aborted";
  if (error == asio::error::bad_descriptor) return "bad_descriptor";
  return error ? error.message() : "success";
}

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  asio::io_context context;
  auto socket = std::make_unique<Socket>(context);
  Socket peer(context);
  asio::local::connect_pair(*socket, peer);

  std::string ended_with = "nothing yet";
  std::size_t bytes = 0;
  std::array<char, 2> message{};
  // [read]
  asio::write(peer, asio::buffer("x", 1));
  asio::async_read(*socket, asio::buffer(message),  // the first byte is there: step one is done
                   [&](boost::system::error_code error, std::size_t size) {
                     ended_with = name_of(error);
                     bytes = size;
                   });
  // [/read]
  // [destroy]
  socket.reset();
  // [/destroy]

  show("read_ended_first", ended_with == "nothing yet" ? "no" : "yes");
  show("read_ended_with", ended_with);
  show("bytes_accounted", bytes);
  if (run_what_is_left) context.poll();
}
