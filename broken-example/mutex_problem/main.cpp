#include "experiments.hpp"

int main(int argc, char* argv[]) {
  return scenario::run_program({.name = "mutex_problem",
                                .title = "a lock guard lives across co_await",
                                .experiments = mutex_problem::experiments,
                                .leaves_threads = true,
                                .flags = {"checker"}},
                               argc, argv);
}
