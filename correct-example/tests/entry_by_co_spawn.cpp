// Linked in front of the library, and so instead of its own.
#define RUNTIME_SHARING_OWN_ENTRY 0
#include "../src/entry.cpp"
