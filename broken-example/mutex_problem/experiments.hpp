#pragma once

#include "scenario/session_facts.hpp"

#include <boost/asio/awaitable.hpp>

#include "client.hpp"
#include <utility>
#include <vector>

namespace mutex_problem {

/// What mutex_problem shows: the failures of a guard that lives across a suspension, the price of
/// not doing that, fixes that do not work, and a checker that finds the guard.
std::vector<scenario::Experiment> experiments(const scenario::Settings& settings);

std::vector<scenario::Experiment> wrong_fixes();
scenario::Experiment checker();

// --- what the experiments share -----------------------------------------------------------------

using app::Client;
using scenario::at_least;
using scenario::at_most;
using scenario::Experiment;
using scenario::is;
using scenario::log_in;
using scenario::LogoutProbe;
using scenario::Observation;
using scenario::one_event;
using scenario::Outcome;
using scenario::SessionFacts;
using scenario::Settings;
using scenario::Surroundings;
using scenario::Task;
using scenario::varies;

using Body = asio::awaitable<Observation> (*)(Surroundings&, Client&);
inline Experiment session(Experiment documented, Body body) {
  return on_the_ui_loop(std::move(documented), body, scenario::Afterwards::leave_behind);
}

}  // namespace mutex_problem
