#pragma once

#include "scenario/experiment.hpp"

#include <vector>

namespace arc_problem {

/// What arc_problem shows: four failures of shared ownership, and three fixes that do not work.
std::vector<scenario::Experiment> experiments();

}  // namespace arc_problem
