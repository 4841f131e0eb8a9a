// 09 half a message · a cancelled read throws, and the count of what it took is lost
// Group     Queues and bytes
// Symptom   "framing is garbage after a cancel"
// Expected  bytes_sent 2 · bytes_accounted 0 · parsed_length 354405
// Why       An exception has no room for a count: the next read begins inside the header.
#include <boost/asio.hpp>

#include <array>
#include <cstdint>
#include <iostream>
#include <string_view>

namespace asio = boost::asio;
using asio::local::stream_protocol;

struct Reader {  // of one connection
  std::array<std::uint8_t, 4> header = {};
  std::size_t have = 0;  // bytes of it that have arrived
};

// [read]
asio::awaitable<void> read_header(stream_protocol::socket& socket, Reader& reader) {
  reader.have = co_await asio::async_read(socket, asio::buffer(reader.header), asio::use_awaitable);
}
// [/read]

std::uint32_t length(const Reader& reader) {  // in network byte order
  std::uint32_t value = 0;
  for (const auto byte : reader.header) value = value << 8 | byte;
  return value;
}

int main() {
  using namespace std::string_view_literals;
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  asio::io_context context;
  stream_protocol::socket client(context), server(context);
  asio::local::connect_pair(client, server);
  const auto message = "\0\0\0\5hello"sv;  // its length, and then the text
  Reader reader;

  asio::co_spawn(context, read_header(client, reader), asio::detached);
  context.poll();
  const auto sent = asio::write(server, asio::buffer(message.substr(0, 2)));
  context.poll();   // the read has taken two bytes, and waits for two more
  client.cancel();  // the client wants to send a sign of life, and read on afterwards
  context.poll();
  show("bytes_sent", sent);
  show("bytes_accounted", reader.have);

  context.restart();
  asio::co_spawn(context, read_header(client, reader), asio::detached);
  asio::write(server, asio::buffer(message.substr(sent)));
  context.poll();
  show("parsed_length", length(reader));
}
