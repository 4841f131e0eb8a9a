#pragma once

#include "scenario/experiment.hpp"

namespace correct_example {

/// The client on a terminal: login NAME, logout, status, quit. Returns the exit code.
int interactive(const scenario::Settings& settings);

/// The experiment that types on that terminal, and interrupts it.
scenario::Experiment ctrl_c();

}  // namespace correct_example
