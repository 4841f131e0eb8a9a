#include "runtime_sharing/format.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

namespace {

using runtime_sharing::Rung;
using runtime_sharing::ShutdownReport;

TEST(Format, FmtAndSpdlogPrintWhatTheStreamPrints) {
  ShutdownReport report;
  report.runtime = "session";
  report.reached = Rung::interrupt;
  report.stragglers.push_back({"receiver", Rung::interrupt, false});
  report.stragglers.push_back({"worker", Rung::stop, true});
  report.stragglers_total = 3;
  report.failures.push_back({"sampler", "disk full"});
  report.failures_total = 1;
  report.took = std::chrono::microseconds(1200);
  std::ostringstream streamed;
  streamed << report;
  std::ostringstream logged;
  spdlog::logger logger("test", std::make_shared<spdlog::sinks::ostream_sink_st>(logged));
  logger.set_pattern("%v");

  logger.info("{} {}", Rung::stop, report);

  EXPECT_EQ(streamed.str(),
            "runtime 'session', generation 0: reached 'interrupt' in 2 ms\n"
            "  tasks 0, stragglers 3, failures 1\n"
            "  straggler 'receiver' needed 'interrupt'\n"
            "  straggler 'worker' needed 'stop', frame destroyed\n"
            "  and 1 more stragglers\n"
            "  failure 'sampler': disk full");
  EXPECT_EQ(fmt::format("{}", report), streamed.str());
  EXPECT_EQ(logged.str(), "stop " + streamed.str() + "\n");
}

TEST(Format, EachRungHasItsWord) {
  const Rung rungs[] = {Rung::stop_accepting, Rung::tell, Rung::wait,
                        Rung::interrupt,      Rung::stop, Rung::abandon};

  EXPECT_EQ(fmt::format("{}", fmt::join(rungs, ", ")),
            "stop accepting, tell, wait, interrupt, stop, abandon");
}

}  // namespace
