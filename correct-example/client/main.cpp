#include "experiments.hpp"

int main(int argc, char* argv[]) {
  return scenario::run_program({.name = "correct_example",
                                .title = "shared ownership, a cancellation token, tracked tasks",
                                .experiments = correct_example::experiments,
                                .interactive = correct_example::interactive},
                               argc, argv);
}
