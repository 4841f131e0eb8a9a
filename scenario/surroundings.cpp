#include "scenario/surroundings.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdlib>
#include <stdlib.h>
#include <string>
#include <system_error>

namespace scenario {

TemporaryFolder::TemporaryFolder() {
  const char* set = std::getenv("TMPDIR");
  const std::filesystem::path parent = set == nullptr || *set == '\0' ? "/tmp" : set;
  // mkdtemp() puts letters of its own in the place of the Xs.
  std::string name = (parent / "runtime-sharing-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make the folder " + name + " (set TMPDIR to another place)");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) spdlog::warn("cannot remove {}: {}", path_.string(), error.message());
}

Surroundings::Surroundings(const Settings& chosen, Homeserver::AfterReplay after_replay)
    : settings(chosen),
      homeserver(
          {.events = settings.events, .after_replay = after_replay, .on_failure = end_on_failure}),
      store(folder.path() / "messages.sqlite") {}

UiLoop::Clock::time_point Surroundings::next_sample_time(const Activity& activity) const {
  recording::waits_for("the next sample's time");
  if (activity.samples_taken >= samples_per_session) return UiLoop::Clock::time_point::max();
  return UiLoop::Clock::now() + sample_period;
}

bool Surroundings::at_rest(const Activity& activity, int pushed_events) const {
  const auto events = static_cast<std::int64_t>(settings.recorded.accepted) + pushed_events;
  return activity.waiting_for_server && activity.events_handled == events &&
         activity.samples_taken == samples_per_session &&
         activity.samples_stored == samples_per_session - samples_per_session % batch_size;
}

}  // namespace scenario
