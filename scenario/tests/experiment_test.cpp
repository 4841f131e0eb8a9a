#include "scenario/experiment.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scenario {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Experiment experiment{.name = "an experiment",
                            .facts = {is("threads", 2), at_least("rows", 1), at_most("ms", 50),
                                      varies("load", "others decide"), is("relogin", "clean")}};

boost::json::object facts(const std::string& changed) {
  boost::json::object object{
      {"threads", 2}, {"rows", 7}, {"ms", 0.5}, {"load", "high"}, {"relogin", "clean"}};
  const auto changes = boost::json::parse(changed);
  for (const auto& fact : changes.as_object()) object[fact.key()] = fact.value();
  return object;
}

TEST(Documented, AllowsTheValueTheBoundAndWhatVaries) {
  EXPECT_THAT(differences(experiment, facts("{}")), IsEmpty());
  EXPECT_THAT(differences(experiment, facts(R"({"rows":1,"ms":50,"threads":2.0,"load":1})")),
              IsEmpty());
}

TEST(Documented, NamesTheFactThatDiffersWithBothValues) {
  EXPECT_THAT(differences(experiment, facts(R"({"threads":3})")),
              ElementsAre("threads: documented is 2, observed 3"));
  EXPECT_THAT(differences(experiment, facts(R"({"rows":0})")),
              ElementsAre("rows: documented at least 1, observed 0"));
  EXPECT_THAT(differences(experiment, facts(R"({"ms":51})")),
              ElementsAre("ms: documented at most 50, observed 51"));
  EXPECT_THAT(differences(experiment, facts(R"({"relogin":"late"})")),
              ElementsAre("relogin: documented is \"clean\", observed \"late\""));
  EXPECT_THAT(differences(experiment, facts(R"({"rows":"many"})")),
              ElementsAre("rows: documented at least 1, observed \"many\""));
}

TEST(Documented, MissesAFactUnlessTheRunWasCutShort) {
  auto cut = facts("{}");
  cut.erase("load");

  EXPECT_THAT(differences(experiment, cut),
              ElementsAre("load: documented varies \"others decide\", observed nothing"));
  EXPECT_THAT(differences(experiment, cut, true), IsEmpty());
}

TEST(Documented, KnowsNoFactThatIsNotDocumented) {
  EXPECT_THAT(differences(experiment, facts(R"({"colour":"red"})"), true),
              ElementsAre("colour: not documented, observed \"red\""));
}

TEST(Documented, IsListedForOtherPrograms) {
  EXPECT_EQ(boost::json::serialize(to_json(experiment.facts)),
            R"({"threads":{"is":2},"rows":{"at_least":1},"ms":{"at_most":50},)"
            R"("load":{"varies":"others decide"},"relogin":{"is":"clean"}})");
}

TEST(Outcome, IsWrittenAsItsWordAndReadBackFromIt) {
  for (const auto outcome : {Outcome::finished, Outcome::leaked, Outcome::stuck, Outcome::lost,
                             Outcome::undefined, Outcome::starved})
    EXPECT_EQ(boost::json::value_to<Outcome>(boost::json::value(to_string(outcome))), outcome);
  EXPECT_EQ(to_string(Outcome::starved), "starved");
}

}  // namespace
}  // namespace scenario
