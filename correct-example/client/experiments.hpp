#pragma once

#include "scenario/experiment.hpp"

#include <vector>

namespace correct_example {

/// What correct_example shows. Every one is expected to finish.
std::vector<scenario::Experiment> experiments(const scenario::Settings& settings);

/// The client on a terminal: login NAME, logout, status, quit. Returns the exit code.
int interactive(const scenario::Settings& settings);

}  // namespace correct_example
