// dictionary · what each row of docs/dictionary.md says, as a few lines that run
// Run       build/release/bin/dictionary
#include "dictionary.hpp"

int main() {
  dictionary::show_running();
  dictionary::show_tasks();
  dictionary::show_state();
  dictionary::show_messages();
}
