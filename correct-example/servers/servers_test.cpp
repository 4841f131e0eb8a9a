// Each server is restarted on the same port while a load client keeps it busy, and the requests
// that were cut are counted. No clock decides: a server is told when the client says that all of
// its connections are busy.
#include "scenario/child_process.hpp"

#include <boost/asio.hpp>
#include <gmock/gmock.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <map>
#include <spawn.h>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <vector>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::HasSubstr;

constexpr int restarts = 5, connections = 16;

/// A child that is talked to by lines; killed if the test ends before it does.
class Child {
 public:
  explicit Child(const std::vector<std::string>& command) {
    std::array<int, 2> input{}, output{};
    if (pipe2(input.data(), O_CLOEXEC) != 0 || pipe2(output.data(), O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], 0);
    posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    std::vector<char*> arguments;
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int failed =
        posix_spawnp(&process_, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(input[0]);
    close(output[1]);
    input_ = input[1];
    output_ = fdopen(output[0], "r");
    if (failed != 0) throw std::runtime_error("cannot start " + command[0]);
  }
  ~Child() {
    if (process_ > 0) {
      kill(process_, SIGKILL);
      exit_code();
    }
    close_input();
    std::fclose(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// The next line that begins so; empty if the child has ended without one.
  std::string line(const std::string& beginning) {
    std::string read;
    for (int next = std::fgetc(output_); next != EOF; next = std::fgetc(output_)) {
      if (next != '\n') {
        read += static_cast<char>(next);
      } else if (read.starts_with(beginning)) {
        return read;
      } else {
        read.clear();
      }
    }
    return {};
  }
  int number(const std::string& name) {
    return std::atoi(line(name + ' ').substr(name.size()).c_str());
  }
  void terminate() const { kill(process_, SIGTERM); }
  void close_input() {
    if (input_ >= 0) close(std::exchange(input_, -1));
  }
  /// -1 if a signal ended it.
  int exit_code() {
    int status = 0;
    waitpid(std::exchange(process_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t process_ = -1;
  int input_ = -1;
  FILE* output_ = nullptr;
};

/// A key and its certificate, removed with the process.
class Certificate {
 public:
  Certificate() {
    Child openssl({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout", file,
                   "-out", file});
    if (openssl.exit_code() != 0) throw std::runtime_error("openssl made no certificate");
  }
  ~Certificate() { std::remove(file.c_str()); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  const std::string file = testing::TempDir() + "servers_test_" + std::to_string(getpid()) + ".pem";
};

std::vector<std::string> server(const std::string& program, const std::string& protocol, int port) {
  std::vector<std::string> command{TEST_BINARY_DIR "/" + program, std::to_string(port)};
  if (protocol == "tls") {
    static const Certificate certificate;
    command.push_back(certificate.file);
  }
  return command;
}

struct Books {
  std::vector<int> exit_codes;
  int sent = 0, answered = 0, repeatable = 0, cut = 0;
};

Books restart_under_load(const std::string& program, const std::string& protocol) {
  Books books;
  int port = 0;
  std::unique_ptr<Child> load;
  for (int i = 0; i <= restarts; ++i) {
    Child child(server(program, protocol, port));
    port = child.number("port");
    if (!load) {
      load = std::make_unique<Child>(std::vector<std::string>{TEST_BINARY_DIR "/server_load",
                                                              protocol, std::to_string(port),
                                                              std::to_string(connections)});
    }
    EXPECT_NE(load->line("busy "), "");
    if (i == restarts) {  // the last one is not ended under load
      load->close_input();
      books.sent = load->number("requests_sent");
      books.answered = load->number("answered");
      books.repeatable = load->number("repeatable");
      books.cut = load->number("cut");
    }
    child.terminate();
    books.exit_codes.push_back(child.exit_code());
  }
  std::cout << program << ": requests_sent " << books.sent << " answered " << books.answered
            << " repeatable " << books.repeatable << " cut " << books.cut << std::endl;
  EXPECT_EQ(books.sent, books.answered + books.repeatable + books.cut);
  EXPECT_GE(books.answered, connections * (restarts + 1));
  return books;
}

class Servers : public testing::TestWithParam<std::string> {};

TEST_P(Servers, ADrainCutsNoRequestInFiveRestartsUnderLoad) {
  const auto books = restart_under_load("server_" + GetParam(), GetParam());

  EXPECT_EQ(books.cut, 0);
  EXPECT_THAT(books.exit_codes, testing::Each(0));
}

#if !defined(WITH_ADDRESS_SANITIZER) && !defined(WITH_THREAD_SANITIZER)
TEST_P(Servers, AStopCutsRequests) {
  const auto books = restart_under_load("naive_server_" + GetParam(), GetParam());

  EXPECT_GE(books.cut, 1);
  EXPECT_THAT(books.exit_codes, testing::Each(0)) << "and it says that all is well";
}
#endif

TEST_P(Servers, ASecondSignalForcesWhereAClientNeverFinishes) {
  Child child(server("server_" + GetParam(), GetParam(), 0));
  const auto port = static_cast<unsigned short>(child.number("port"));
  asio::io_context context;
  tcp::socket client(context);
  client.connect({asio::ip::address_v4::loopback(), port});
  // The first bytes of a request, or of a handshake, and never the rest.
  const std::string half = GetParam() == "tls" ? "\x16\x03\x01" : "GET / HT";
  asio::write(client, asio::buffer(half));

  child.terminate();
  EXPECT_EQ(child.line("draining"), "draining");
  child.terminate();

  EXPECT_THAT(child.line("  straggler"), HasSubstr("'connection'"));
  EXPECT_EQ(child.exit_code(), 1);
}

TEST(HttpServer, SaysGoodbyeToAnIdleClientAfterTheLastCall) {
  Child child(server("server_http", "http", 0));
  const auto port = static_cast<unsigned short>(child.number("port"));
  asio::io_context context;
  tcp::socket client(context);
  client.connect({asio::ip::address_v4::loopback(), port});

  child.terminate();

  boost::system::error_code error;
  std::array<char, 1> nothing{};
  EXPECT_EQ(client.read_some(asio::buffer(nothing), error), 0U);
  EXPECT_EQ(error, asio::error::eof);
  EXPECT_EQ(child.exit_code(), 0);
}

TEST(HttpServer, RefusesAPortThatIsNoneAndOneThatIsTaken) {
  const std::string server = TEST_BINARY_DIR "/server_http";
  for (const std::string port : {"abc", "65536", "-1", "", "80x"}) {
    const auto refused = scenario::run_child(server, {port});
    EXPECT_EQ(refused.exit_code, 2) << port;
    EXPECT_THAT(refused.err, testing::StartsWith("usage: server_http PORT")) << port;
  }
  asio::io_context context;
  const tcp::acceptor other(context, {asio::ip::address_v4::loopback(), 0});

  const auto taken = scenario::run_child(server, {std::to_string(other.local_endpoint().port())});

  EXPECT_EQ(taken.exit_code, 2);
  EXPECT_THAT(taken.err, testing::EndsWith(": Address already in use\n"));
}

INSTANTIATE_TEST_SUITE_P(Each, Servers, testing::Values("http", "websocket", "tls"),
                         [](const auto& protocol) { return protocol.param; });

}  // namespace
