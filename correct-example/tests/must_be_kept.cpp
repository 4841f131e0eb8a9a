// What does its work until it is destroyed is of no use as a statement: the compiler warns, also
// where the class is told by its constructor's arguments.
#include "runtime_sharing/cancellation_token.hpp"

void use(const runtime_sharing::CancellationToken& token) {
  const auto call = [] {};
  const runtime_sharing::CancellationCallback callback(token, call);
  const runtime_sharing::DropGuard guard{token};
#if defined(CALLBACK)
  runtime_sharing::CancellationCallback(token, call);
#elif defined(DROP_GUARD)
  runtime_sharing::DropGuard{token};
#endif
}
