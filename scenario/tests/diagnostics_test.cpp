#include "scenario/diagnostics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scenario {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

TEST(ThinStacks, KeepFunctionAndPlaceOfEachFrame) {
  const auto thin = thin_stacks(
      "[New LWP 12]\n"
      "warning: File \"x\" is odd\n"
      "\n"
      "Thread 2 (Thread 0x7f01 (LWP 12) \"mutex_problem\"):\n"
      "#0  0x00007f88 in __lll_lock_wait () from /lib/x86_64-linux-gnu/libc.so.6\n"
      "#1  boost::mutex::lock (this=0x5581) at /usr/include/boost/thread/pthread/mutex.hpp:64\n"
      "\n"
      "Thread 1 (Thread 0x7f02 (LWP 11) \"mutex_problem\"):\n"
      "#0  main (argc=1, argv=0x7ffd) at main.cpp:5\n"
      "[Inferior 1 (process 11) detached]\n");

  EXPECT_THAT(
      thin, ElementsAre("  thread 2", "    __lll_lock_wait", "    boost::mutex::lock  mutex.hpp:64",
                        "  thread 1", "    main  main.cpp:5"));
}

TEST(ThinStacks, LeaveOutTemplateArgumentsAndParameters) {
  const auto thin = thin_stacks(
      "Thread 1 (LWP 1):\n"
      "#0  lesson::Guard<std::pair<int, long>, (Kind)1>::lock<char> (this=...) at a.cpp:1\n"
      "#1  0x01 in (anonymous namespace)::use(Frame *) (frame_ptr=...) at a.cpp:2\n"
      "#2  lesson::Callback<void(int)>::operator()(int) const (this=...) at a.cpp:3\n"
      "#3  lesson::operator<< <char> (out=...) at a.cpp:4\n"
      "#4  <lambda()>::operator()(void) const (__closure=...) at a.cpp:5\n");

  EXPECT_THAT(thin,
              ElementsAre("  thread 1", "    lesson::Guard::lock  a.cpp:1", "    use  a.cpp:2",
                          "    lesson::Callback::operator()  a.cpp:3",
                          "    lesson::operator<<  a.cpp:4", "    <lambda>::operator()  a.cpp:5"));
}

TEST(ThinStacks, LeaveOutTheInsidesOfLibraries) {
  const auto thin = thin_stacks(
      "Thread 1 (LWP 1):\n"
      "#0  work () at a.cpp:1\n"
      "#1  std::__invoke_impl<void, void (*)()> (__f=...) at invoke.h:61\n"
      "#2  boost::asio::detail::scheduler::run (this=...) at scheduler.ipp:209\n"
      "#3  0x0000 in ?? ()\n"
      "#4  main () at a.cpp:9\n");

  EXPECT_THAT(thin, ElementsAre("  thread 1", "    work  a.cpp:1", "    ...", "    main  a.cpp:9"));
}

TEST(ThinStacks, ShowTwelveFramesOfAThreadAtMost) {
  std::string dump = "Thread 1 (LWP 1):\n";
  for (int i = 0; i < 100; ++i)
    dump.append("#").append(std::to_string(i)).append("  f () at a.cpp:1\n");

  EXPECT_THAT(thin_stacks(dump), SizeIs(1 + 12));
}

TEST(ThinStacks, AreNeverWiderThanEightyColumns) {
  const auto thin = thin_stacks("Thread 1 (LWP 1):\n#0  " + std::string(200, 'f') + " () at " +
                                std::string(200, 'p') + ".cpp:1\n");

  ASSERT_THAT(thin, SizeIs(2));
  EXPECT_EQ(thin[1].size(), 80U);
}

TEST(ThinStacks, AreEmptyWithoutADump) {
  EXPECT_TRUE(thin_stacks("").empty());
}

TEST(ThinStacks, DoNotStumbleOverHalfALine) {
  EXPECT_THAT(thin_stacks("Thread 3\n#0\n#1  \n#2  0x00 in \n#3  f(((<<<\n"), SizeIs(5));
}

TEST(SanitizerFinding, NamesTheKindOfAnAddressSanitizerError) {
  EXPECT_EQ(sanitizer_finding("==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x6\n"),
            "AddressSanitizer: heap-use-after-free");
}

TEST(SanitizerFinding, NamesTheKindOfAThreadSanitizerWarning) {
  EXPECT_EQ(sanitizer_finding(
                "words\nWARNING: ThreadSanitizer: unlock of an unlocked mutex (or by a wrong "
                "thread) (pid=7)\n"),
            "ThreadSanitizer: unlock of an unlocked mutex");
}

TEST(SanitizerFinding, NamesALeak) {
  EXPECT_EQ(sanitizer_finding("==1==ERROR: LeakSanitizer: detected memory leaks\n"),
            "LeakSanitizer: detected memory leaks");
}

TEST(SanitizerFinding, NamesUndefinedBehaviour) {
  EXPECT_EQ(sanitizer_finding("a.cpp:3:5: runtime error: signed integer overflow\n"),
            "UndefinedBehaviorSanitizer: signed integer overflow");
}

TEST(SanitizerFinding, TakesTheFirstOfSeveral) {
  EXPECT_EQ(sanitizer_finding("WARNING: ThreadSanitizer: data race (pid=7)\n"
                              "==1==ERROR: AddressSanitizer: stack-overflow on address 0x6\n"),
            "ThreadSanitizer: data race");
}

TEST(SanitizerFinding, IsAbsentFromOtherWords) {
  EXPECT_EQ(sanitizer_finding("[warn] built with AddressSanitizer: yes\nall well\n"), std::nullopt);
}

}  // namespace
}  // namespace scenario
