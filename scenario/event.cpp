#include "scenario/event.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace scenario {

namespace {

namespace json = boost::json;

std::string at_byte(std::size_t offset) {
  return " at byte " + std::to_string(offset + 1);
}

/// Boost.JSON's words, where they would leave a stranger guessing.
Rejection unreadable(std::string_view line, std::size_t offset,
                     const boost::system::error_code& error) {
  if (line.starts_with("\xEF\xBB\xBF")) return {"begins with a byte-order mark"};
  if (error == json::error::too_deep) return {"nested deeper than 32 levels" + at_byte(offset)};
  if (error == json::error::exponent_overflow)
    return {"a number whose exponent is too large" + at_byte(offset)};
  return {"not valid JSON in UTF-8: " + error.message() + at_byte(offset)};
}

/// Copies a string member; false if there is none.
bool read_string(const json::object& object, std::string_view key, std::string& to) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return false;
  to = value->get_string();
  return true;
}

std::variant<Event, Rejection> to_event(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) return Rejection{"not a JSON object"};
  Event event;
  if (!read_string(*object, "room", event.room)) return Rejection{"no string 'room'"};
  if (!read_string(*object, "sender", event.sender)) return Rejection{"no string 'sender'"};
  if (!read_string(*object, "body", event.body)) return Rejection{"no string 'body'"};
  const json::value* ts = object->if_contains("ts");
  if (ts == nullptr) return Rejection{"no 'ts'"};
  if (!ts->is_int64()) return Rejection{"'ts' is no integer of 64 bits"};
  event.ts = ts->get_int64();
  return event;
}

}  // namespace

std::variant<Event, Rejection> parse_event(std::string_view line) {
  if (line.empty()) return Rejection{"empty line"};
  if (line.size() > max_line_bytes)
    return Rejection{"longer than " + std::to_string(max_line_bytes) + " bytes"};

  // On the stack, so that an ordinary line costs no allocation but the event's own strings.
  std::array<unsigned char, 4096> value_memory;
  std::array<unsigned char, 2048> parser_memory;
  json::monotonic_resource resource(value_memory.data(), value_memory.size());
  json::parser parser(json::storage_ptr(), json::parse_options(), parser_memory.data(),
                      parser_memory.size());
  parser.reset(&resource);

  boost::system::error_code error;
  const auto consumed = parser.write_some(line.data(), line.size(), error);
  if (!error && consumed < line.size()) error = json::error::extra_data;
  if (error) return unreadable(line, consumed, error);
  return to_event(parser.release());
}

void EventReader::feed(std::string_view bytes) {
  // Moving the rest to the front costs no more than what was taken off before it: linear in total.
  if (position_ > pending_.size() / 2) {
    pending_.erase(0, position_);
    scanned_ -= position_;
    position_ = 0;
  }
  pending_.append(bytes);
}

std::optional<Event> EventReader::next() {
  while (const auto line = next_line()) {
    auto parsed = parse_event(*line);
    if (auto* event = std::get_if<Event>(&parsed)) {
      ++tally_.accepted;
      return std::move(*event);
    }
    if (++tally_.rejected > 1) continue;
    tally_.first_rejected_line = tally_.lines();
    tally_.first_rejected_reason = std::get<Rejection>(parsed).reason;
  }
  return std::nullopt;
}

std::optional<std::string_view> EventReader::next_line() {
  const auto newline = pending_.find('\n', scanned_);
  const bool ends_here = newline != std::string::npos;
  const bool is_complete = ends_here || (finished_ && position_ < pending_.size());
  if (!is_complete) {
    // Of a line that is too long, no more is kept than what shows that it is.
    pending_.resize(std::min(pending_.size(), position_ + max_line_bytes + 2));
    scanned_ = pending_.size();
    return std::nullopt;
  }
  const auto end = std::min(newline, pending_.size());
  auto line = std::string_view(pending_).substr(position_, end - position_);
  position_ = scanned_ = ends_here ? end + 1 : end;
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace scenario
