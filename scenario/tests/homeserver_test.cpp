#include "scenario/homeserver.hpp"

#include "scenario/surroundings.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/thread/thread.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace scenario {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// A client with blocking calls. They wait for the server's state; ctest's time limit is the
/// guard against a server that never gets there.
class Client {
 public:
  explicit Client(const Homeserver& server) { socket_.connect(server.endpoint()); }
  Client(const Homeserver& server, const std::string& user) : Client(server) { write(user + "\n"); }

  void write(const std::string& bytes) { asio::write(socket_, asio::buffer(bytes)); }

  std::string read_line() {
    const auto bytes = asio::read_until(socket_, asio::dynamic_buffer(received_), '\n');
    std::string line = received_.substr(0, bytes - 1);
    received_.erase(0, bytes);
    return line;
  }

  char read_byte() {
    char byte = 0;
    asio::read(socket_, asio::buffer(&byte, 1));
    return byte;
  }

  /// Everything until the server closes, by either kind of closing.
  std::string read_to_end() {
    boost::system::error_code ended;
    asio::read(socket_, asio::dynamic_buffer(received_), ended);
    return std::exchange(received_, {});
  }

  std::size_t available() { return received_.size() + socket_.available(); }

  /// What a crashed program's kernel does: no orderly end.
  void reset() {
    socket_.set_option(asio::socket_base::linger(true, 0));
    socket_.close();
  }

 private:
  asio::io_context context_;
  tcp::socket socket_{context_};
  std::string received_;
};

/// Waits for the state of the server's thread, and gives up after ten seconds. How long it sleeps
/// between two looks decides nothing.
template <typename Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// The server's thread has done what was asked before: it has served whole sign-ins since then.
void wait_until_server_has_caught_up(const Homeserver& server) {
  for (int round = 0; round < 3; ++round) {
    const int wanted = server.sign_ins() + 1;
    const Client another(server, "another");
    ASSERT_TRUE(eventually([&] { return server.sign_ins() >= wanted; }));
  }
}

class HomeserverTest : public ::testing::Test {
 protected:
  std::filesystem::path write_events(const std::string& content) const {
    auto file = folder_.path() / "events.ndjson";
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }

