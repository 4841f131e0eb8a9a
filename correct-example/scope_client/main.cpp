// scope_example · one runtime that lives on, a scope for each session
// Run       ./build/release/bin/scope_example
// Expected  finished, but for left-behind: leaked
// Why       docs/07-restart.md
// Compare   diff -u correct-example/client/client.cpp correct-example/scope_client/client.cpp

#include "experiments.hpp"

int main(int argc, char* argv[]) {
  return scenario::run_program({.name = "scope_example",
                                .title = "one runtime that lives on, a scope for each session",
                                .experiments = correct_example::experiments},
                               argc, argv);
}
