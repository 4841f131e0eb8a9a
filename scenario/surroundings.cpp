#include "scenario/surroundings.hpp"

#include "scenario/event.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <fstream>
#include <stdlib.h>
#include <string>
#include <system_error>
#include <vector>

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

/// Reads no further than to the first line that is an event.
bool holds_an_event(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> bytes(max_line_bytes);
  EventReader reader;
  while (!reader.finished()) {
    stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    reader.feed({bytes.data(), static_cast<std::size_t>(stream.gcount())});
    if (!stream) reader.finish();
    if (reader.next()) return true;
  }
  return false;
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
      store(folder.path() / "messages.sqlite"),
      events_to_come_(holds_an_event(settings.events)) {}

UiLoop::Clock::time_point Surroundings::next_sample_time(const Activity& activity) const {
  if (activity.samples_taken >= samples_per_session) return UiLoop::Clock::time_point::max();
  return UiLoop::Clock::now() + sample_period;
}

bool Surroundings::at_rest(const Activity& activity) const {
  const bool events_have_come = activity.events_received > 0;
  return activity.waiting_for_server && (events_have_come || !events_to_come_) &&
         activity.events_handled == activity.events_received &&
         activity.samples_taken == samples_per_session &&
         activity.samples_stored == samples_per_session - samples_per_session % batch_size;
}

}  // namespace scenario
