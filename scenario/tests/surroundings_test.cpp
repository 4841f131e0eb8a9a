#include "scenario/surroundings.hpp"

#include "scenario/tests/scoped_environment_variable.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <system_error>

namespace scenario {
namespace {

TEST(MachineSample, HasRealValuesOfThisMoment) {
  using std::chrono::duration_cast;
  const auto now = [] { return std::chrono::system_clock::now().time_since_epoch(); };
  const auto before = duration_cast<std::chrono::microseconds>(now()).count();

  const Sample sample = sample_machine();

  EXPECT_GE(sample.taken_at_us, before);
  EXPECT_LE(sample.taken_at_us, duration_cast<std::chrono::microseconds>(now()).count());
  EXPECT_GE(sample.load, 0.0);
  EXPECT_GT(sample.resident_kib, 0);
#if defined(__linux__)
  EXPECT_GT(sample.memory_available_kib, 0);
#endif
}

TEST(TemporaryFolder, IsANewOneEachTime) {
  const TemporaryFolder one;
  const TemporaryFolder other;

  EXPECT_NE(one.path(), other.path());
  EXPECT_TRUE(std::filesystem::is_empty(one.path()));
  EXPECT_TRUE(std::filesystem::is_empty(other.path()));
}

TEST(TemporaryFolder, IsRemovedWithWhatIsInIt) {
  std::filesystem::path path;

  {
    const TemporaryFolder folder;
    path = folder.path();
    std::filesystem::create_directory(path / "inner");
    std::ofstream(path / "inner" / "file") << "content";
  }

  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TemporaryFolder, SaysWhichFolderIsOfNoUse) {
  const ScopedEnvironmentVariable nowhere("TMPDIR", "/no/such/folder");

  EXPECT_THAT([] { TemporaryFolder folder; },
              ::testing::ThrowsMessage<std::system_error>(::testing::HasSubstr("set TMPDIR")));
}

TEST(TemporaryFolder, IsInTmpWhereTmpdirIsEmpty) {
  const ScopedEnvironmentVariable empty("TMPDIR", "");

  EXPECT_EQ(TemporaryFolder().path().parent_path(), "/tmp");
}

TEST(TemporaryFolder, NamesTheFolderThatCannotBeMade) {
  const ScopedEnvironmentVariable unwritable("TMPDIR", "/proc");

  EXPECT_THAT([] { TemporaryFolder folder; }, ::testing::ThrowsMessage<std::system_error>(
                                                  ::testing::HasSubstr("/proc/runtime-sharing-")));
}

TEST(Surroundings, LeaveNothingBehind) {
  Settings settings;
  settings.events = std::filesystem::path(TEST_SOURCE_DIR) / "scenario/data/events.ndjson";
  std::filesystem::path folder;

  {
    const Surroundings around(settings);
    folder = around.folder.path();
    EXPECT_TRUE(std::filesystem::exists(around.store.file()));
    EXPECT_EQ(around.store.rows_of("ana"), 0);
    EXPECT_EQ(around.threads.running(), 0);
  }

  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST(ThreadCensus, CountsWhoIsPresent) {
  ThreadCensus census;

  census.enter();
  census.enter();
  census.leave();

  EXPECT_EQ(census.running(), 1);
}

}  // namespace
}  // namespace scenario
