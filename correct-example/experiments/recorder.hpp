#pragma once

#include "runtime_sharing/runtime_observer.hpp"

#include <memory>

namespace correct_example {

/// What a client gives to its runtime: it records the turns of the tasks and the ladder. Null while
/// nothing is recorded.
std::shared_ptr<runtime_sharing::RuntimeObserver> recorder();

}  // namespace correct_example
