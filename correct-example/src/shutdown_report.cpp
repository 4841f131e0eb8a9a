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
  const auto more = [&](std::size_t total, std::size_t named, const char* what) {
    if (total > named) stream << "\n  and " << total - named << " more " << what;
  };
  if (report.scope.empty()) {
    stream << "runtime '" << report.runtime << "', generation " << report.generation;
  } else {
    stream << report.scope;
  }
  stream << ": reached '" << to_string(report.reached) << "' in "
         << std::chrono::ceil<std::chrono::milliseconds>(report.took).count() << " ms\n  tasks "
         << report.tasks_total << ", stragglers " << report.stragglers_total << ", failures "
         << report.failures_total;
  if (report.threads_abandoned > 0) stream << ", threads abandoned " << report.threads_abandoned;
  for (const auto& straggler : report.stragglers) {
    stream << "\n  straggler '" << straggler.name << "' needed '" << to_string(straggler.needed)
           << '\'' << (straggler.destroyed ? ", frame destroyed" : "");
  }
  more(report.stragglers_total, report.stragglers.size(), "stragglers");
  for (const auto& failure : report.failures) {
    stream << "\n  failure '" << failure.name << "': " << failure.what;
  }
  more(report.failures_total, report.failures.size(), "failures");
  return stream;
}

}  // namespace runtime_sharing
