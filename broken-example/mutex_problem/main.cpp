// mutex_problem · a lock guard lives across co_await
// Run       ./build/release/bin/mutex_problem
// Expected  wrong-thread unlock: undefined · deadlock: stuck · logout: stuck · lock each time: lost
// Why       docs/03-mutex-problem.md        Fixed by  correct-example/client/client.cpp

#include "experiments.hpp"

int main(int argc, char* argv[]) {
  return scenario::run_program({.name = "mutex_problem",
                                .title = "a lock guard lives across co_await",
                                .experiments = mutex_problem::experiments,
                                .leaves_threads = true,
                                .flags = {"checker"}},
                               argc, argv);
}
