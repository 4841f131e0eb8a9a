#include "correct-example/tests/failing_system.hpp"

#include <cerrno>
#include <cstdlib>
#include <dlfcn.h>
#include <new>
#include <pthread.h>
#include <utility>

thread_local int allocations_until_failure = -1;
thread_local bool allocation_has_failed = false;
thread_local std::function<void()>* during_allocation = nullptr;
int threads_until_failure = -1;
thread_local std::function<void()>* after_thread_creation = nullptr;

namespace {

bool memory_runs_out() {
  if (auto* const act = std::exchange(during_allocation, nullptr)) {
    (*act)();
    during_allocation = act;
  }
  if (allocations_until_failure < 0 || allocations_until_failure-- > 0) return false;
  allocation_has_failed = true;
  return true;
}

}  // namespace

extern "C" {

void* __real_aligned_alloc(std::size_t alignment, std::size_t size);

/// The linker leads Asio's calls here (--wrap).
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  return memory_runs_out() ? nullptr : __real_aligned_alloc(alignment, size);
}

/// A sanitizer that is linked statically has one of its own, by this name.
[[gnu::weak]] int __interceptor_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*),
                                               void*);

/// In the place of the C library's, for Boost.Thread too.
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
                   void* argument) {
  if (threads_until_failure >= 0 && threads_until_failure-- == 0) return EAGAIN;
  static const auto next =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  const auto real = __interceptor_pthread_create ? &__interceptor_pthread_create : next;
  const int result = real(thread, attributes, function, argument);
  if (after_thread_creation != nullptr) (*std::exchange(after_thread_creation, nullptr))();
  return result;
}

}  // extern "C"

void* operator new(std::size_t size) {
  if (memory_runs_out()) throw std::bad_alloc();
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto step = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(step, (size + step - 1) / step * step)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
