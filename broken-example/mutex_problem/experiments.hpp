#pragma once

#include "scenario/experiment.hpp"

#include <vector>

namespace mutex_problem {

/// What mutex_problem shows: three failures of a guard that lives across a suspension, the price of
/// not doing that, a fix that does not work, and a checker that finds the guard.
std::vector<scenario::Experiment> experiments();

}  // namespace mutex_problem
