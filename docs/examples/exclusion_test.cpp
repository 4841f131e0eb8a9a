// What page docs/what-to-use-when.md says of excluding others across a suspension.
#include "scenario/child_process.hpp"

#include <gmock/gmock.h>

#include <sstream>
#include <string>
#include <vector>

namespace {

using testing::ElementsAre;

TEST(Exclusion, AStrandLosesUpdatesAcrossASuspensionAndTheTwoOthersLoseNone) {
  const auto child = scenario::run_child(TEST_BINARY_DIR "/exclusion", {});

  std::vector<std::string> facts;
  std::istringstream lines(child.out);
  for (std::string line; std::getline(lines, line);) facts.push_back(line);

  EXPECT_EQ(child.exit_code, 0) << child.err;
  EXPECT_FALSE(scenario::sanitizer_finding(child.err)) << child.err;
  EXPECT_THAT(
      facts, ElementsAre("strand_tasks_inside 2", "strand_lost_updates 100",
                         "channel_tasks_inside 1", "channel_lost_updates 0", "channel_lost_apart 0",
                         "owner_tasks_inside 1", "owner_lost_updates 0", "owner_lost_apart 0"));
}

}  // namespace
