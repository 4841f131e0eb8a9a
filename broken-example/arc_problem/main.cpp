#include "experiments.hpp"

int main(int argc, char* argv[]) {
  return scenario::run_program({.name = "arc_problem",
                                .title = "shared ownership alone cannot force a shutdown",
                                .experiments = arc_problem::experiments,
                                .leaves_threads = true},
                               argc, argv);
}
