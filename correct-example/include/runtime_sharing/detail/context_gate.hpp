#pragma once

// The way into an execution context that is shut down while others still hold its executor.
//
// Asio destroys what is suspended in a context without a lock, because nobody may use a context
// that ends. Owners of a shared runtime do: a component posts to it from another thread at the very
// moment of the logout. So whoever comes from outside passes this gate. While somebody is inside,
// nothing is destroyed; once the gate is closed, what is handed over is dropped where it stands.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace runtime_sharing::detail {

class ContextGate {
 public:
  ContextGate() = default;
  ContextGate(const ContextGate&) = delete;
  ContextGate& operator=(const ContextGate&) = delete;

  /// Being inside, for a moment. False in a boolean context: the gate is closed.
  class Entry {
   public:
    explicit Entry(ContextGate& gate) noexcept : gate_(gate.enter() ? &gate : nullptr) {}
    ~Entry() {
      if (gate_) gate_->leave();
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    explicit operator bool() const noexcept { return gate_ != nullptr; }

   private:
    ContextGate* gate_;
  };

  /// A thread that runs the context is inside all the time, so each of its posts costs nothing. The
  /// owner of the gate closes it after the last such thread has left the context.
  class Resident {
   public:
    /// `number`: from 1, to tell the residents of one gate from each other.
    Resident(const ContextGate& gate, std::size_t number) noexcept;
    ~Resident();
    Resident(const Resident&) = delete;
    Resident& operator=(const Resident&) = delete;

   private:
    friend class ContextGate;

    const ContextGate& gate_;
    const std::size_t number_;
    const Resident* const before_;
  };

  /// Lets nobody in any more and waits until those inside are out. They only post: it is short.
  void close() noexcept;

  /// The number of the Resident of this gate on this thread; 0 if there is none.
  std::size_t resident_here() const noexcept;

  bool is_closed() const noexcept { return (state_.load() & closed) != 0; }

 private:
  static constexpr std::uint64_t closed = std::uint64_t{1} << 63;

  bool enter() noexcept;
  void leave() noexcept;
  void leave_counted() noexcept;

  std::atomic<std::uint64_t> state_{0};  // the closed bit, and how many are inside
};

}  // namespace runtime_sharing::detail
