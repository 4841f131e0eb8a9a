#include "correct-example/tests/conformance.hpp"
#include "runtime_sharing/runtime_slot.hpp"

namespace {

using conformance::Conformance;
using runtime_sharing::Runtime;
using runtime_sharing::RuntimeSlot;

TEST_F(Conformance, ARuntimesExecutorsAreEqualAndThoseOfTwoAreNot) {
  const auto one = Runtime::start({.threads = 1});
  const auto other = Runtime::start({.threads = 1});

  EXPECT_TRUE(one->get_executor() == one->get_executor());
  EXPECT_FALSE(one->get_executor() != one->get_executor());
  EXPECT_FALSE(one->get_executor() == other->get_executor());
  one->shutdown();
  other->shutdown();
}

TEST_F(Conformance, RuntimeSpawnBlocking) {
  const auto runtime = Runtime::start({.threads = 1});
  conforms([&](auto&& completion) {
    return runtime->spawn_blocking(
        "blocking", [] { return 7; }, std::forward<decltype(completion)>(completion));
  });
  runtime->shutdown();
}

TEST_F(Conformance, RuntimeAsyncShutdown) {
  const auto runtime = Runtime::start({.threads = 1});
  conforms([&](auto&& completion) {
    return runtime->async_shutdown({}, std::forward<decltype(completion)>(completion));
  });
}

TEST_F(Conformance, RuntimeSlotAsyncStart) {
  RuntimeSlot slot({.threads = 1});
  conforms([&](auto&& completion) {
    return slot.async_start(std::forward<decltype(completion)>(completion));
  });
  slot.current()->shutdown();
}

TEST_F(Conformance, RuntimeSlotAsyncShutdown) {
  RuntimeSlot slot({.threads = 1});
  slot.start();
  conforms([&](auto&& completion) {
    return slot.async_shutdown({}, std::forward<decltype(completion)>(completion));
  });
}

}  // namespace
