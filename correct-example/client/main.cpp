// correct_example · shared ownership, a cancellation token, tracked tasks
// Run       ./build/release/bin/correct_example
// Expected  finished, every experiment      Forbidden  leaked, stuck, lost, undefined, starved
// Why       docs/05-the-fix.md              Broken in  broken-example/*/client.cpp

#include "experiments.hpp"
#include "interactive.hpp"

namespace {

std::vector<scenario::Experiment> all(const scenario::Settings& settings) {
  auto experiments = correct_example::experiments(settings);
  experiments.push_back(correct_example::ctrl_c());
  return experiments;
}

}  // namespace

int main(int argc, char* argv[]) {
  return scenario::run_program({.name = "correct_example",
                                .title = "shared ownership, a cancellation token, tracked tasks",
                                .experiments = all,
                                .interactive = correct_example::interactive},
                               argc, argv);
}