  static std::string numbered_lines(int count) {
    std::string lines;
    for (int i = 0; i < count; ++i) lines += "line " + std::to_string(i) + "\n";
    return lines;
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(HomeserverTest, NamesAnEventsFileThatCannotBeOpened) {
  const Homeserver::Options missing{.events = "/no/such/file"};

  EXPECT_THAT([&] { Homeserver server(missing); },
              ::testing::ThrowsMessage<std::system_error>(::testing::HasSubstr("/no/such/file")));
}

TEST_F(HomeserverTest, ReplaysTheFileAndClosesWhenAsked) {
  const auto content = numbered_lines(20'000);
  Homeserver server({write_events(content), Homeserver::AfterReplay::close});
  Client client(server, "ana");

  const auto received = client.read_to_end();

  EXPECT_EQ(received, content);
}

TEST_F(HomeserverTest, EndsALastLineThatTheFileDoesNotEnd) {
  Homeserver server({write_events("a\nb"), Homeserver::AfterReplay::close});
  Client client(server, "ana");

  const auto received = client.read_to_end();

  EXPECT_EQ(received, "a\nb\n");
}

TEST_F(HomeserverTest, ClosesAtOnceAfterAnEmptyFile) {
  Homeserver server({write_events(""), Homeserver::AfterReplay::close});
  Client client(server, "ana");

  const auto received = client.read_to_end();

  EXPECT_EQ(received, "");
  EXPECT_EQ(server.sign_ins(), 1);
}

TEST_F(HomeserverTest, SendsNothingBeforeTheSignInIsComplete) {
  Homeserver server({write_events("a\n")});
  Client client(server);

  client.write("an");
  wait_until_server_has_caught_up(server);

  EXPECT_EQ(client.available(), 0u);
  client.write("a\n");
  EXPECT_EQ(client.read_line(), "a");
}

TEST_F(HomeserverTest, PushesLinesAfterTheReplay) {
  Homeserver server({write_events("recorded\n")});
  Client client(server, "ana");
  ASSERT_TRUE(eventually([&] { return server.sign_ins() == 1; }));

  server.push("first");
  server.push("second\n");

  EXPECT_EQ(client.read_line(), "recorded");
  EXPECT_EQ(client.read_line(), "first");
  EXPECT_EQ(client.read_line(), "second");
}

TEST_F(HomeserverTest, FlushesPushedLinesBeforeItCloses) {
  Homeserver server({write_events("recorded\n"), Homeserver::AfterReplay::close});
  server.fall_silent();
  Client client(server, "ana");
  ASSERT_TRUE(eventually([&] { return server.sign_ins() == 1; }));

  server.push("pushed");
  server.speak();

  EXPECT_EQ(client.read_to_end(), "recorded\npushed\n");
}

TEST_F(HomeserverTest, DoesNotCloseWhileSilent) {
  Homeserver server({.events = {}, .after_replay = Homeserver::AfterReplay::close});
  server.fall_silent();
  Client client(server, "ana");
  ASSERT_TRUE(eventually([&] { return server.sign_ins() == 1; }));
  wait_until_server_has_caught_up(server);

  server.push("pushed");
  server.speak();

  EXPECT_EQ(client.read_to_end(), "pushed\n");
}

TEST_F(HomeserverTest, PushesToEveryoneSignedIn) {
  Homeserver server({});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<Client>(server, "user"));
  ASSERT_TRUE(eventually([&] { return server.connections() == 20; }));

  server.push("to all");

  for (const auto& client : clients) EXPECT_EQ(client->read_line(), "to all");
}

TEST_F(HomeserverTest, SendsNothingWhileSilentAndForgetsNothing) {
  Homeserver server({});
  Client client(server, "ana");
  ASSERT_TRUE(eventually([&] { return server.sign_ins() == 1; }));
  server.fall_silent();

  server.push("held back");
  wait_until_server_has_caught_up(server);

  EXPECT_EQ(client.available(), 0u);
  server.speak();
  EXPECT_EQ(client.read_line(), "held back");
}

TEST_F(HomeserverTest, KeepsConnectionsOpenWhileSilent) {
  Homeserver server({});
  server.fall_silent();

  Client client(server, "ana");

  EXPECT_TRUE(eventually([&] { return server.connections() == 1; }));
}

TEST_F(HomeserverTest, DropsConnectionsInTheMiddleOfALine) {
  const std::string long_line(32'000'000, 'x');  // more than the sockets' buffers take
  Homeserver server({write_events(long_line)});
  Client client(server, "ana");
  EXPECT_EQ(client.read_byte(), 'x');

  server.drop_connections();

  EXPECT_LT(client.read_to_end().size(), long_line.size());
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST_F(HomeserverTest, AcceptsNewClientsAfterDroppingTheOld) {
  Homeserver server({write_events("a\n")});
  Client dropped(server, "ana");
  ASSERT_TRUE(eventually([&] { return server.sign_ins() == 1; }));
  server.drop_connections();
  dropped.read_to_end();

  Client next(server, "ana");

  EXPECT_EQ(next.read_line(), "a");
  EXPECT_EQ(server.sign_ins(), 2);
}

TEST_F(HomeserverTest, NoticesAClientThatLeaves) {
  Homeserver server({});
  auto leaving = std::make_unique<Client>(server, "ana");
  Client resetting(server, "bo");
  const Client staying(server, "chidi");
  ASSERT_TRUE(eventually([&] { return server.connections() == 3; }));

  leaving.reset();
  resetting.reset();

  EXPECT_TRUE(eventually([&] { return server.connections() == 1; }));
  EXPECT_EQ(server.sign_ins(), 3);
}

TEST_F(HomeserverTest, NoticesAClientThatLeavesWhileSilent) {
  Homeserver server({write_events("a\n")});
  server.fall_silent();
  auto leaving = std::make_unique<Client>(server, "ana");
  ASSERT_TRUE(eventually([&] { return server.connections() == 1; }));

  leaving.reset();

  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST_F(HomeserverTest, OutlivesClientsThatNeverSignInProperly) {
  Homeserver server({write_events("a\n")});
  auto half = std::make_unique<Client>(server);
  half->write("an");
  auto mute = std::make_unique<Client>(server);
  Client talkative(server);

  half.reset();
  mute.reset();
  talkative.write(std::string(1000, 'x'));
  talkative.read_to_end();

  Client proper(server, "ana");
  EXPECT_EQ(proper.read_line(), "a");
  EXPECT_EQ(server.sign_ins(), 1);
}

TEST_F(HomeserverTest, LetsASlowReaderDelayNobodyElse) {
  const auto content = numbered_lines(1'000'000);
  Homeserver server({write_events(content), Homeserver::AfterReplay::close});
  Client slow(server, "slow");
  ASSERT_TRUE(eventually([&] { return server.sign_ins() == 1; }));

  Client quick(server, "quick");

  EXPECT_EQ(quick.read_to_end().size(), content.size());
  EXPECT_EQ(slow.read_to_end().size(), content.size());
}

TEST_F(HomeserverTest, SurvivesAClientThatLeavesDuringTheReplay) {
  Homeserver server({write_events(numbered_lines(1'000'000))});
  auto leaving = std::make_unique<Client>(server, "ana");
  EXPECT_EQ(leaving->read_line(), "line 0");

  leaving->reset();

  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  Client next(server, "bo");
  EXPECT_EQ(next.read_line(), "line 0");
}

TEST_F(HomeserverTest, EndsWithClientsInEveryState) {
  auto server = std::make_unique<Homeserver>(
      Homeserver::Options{.events = write_events(numbered_lines(1'000'000))});
  Client signing_in(*server);
  signing_in.write("an");
  Client reading(*server, "bo");
  reading.read_line();
  server->fall_silent();
  Client waiting(*server, "chidi");

  server.reset();

  signing_in.read_to_end();
  reading.read_to_end();
  EXPECT_EQ(waiting.read_to_end(), "");
}

TEST_F(HomeserverTest, ObeysManyThreadsWhileClientsComeAndGo) {
  Homeserver server({write_events(numbered_lines(100))});
  boost::thread_group threads;
  for (int i = 0; i < 3; ++i) {
    threads.create_thread([&server, i] {
      for (int round = 0; round < 20; ++round) {
        Client client(server, "user " + std::to_string(i));
        server.push("pushed");
        server.fall_silent();
        if (round % 5 == i) server.drop_connections();
        server.speak();
        if (round % 2 == 0) client.reset();
      }
    });
  }

  threads.join_all();

  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  Client last(server, "last");
  EXPECT_EQ(last.read_line(), "line 0");
}

}  // namespace
}  // namespace scenario
