#include "runtime_sharing/guarded.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/thread/thread.hpp>
#include <gmock/gmock.h>

#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace {

using runtime_sharing::Guarded;
using runtime_sharing::detail::Escapee;
using runtime_sharing::detail::escapee_in;
using testing::ElementsAre;

TEST(Guarded, GivesTheFunctionTheValueAndReturnsItsResultByValue) {
  Guarded<std::vector<int>> guarded({1, 2});

  guarded.with([](auto& value) { value.push_back(3); });
  const auto copy = guarded.with([](const auto& value) { return value; });
  const auto size = guarded.with([](const auto& value) { return value.size(); });

  EXPECT_THAT(copy, ElementsAre(1, 2, 3));
  EXPECT_EQ(size, 3u);
}

TEST(Guarded, GivesAConstantValueWhenItIsConstantItself) {
  const Guarded<std::string> guarded("text");

  const bool constant = guarded.with(
      [](auto& value) { return std::is_const_v<std::remove_reference_t<decltype(value)>>; });

  EXPECT_TRUE(constant);
}

TEST(Guarded, MovesOutWhatCannotBeCopied) {
  Guarded<std::unique_ptr<int>> guarded(std::make_unique<int>(7));

  const std::unique_ptr<int> taken = guarded.with([](auto& value) { return std::move(value); });

  EXPECT_EQ(*taken, 7);
  EXPECT_TRUE(guarded.with([](const auto& value) { return value == nullptr; }));
}

TEST(Guarded, CallsAFunctionThatCanOnlyBeCalledOnce) {
  Guarded<int> guarded(1);

  const auto result = guarded.with(
      [owned = std::make_unique<int>(2)](int value) mutable { return value + *std::move(owned); });

  EXPECT_EQ(result, 3);
}

TEST(Guarded, UnlocksWhenTheFunctionThrows) {
  Guarded<int> guarded(1);

  EXPECT_THROW(guarded.with([](int&) { throw std::runtime_error("no"); }), std::runtime_error);
  const int value = guarded.with([](const int& unlocked) { return unlocked; });

  EXPECT_EQ(value, 1);
}

TEST(Guarded, LetsOneThreadInAtATime) {
  constexpr int threads = 4;
  constexpr int rounds = 2000;
  Guarded<int> guarded(0);
  std::latch together(threads);

  std::vector<boost::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      together.arrive_and_wait();
      for (int round = 0; round < rounds; ++round) guarded.with([](int& value) { ++value; });
    });
  }
  for (auto& worker : workers) worker.join();

  EXPECT_EQ(guarded.with([](const int& value) { return value; }), threads * rounds);
}

struct NeverDefined;
struct Plain {
  int number;
};

// What owns itself may leave the lock...
static_assert(escapee_in<void> == Escapee::none);
static_assert(escapee_in<int> == Escapee::none);
static_assert(escapee_in<Plain> == Escapee::none);
static_assert(escapee_in<std::string> == Escapee::none);
static_assert(escapee_in<void (*)(int*)> == Escapee::none);
static_assert(escapee_in<std::function<int&(int*)>> == Escapee::none);
static_assert(escapee_in<std::shared_ptr<NeverDefined>> == Escapee::none);
static_assert(escapee_in<std::optional<std::map<std::string, std::vector<int>>>> == Escapee::none);
static_assert(escapee_in<boost::asio::ip::tcp::socket> == Escapee::none);

// ... and what does not may not, however deep it is.
static_assert(escapee_in<const char*> == Escapee::pointer);
static_assert(escapee_in<std::pair<std::map<int, int>::iterator, bool>> == Escapee::borrowed);
static_assert(escapee_in<std::vector<std::optional<int*>>> == Escapee::pointer);
static_assert(escapee_in<std::tuple<int, const std::string&>> == Escapee::reference);
static_assert(escapee_in<std::variant<int, std::reference_wrapper<int>>> == Escapee::borrowed);
static_assert(escapee_in<const std::string_view> == Escapee::borrowed);

}  // namespace
