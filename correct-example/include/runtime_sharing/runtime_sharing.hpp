#pragma once

// Everything that a user of the library includes, but for what is chosen by hand: format.hpp (fmt
// and spdlog), guarded.hpp and suspension_checker.hpp.

#include "runtime_sharing/cancel_on.hpp"
#include "runtime_sharing/cancellation_token.hpp"
#include "runtime_sharing/error.hpp"
#include "runtime_sharing/run_until_cancelled.hpp"
#include "runtime_sharing/runtime.hpp"
#include "runtime_sharing/runtime_observer.hpp"
#include "runtime_sharing/runtime_slot.hpp"
#include "runtime_sharing/scope_limits.hpp"
#include "runtime_sharing/shutdown_report.hpp"
#include "runtime_sharing/task_scope.hpp"
