// A system whose memory and threads run out on command: operator new, the aligned_alloc by which
// Asio allocates, and pthread_create of the binary that failing_system.cpp is linked into.
#pragma once

#include <functional>

/// Allocations of this thread until one fails; negative: none does. Only that one fails.
extern thread_local int allocations_until_failure;
/// One has failed since this was set to false.
extern thread_local bool allocation_has_failed;
/// What this thread does when it allocates, unless it does it already.
extern thread_local std::function<void()>* during_allocation;
/// Threads of this process until one cannot be created; negative: all can.
extern int threads_until_failure;
/// What this thread does after it has created a thread, before it knows of it. Once.
extern thread_local std::function<void()>* after_thread_creation;
