// correct_example · shared ownership, a cancellation token, tracked tasks
// Run       ./build/release/bin/correct_example
// Expected  finished, every experiment      Forbidden  leaked, stuck, lost, undefined, starved
// Why       docs/05-the-fix.md              Broken in  broken-example/*/client.cpp

#include "experiments.hpp"

int main(int argc, char* argv[]) {
  return scenario::run_program({.name = "correct_example",
                                .title = "shared ownership, a cancellation token, tracked tasks",
                                .experiments = correct_example::experiments,
                                .interactive = correct_example::interactive},
                               argc, argv);
}
