#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace scenario {

/// One message that the homeserver pushes to a signed-in user.
struct Event {
  std::string room;
  std::string sender;
  std::int64_t ts = 0;  ///< milliseconds since the Unix epoch
  std::string body;

  friend bool operator==(const Event&, const Event&) = default;
};

/// Why a line is not an event, in words that a stranger understands.
struct Rejection {
  std::string reason;
};

/// The longest line that can be an event, in bytes, without its line ending.
inline constexpr std::size_t max_line_bytes = 64 * 1024;

/// Reads one line, without its line ending: one JSON object, in UTF-8 and at most 32 levels deep,
/// with string `room`, `sender`, `body` and integer `ts`; what other keys hold is ignored, but must
/// be JSON whose numbers a double can hold. Never throws on bad input, whatever the bytes.
std::variant<Event, Rejection> parse_event(std::string_view line);

/// How many lines became events and how many did not. accepted + rejected = lines, always.
struct EventTally {
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;
  std::uint64_t first_rejected_line = 0;  ///< counted from 1; 0: none was rejected
  std::string first_rejected_reason;

  std::uint64_t lines() const noexcept { return accepted + rejected; }
};

/// Cuts a stream of bytes, in chunks of any size, into lines and the lines into events.
/// Called until it says nullopt after each feed(), next() keeps what is held to a line of
/// max_line_bytes, as much again, and the last chunk, however long the stream is.
/// Not thread-safe: one reader owns it.
class EventReader {
 public:
  /// Takes the next bytes of the stream.
  void feed(std::string_view bytes);

  /// Says that the stream has ended: what follows the last newline is a line too, if not empty.
  void finish() noexcept { finished_ = true; }
  bool finished() const noexcept { return finished_; }

  /// The next accepted event among what was fed; nullopt when more bytes are needed.
  /// Rejected lines on the way are counted in tally().
  std::optional<Event> next();

  const EventTally& tally() const noexcept { return tally_; }

 private:
  std::optional<std::string_view> next_line();

  std::string pending_;       // fed and not yet cut off
  std::size_t position_ = 0;  // where the next line begins in pending_
  std::size_t scanned_ = 0;   // up to here no line ending was found: never looked at twice
  bool finished_ = false;
  EventTally tally_;
};

}  // namespace scenario
