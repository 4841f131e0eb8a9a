// 09 half a message · header and count outlive the read, and the next read goes on behind them
// Group     Queues and bytes
// Symptom   "framing is garbage after a cancel"
// Expected  bytes_sent 2 · bytes_accounted 2 · parsed_length 5
// Why       A cancelled read reports its error and its count. Whoever keeps the count can go on.
#include <boost/asio.hpp>

#include <array>
#include <cstdint>
#include <iostream>
#include <string_view>

namespace asio = boost::asio;
using asio::local::stream_protocol;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);  // an error is no exception

struct Reader {  // of one connection
  std::array<std::uint8_t, 4> header = {};
  std::size_t have = 0;  // bytes of it that have arrived
};

// [read]
asio::awaitable<void> read_header(stream_protocol::socket& socket, Reader& reader) {
  const auto rest = asio::buffer(reader.header) + reader.have;
  const auto [error, size] = co_await asio::async_read(socket, rest, as_result);
  reader.have += size;  // also of a read that was cancelled
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
