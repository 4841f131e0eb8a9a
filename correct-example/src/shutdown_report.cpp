#include "runtime_sharing/shutdown_report.hpp"

#include <ostream>

namespace runtime_sharing {

std::string_view to_string(Rung rung) noexcept {
  switch (rung) {
    case Rung::stop_accepting:
      return "stop accepting";
    case Rung::tell:
      return "tell";
    case Rung::wait:
      return "wait";
    case Rung::interrupt:
      return "interrupt";
    case Rung::stop:
      return "stop";
    case Rung::abandon:
      return "abandon";
  }
  return "unknown rung";
}

std::ostream& operator<<(std::ostream& stream, Rung rung) {
  return stream << to_string(rung);
}

std::ostream& operator<<(std::ostream& stream, const ShutdownReport& report) {
  stream << "runtime '" << report.runtime << "', generation " << report.generation << ": reached '"
         << to_string(report.reached) << "'\n  tasks " << report.tasks_total << ", stragglers "
         << report.stragglers.size() << ", failures " << report.failures_total;
  for (const auto& straggler : report.stragglers) {
    stream << "\n  straggler '" << straggler.name << "' needed '" << to_string(straggler.needed)
           << '\'' << (straggler.destroyed ? ", frame destroyed" : "");
  }
  for (const auto& failure : report.failures) {
    stream << "\n  failure '" << failure.name << "': " << failure.what;
  }
  return stream;
}

}  // namespace runtime_sharing
