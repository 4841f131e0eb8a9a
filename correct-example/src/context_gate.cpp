// Explored in every order of its steps: context_gate.pml.

#include "runtime_sharing/detail/context_gate.hpp"

#include <utility>

namespace runtime_sharing::detail {
namespace {

// Here and not in a header: a thread has one of it, also among several shared objects.
thread_local const ContextGate::Resident* resident = nullptr;

}  // namespace

ContextGate::Resident::Resident(const ContextGate& gate, std::size_t number) noexcept
    : gate_(gate), number_(number), before_(std::exchange(resident, this)) {}

ContextGate::Resident::~Resident() {
  resident = before_;
}

void ContextGate::close() noexcept {
  auto state = state_.fetch_or(closed) | closed;
  while (state != closed) {
    state_.wait(state);
    state = state_.load();
  }
}

std::size_t ContextGate::resident_here() const noexcept {
  return resident != nullptr && &resident->gate_ == this ? resident->number_ : 0;
}

bool ContextGate::enter() noexcept {
  if (resident_here() != 0) return !is_closed();
  if ((state_.fetch_add(1) & closed) == 0) return true;
  leave_counted();
  return false;
}

void ContextGate::leave() noexcept {
  if (resident_here() == 0) leave_counted();
}

void ContextGate::leave_counted() noexcept {
  if ((state_.fetch_sub(1) & closed) != 0) state_.notify_all();
}

}  // namespace runtime_sharing::detail
