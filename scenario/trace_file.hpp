// The recording of a run, made of what its child has written: docs/recordings/README.md.
#pragma once

#include "scenario/output.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace scenario {

/// What is not in a recording.
struct Dropped {
  std::int64_t events = 0;
  std::string reason = {};  ///< in words
};

/// Turns the raw file of recording::start() into a JSON object in Chrome's trace-event form, with
/// the verdict of its experiment. A regular file is written beside its place and renamed, so that
/// there is the whole recording or what was there before. Throws std::runtime_error with the
/// reason.
Dropped write_trace(const std::filesystem::path& raw_file, const std::filesystem::path& file,
                    const std::string& program, const Report& report);

}  // namespace scenario
