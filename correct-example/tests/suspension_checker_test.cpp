#include "runtime_sharing/suspension_checker.hpp"

#include "runtime_sharing/task_scope.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/thread/lock_guard.hpp>
#include <boost/thread/thread.hpp>
#include <gmock/gmock.h>

#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace checked = runtime_sharing::checked;
namespace unchecked = runtime_sharing::unchecked;
using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;

// Each is entered once and left once: a copy would leave the handler around it, too.
static_assert(!std::is_copy_constructible_v<checked::detail::CheckPolicy::Handler>);

/// A finding that outlives its task.
struct Finding {
  std::string task;
  std::string lock;
  std::string file;
  unsigned line = 0;
};

/// Collects what is found while it lives.
class Findings {
 public:
  Findings() : before_(checked::set_report_function(add)) {
    const std::lock_guard lock(mutex);
    findings.clear();
  }
  ~Findings() { checked::set_report_function(before_); }
  Findings(const Findings&) = delete;
  Findings& operator=(const Findings&) = delete;

  std::vector<Finding> all() const {
    const std::lock_guard lock(mutex);
    return findings;
  }
  std::vector<std::string> locks() const {
    std::vector<std::string> names;
    for (const auto& finding : all()) names.push_back(finding.lock);
    return names;
  }

 private:
  static void add(const checked::HeldLock& held) {
    const std::lock_guard lock(mutex);
    findings.push_back({std::string(held.task), std::string(held.lock), held.taken_at.file_name(),
                        held.taken_at.line()});
  }

  inline static std::mutex mutex;
  inline static std::vector<Finding> findings;  // guarded by mutex

  const checked::ReportFunction before_;
};

asio::awaitable<void> suspend() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

asio::awaitable<void> suspend_with_a_guard(checked::Mutex& mutex) {
  const checked::Lock guard(mutex);
  co_await suspend();
}
constexpr unsigned line_of_the_guard = __LINE__ - 3;

TEST(SuspensionChecker, NamesTheLockItsLineAndTheTaskAtTheSuspension) {
  const Findings findings;
  checked::Mutex mutex("store");
  asio::io_context context;

  asio::co_spawn(checked::executor(context.get_executor(), "receiver"), suspend_with_a_guard(mutex),
                 asio::detached);
  context.run_one();

  ASSERT_EQ(findings.all().size(), 1u);
  const Finding finding = findings.all().front();
  EXPECT_EQ(finding.task, "receiver");
  EXPECT_EQ(finding.lock, "store");
  EXPECT_THAT(finding.file, EndsWith("suspension_checker_test.cpp"));
  EXPECT_EQ(finding.line, line_of_the_guard);
}

