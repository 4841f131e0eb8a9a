#include "scenario/session_facts.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace scenario {
namespace {

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

}  // namespace
}  // namespace scenario
