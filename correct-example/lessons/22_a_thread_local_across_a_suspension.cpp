// 22 a thread local across a suspension · the user travels in the frame
// Group     What must outlive what
// Symptom   "rows under the wrong user"
// Expected  alices_row_under alice · bobs_row_under bob · threads 1
// Why       A parameter lives in the coroutine's frame, and there is one frame for each request.
#include <boost/asio.hpp>

#include <iostream>
#include <map>
#include <set>
#include <string>
#include <thread>

namespace asio = boost::asio;

struct Store {
  std::map<std::string, std::string> rows;  // text of the row, user that it is stored under
  std::set<std::thread::id> threads;
};

// [request]
void save(Store& store, const std::string& user, const std::string& text) {
  store.rows[text] = user;
  store.threads.insert(std::this_thread::get_id());
}

asio::awaitable<void> handle_request(Store& store, std::string user) {
  co_await asio::post(asio::use_awaitable);  // as any other wait would
  save(store, user, "from " + user);
}
// [/request]

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Store store;
  asio::io_context context;
  asio::co_spawn(context, handle_request(store, "alice"), asio::detached);
  asio::co_spawn(context, handle_request(store, "bob"), asio::detached);
  context.poll();
  show("alices_row_under", store.rows.at("from alice"));
  show("bobs_row_under", store.rows.at("from bob"));
  show("threads", store.threads.size());
}
