// 16 blocking the runtime · a task gives way after each slice
// Group     Threads that stand still
// Symptom   "everything stops for two seconds"
// Expected  slices_hashed 1000 · beats_meanwhile at least 900 · longest_gap at most 2
// Why       Each suspension goes to the end of the queue; whoever stands in it comes first.
#include <boost/asio.hpp>

#include <algorithm>
#include <cstdint>
#include <iostream>

namespace asio = boost::asio;

constexpr int all_slices = 1000;

struct Work {  // used on the runtime's only thread
  int slices = 0;
  std::uint64_t digest = 14695981039346656037U;
  int beats = 0;        // while the hash was under way
  int longest_gap = 0;  // between two beats, in slices: a unit that is the same on any machine
};

void hash_slice(Work& work) {
  for (int byte = 0; byte < 4096; ++byte) {
    work.digest = (work.digest ^ static_cast<std::uint64_t>(byte)) * 1099511628211U;
  }
  ++work.slices;
}

asio::awaitable<void> hash(Work& work) {
  // [hash]
  while (work.slices < all_slices) {
    hash_slice(work);
    co_await asio::post(asio::use_awaitable);  // whoever is due comes first
  }
  // [/hash]
}

asio::awaitable<void> heartbeat(Work& work) {  // always due: it runs as soon as it is let
  for (int seen = 0; seen < all_slices; seen = work.slices) {
    co_await asio::post(asio::use_awaitable);
    if (0 < work.slices && work.slices < all_slices) ++work.beats;
    work.longest_gap = std::max(work.longest_gap, work.slices - seen);
  }
}

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  asio::io_context context;
  Work work;
  asio::co_spawn(context, heartbeat(work), asio::detached);
  asio::co_spawn(context, hash(work), asio::detached);
  context.run();
  show("slices_hashed", work.slices);
  show("beats_meanwhile", work.beats);
  show("longest_gap", work.longest_gap);
}
