#include "scenario/surroundings.hpp"

#include "scenario/event.hpp"

#include <fstream>
#include <system_error>
#include <vector>

namespace scenario {

namespace {

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
