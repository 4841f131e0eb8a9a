#pragma once

#include "scenario/experiment.hpp"

#include <vector>

namespace correct_example {

/// What both correct clients show. Compiled once with each: with its client.hpp, and with its
/// lifetime.hpp, which says how long the runtime lives. Every one is expected to finish, but for
/// what a client that keeps its runtime cannot end.
std::vector<scenario::Experiment> experiments(const scenario::Settings& settings);

}  // namespace correct_example
