#pragma once

#include "runtime_sharing/detail/context_gate.hpp"
#include "runtime_sharing/detail/scope_state.hpp"
#include "runtime_sharing/detail/user_code.hpp"

#include <atomic>
#include <type_traits>
#include <utility>

namespace runtime_sharing::detail {

/// The gate of a runtime, which says once that somebody came too late.
class RuntimeGate : public ContextGate {
 public:
  explicit RuntimeGate(const ScopeTree& tree) noexcept : tree_(tree) {}
  void was_handed_over_too_late() noexcept;

 private:
  const ScopeTree& tree_;
  std::atomic<bool> has_warned_{false};
};

/// Posts from outside a runtime pass the gate of its context; after a shutdown they are dropped.
struct GatePolicy {
  template <typename Function>
  struct InUserCode {
    void operator()() {
      const UserCode user_code;
      std::move(function)();
    }
    Function function;
  };

  template <typename Inner, typename Function>
  void execute(const Inner& inner, Function&& function) const {
    if (const ContextGate::Entry entry(*gate); entry) {
      inner.execute(InUserCode<std::decay_t<Function>>{std::forward<Function>(function)});
    } else {
      gate->was_handed_over_too_late();
    }
  }

  friend bool operator==(const GatePolicy&, const GatePolicy&) = default;

  RuntimeGate* gate;  // valid as long as the context
};

}  // namespace runtime_sharing::detail
