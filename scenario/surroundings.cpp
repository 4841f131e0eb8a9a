#include "scenario/surroundings.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <stdlib.h>
#include <string>
#include <system_error>

namespace scenario {

namespace {

std::filesystem::path make_temporary_folder() {
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  if (error) throw std::system_error(error, "no folder for temporary files: set TMPDIR");
  std::string name = (parent / "runtime-sharing-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "cannot make the folder " + name);
  }
  return name;
}

}  // namespace

TemporaryFolder::TemporaryFolder() : path_(make_temporary_folder()) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) spdlog::warn("cannot remove {}: {}", path_.string(), error.message());
}

Surroundings::Surroundings(const Settings& chosen, Homeserver::AfterReplay after_replay)
    : settings(chosen),
      homeserver({.events = settings.events, .after_replay = after_replay, .trickle = false}),
      store(folder.path() / "messages.sqlite") {}

UiLoop::Clock::time_point Surroundings::next_sample_time(const Activity& activity) const {
  if (activity.samples_taken >= samples_per_session) return UiLoop::Clock::time_point::max();
  return UiLoop::Clock::now() + sample_period;
}

bool Surroundings::at_rest(const Activity& activity) const {
  return activity.waiting_for_server && activity.events_received > 0 &&
         activity.events_handled == activity.events_received &&
         activity.samples_taken == samples_per_session &&
         activity.samples_stored == samples_per_session - samples_per_session % batch_size;
}

}  // namespace scenario
