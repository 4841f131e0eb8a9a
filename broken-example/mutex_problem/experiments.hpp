#pragma once

#include "scenario/experiment.hpp"

#include <vector>

namespace mutex_problem {

/// What mutex_problem shows: three failures of a guard that lives across a suspension, the price of
/// not doing that, and a fix that does not work.
std::vector<scenario::Experiment> experiments();

}  // namespace mutex_problem