TEST(SuspensionChecker, ReportsASuspensionOnceAndTheMutexGoesOnToWork) {
  const Findings findings;
  checked::Mutex mutex("store");
  asio::io_context context;

  asio::co_spawn(checked::executor(context.get_executor(), "receiver"), suspend_with_a_guard(mutex),
                 asio::detached);
  context.run();

  EXPECT_THAT(findings.locks(), ElementsAre("store"));
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

TEST(SuspensionChecker, SaysNothingOfALockThatIsReleasedBeforeTheSuspension) {
  const Findings findings;
  checked::Mutex mutex("store");
  asio::io_context context;

  asio::co_spawn(
      checked::executor(context.get_executor(), "receiver"),
      [&]() -> asio::awaitable<void> {
        for (int round = 0; round < 3; ++round) {
          {
            const checked::Lock guard(mutex);
          }
          co_await suspend();
        }
      },
      asio::detached);
  context.run();

  EXPECT_THAT(findings.locks(), IsEmpty());
}

TEST(SuspensionChecker, LooksThroughACoroutineThatTheTaskAwaits) {
  const Findings findings;
  checked::Mutex mutex("store");
  asio::io_context context;

  asio::co_spawn(
      checked::executor(context.get_executor(), "receiver"),
      [&]() -> asio::awaitable<void> { co_await suspend_with_a_guard(mutex); }, asio::detached);
  context.run();

  EXPECT_THAT(findings.locks(), ElementsAre("store"));
}

TEST(SuspensionChecker, ReportsEveryLockAndSeesThoseOfOtherGuards) {
  const Findings findings;
  asio::io_context context;
  checked::Mutex first("first");
  checked::Mutex second("second");
  checked::Mutex third("third");

  asio::co_spawn(
      checked::executor(context.get_executor(), "receiver"),
      [&]() -> asio::awaitable<void> {
        const boost::lock_guard<checked::Mutex> of_boost(first);
        const std::unique_lock of_std(second, std::try_to_lock);
        third.lock();
        co_await suspend();
        third.unlock();
      },
      asio::detached);
  context.run();

  EXPECT_THAT(findings.locks(), ElementsAre("third", "second", "first"));
}

TEST(SuspensionChecker, DoesNotBlameAHandlerForALockTakenAroundIt) {
  const Findings findings;
  checked::Mutex mutex("of the caller");
  asio::io_context context;
  asio::post(checked::executor(context.get_executor(), "innocent"), [] {});

  {
    const checked::Lock guard(mutex);
    context.poll();
  }

  EXPECT_THAT(findings.locks(), IsEmpty());
}

TEST(SuspensionChecker, AsksEachOfTwoNestedHandlersForItsOwnLocks) {
  const Findings findings;
  asio::io_context context;
  const auto outer = checked::executor(context.get_executor(), "outer");
  const auto inner = checked::executor(context.get_executor(), "inner");
  checked::Mutex released("released by the outer one");
  checked::Mutex kept_outside("kept by the outer one");
  checked::Mutex kept_inside("kept by the inner one");

  asio::post(outer, [&] {
    kept_outside.lock();
    const checked::Lock guard(released);
    asio::dispatch(inner, [&] { kept_inside.lock(); });
  });
  context.run();

  ASSERT_THAT(findings.locks(), ElementsAre("kept by the inner one", "kept by the outer one"));
  EXPECT_EQ(findings.all().front().task, "inner");
  EXPECT_EQ(findings.all().back().task, "outer");
  kept_inside.unlock();
  kept_outside.unlock();
}

TEST(SuspensionChecker, ATryThatFailsHoldsNothing) {
  const Findings findings;
  checked::Mutex mutex("of another thread");
  const checked::Lock guard(mutex);
  asio::io_context context;
  bool taken = true;
  asio::post(checked::executor(context.get_executor(), "tries"), [&] { taken = mutex.try_lock(); });

  boost::thread([&] { context.run(); }).join();

  EXPECT_FALSE(taken);
  EXPECT_THAT(findings.locks(), IsEmpty());
}

TEST(SuspensionChecker, KeepsAListForEachThread) {
  constexpr int threads = 4;
  constexpr int rounds = 100;
  const Findings findings;

  std::vector<boost::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([] {
      checked::Mutex mutex("of this thread");
      asio::io_context context;
      const auto executor = checked::executor(asio::make_strand(context), "task");
      for (int round = 0; round < rounds; ++round) {
        asio::co_spawn(executor, suspend_with_a_guard(mutex), asio::detached);
        context.run();
        context.restart();
      }
    });
  }
  for (auto& worker : workers) worker.join();

  EXPECT_EQ(findings.all().size(), std::size_t{threads * rounds});
}

TEST(SuspensionChecker, ServesAsTheExecutorOfAScope) {
  const Findings findings;
  checked::Mutex mutex("store");
  asio::io_context context;
  runtime_sharing::TaskScope scope("session",
                                   checked::executor(context.get_executor(), "a task of session"));

  scope.spawn("receiver", [&] { return suspend_with_a_guard(mutex); });
  context.run();

  ASSERT_THAT(findings.locks(), ElementsAre("store"));
  EXPECT_EQ(findings.all().front().task, "a task of session");
}

TEST(SuspensionCheckerDeathTest, AbortsAndSaysWhyUnlessToldOtherwise) {
  checked::Mutex mutex("store");
  asio::io_context context;
  asio::co_spawn(checked::executor(context.get_executor(), "receiver"), suspend_with_a_guard(mutex),
                 asio::detached);

  EXPECT_DEATH(context.run(),
               "suspension checker: task 'receiver' is suspended and holds the lock 'store', "
               "taken at .*suspension_checker_test.cpp:" +
                   std::to_string(line_of_the_guard));
}

// Off, it is the plain mutex, the plain guard and the plain executor.
using Executor = asio::io_context::executor_type;
static_assert(std::is_base_of_v<boost::mutex, unchecked::Mutex>);
static_assert(sizeof(unchecked::Mutex) == sizeof(boost::mutex));
static_assert(std::is_same_v<decltype(&unchecked::Mutex::lock), void (boost::mutex::*)()>);
static_assert(std::is_same_v<decltype(&unchecked::Mutex::unlock), void (boost::mutex::*)()>);
static_assert(std::is_same_v<unchecked::Lock, boost::unique_lock<boost::mutex>>);
static_assert(
    std::is_same_v<decltype(unchecked::executor(std::declval<Executor>(), "task")), Executor>);

// The build decides which of the two it is.
#ifdef NDEBUG
static_assert(std::is_same_v<runtime_sharing::suspension_checker::Mutex, unchecked::Mutex>);
#else
static_assert(std::is_same_v<runtime_sharing::suspension_checker::Mutex, checked::Mutex>);
#endif

TEST(SuspensionChecker, CompilesUnderTheSameNamesWhenItIsOff) {
  asio::io_context context;
  unchecked::Mutex mutex("store");
  bool locked = false;

  asio::post(unchecked::executor(context.get_executor(), "receiver"), [&] {
    const unchecked::Lock guard(mutex);
    locked = guard.owns_lock();
  });
  context.run();

  EXPECT_TRUE(locked);
}

}  // namespace
