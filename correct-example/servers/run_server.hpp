// The main function of all servers: its arguments are a port, and for TLS a file.
#pragma once

#include <boost/asio.hpp>

#include <charconv>
#include <cstring>
#include <iostream>

/// Exit code: what `run` returns; 2 for a wrong use, or if the server could not be started.
template <typename... Files>
int run_server(const char* usage, int count, char* arguments[],
               boost::asio::awaitable<int> (*run)(unsigned short port, Files...)) try {
  unsigned short port = 0;
  const char* const text = count > 1 ? arguments[1] : "";
  const char* const end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, port);
  if (count != 2 + static_cast<int>(sizeof...(Files)) || read.ec != std::errc() ||
      read.ptr != end) {
    std::cerr << "usage: " << usage << ", PORT from 0 (any) to 65535\n";
    return 2;
  }
  boost::asio::io_context main_thread;
  auto exit_code = boost::asio::co_spawn(main_thread, run(port, Files(arguments[2])...),
                                         boost::asio::use_future);
  main_thread.run();
  return exit_code.get();
} catch (const boost::system::system_error& error) {
  std::cerr << arguments[0] << " on port " << arguments[1] << ": " << error.code().message()
            << '\n';
  return 2;
}
