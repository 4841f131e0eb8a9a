#include "scenario/session_facts.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scenario {
namespace {

using testing::ElementsAreArray;

SessionFacts everything_measured() {
  SessionFacts facts;
  facts.logout_ms = 12.5;
  facts.logout_returned = true;
  facts.owners_left = 0;
  facts.runtime_threads_left = 1;
  facts.rows_after_logout = 2;
  facts.samples_lost = 3;
  facts.connections_open = 4;
  facts.longest_ui_freeze_ms = 5.5;
  facts.relogin = "clean";
  facts.runtimes_at_once = 1;
  facts.stragglers = {"tsp-worker"};
  return facts;
}

std::vector<std::string> keys_of(const boost::json::object& object) {
  std::vector<std::string> keys;
  for (const auto& member : object) keys.emplace_back(member.key());
  return keys;
}

std::vector<std::string> described_keys() {
  std::vector<std::string> keys;
  for (const auto& description : fact_descriptions()) keys.emplace_back(description.key);
  return keys;
}

TEST(SessionFacts, LeaveOutOfTheJsonWhatWasNotMeasured) {
  SessionFacts facts;
  facts.owners_left = 3;

  EXPECT_EQ(boost::json::serialize(to_json(facts)), R"({"owners_left":3})");
  EXPECT_TRUE(to_json(SessionFacts{}).empty());
}

TEST(SessionFacts, KeepTheirTypesInTheJson) {
  const auto object = to_json(everything_measured());

  EXPECT_EQ(object.at("logout_ms").as_double(), 12.5);
  EXPECT_TRUE(object.at("logout_returned").as_bool());
  EXPECT_EQ(object.at("connections_open").as_int64(), 4);
  EXPECT_EQ(object.at("relogin").as_string(), "clean");
  EXPECT_EQ(object.at("stragglers"), boost::json::parse(R"(["tsp-worker"])"));
}

TEST(SessionFacts, AreDescribedInTheOrderInWhichTheyArePrinted) {
  const auto object = to_json(everything_measured());

  EXPECT_THAT(described_keys(), ElementsAreArray(keys_of(object)));
}

TEST(SessionFacts, HaveMeaningsThatFitTheLabelsOfTheTable) {
  for (const auto& [key, meaning, highest_good] : fact_descriptions()) {
    EXPECT_FALSE(meaning.empty()) << key;
    EXPECT_LE(meaning.size(), 22U) << key;
  }
}

struct Judged {
  const char* key;
  std::string good;
  std::string bad;

  friend std::ostream& operator<<(std::ostream& stream, const Judged& judged) {
    return stream << judged.good << " and " << judged.bad;
  }
};

class JudgedFact : public testing::TestWithParam<Judged> {};

TEST_P(JudgedFact, IsBadExactlyBeyondItsLimit) {
  const auto& [key, good, bad] = GetParam();

  EXPECT_FALSE(is_bad(key, boost::json::parse(good)));
  EXPECT_TRUE(is_bad(key, boost::json::parse(bad)));
  EXPECT_FALSE(is_bad(key, nullptr)) << "not measured";
}

INSTANTIATE_TEST_SUITE_P(
    SessionFacts, JudgedFact,
    testing::Values(Judged{"logout_returned", "true", "false"}, Judged{"owners_left", "0", "1"},
                    Judged{"runtime_threads_left", "0", "2"}, Judged{"rows_after_logout", "0", "1"},
                    Judged{"samples_lost", "0", "4"}, Judged{"connections_open", "0", "1"},
                    Judged{"longest_ui_freeze_ms", std::to_string(noticeable_freeze_ms),
                           std::to_string(noticeable_freeze_ms + 0.1)},
                    Judged{"relogin", "\"clean\"", "\"two runtimes\""},
                    Judged{"runtimes_at_once", "1", "2"},
                    Judged{"stragglers", "[]", "[\"tsp-worker\"]"}),
    [](const auto& param) { return std::string(param.param.key); });

TEST(SessionFacts, NeverJudgeHowLongLogoutTookUnlessItHadToBeFreed) {
  EXPECT_FALSE(is_bad("logout_ms", 1e9));
  EXPECT_TRUE(is_bad("logout_ms", "> 1000 (freed from outside)"));
}

TEST(SessionFacts, DoNotJudgeWhatTheyDoNotKnow) {
  EXPECT_FALSE(is_bad("colour", 7));
}

}  // namespace
}  // namespace scenario
