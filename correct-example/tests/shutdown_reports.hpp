// What the tests of a shutdown expect of its report.
#pragma once

#include "runtime_sharing/shutdown_report.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <ostream>
#include <string>
#include <utility>

namespace runtime_sharing {

inline void PrintTo(const Straggler& straggler, std::ostream* stream) {
  *stream << straggler.name << " needed " << to_string(straggler.needed);
}

}  // namespace runtime_sharing

/// For a task that is deaf to its token.
inline constexpr runtime_sharing::Deadlines quick{std::chrono::milliseconds(20),
                                                  std::chrono::seconds(2), std::chrono::seconds(2)};

inline auto needing(std::string name, runtime_sharing::Rung rung) {
  using runtime_sharing::Straggler;
  return testing::AllOf(testing::Field(&Straggler::name, std::move(name)),
                        testing::Field(&Straggler::needed, rung));
}
