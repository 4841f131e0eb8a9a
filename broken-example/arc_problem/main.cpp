// arc_problem · shared ownership alone cannot force a shutdown
// Run       ./build/release/bin/arc_problem
// Expected  logout: leaked · next login: leaked · forced stop: lost · last owner: undefined
// Why       docs/02-arc-problem.md          Fixed by  correct-example/client/client.cpp

#include "experiments.hpp"

int main(int argc, char* argv[]) {
  return scenario::run_program({.name = "arc_problem",
                                .title = "shared ownership alone cannot force a shutdown",
                                .experiments = arc_problem::experiments,
                                .leaves_threads = true},
                               argc, argv);
}
