#include "scenario/event.hpp"

#include <boost/json/error.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <array>
#include <utility>

namespace scenario {

namespace {

namespace json = boost::json;

std::string at_byte(std::size_t offset) {
  return " at byte " + std::to_string(offset + 1);
}

Rejection overlong_line() {
  return {"longer than " + std::to_string(max_line_bytes) + " bytes"};
}

/// What may follow a lead byte: how many bytes, and the range of the first of them. The ranges
/// shut out overlong forms, surrogates and everything above U+10FFFF.
struct Utf8Lead {
  std::size_t followers = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
};

std::optional<Utf8Lead> utf8_lead(unsigned char byte) {
  if (byte < 0x80) return Utf8Lead{};
  if (byte >= 0xC2 && byte <= 0xDF) return Utf8Lead{1};
  if (byte == 0xE0) return Utf8Lead{2, 0xA0, 0xBF};
  if (byte == 0xED) return Utf8Lead{2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return Utf8Lead{2};
  if (byte == 0xF0) return Utf8Lead{3, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return Utf8Lead{3};
  if (byte == 0xF4) return Utf8Lead{3, 0x80, 0x8F};
  return std::nullopt;
}

/// The length of the code point at the front of `text`; 0 if it is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const auto lead = utf8_lead(byte(0));
  if (!lead || lead->followers >= text.size()) return 0;
  for (std::size_t i = 1; i <= lead->followers; ++i) {
    const bool first = i == 1;
    if (byte(i) < (first ? lead->low : 0x80) || byte(i) > (first ? lead->high : 0xBF)) return 0;
  }
  return 1 + lead->followers;
}

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t offset = 0; offset < text.size();) {
    const auto length = utf8_length(text.substr(offset));
    if (length == 0) return offset;
    offset += length;
  }
  return std::nullopt;
}

/// Boost.JSON refuses invalid UTF-8 as well, as one syntax error among others: a stranger is told
/// which of the two it is.
Rejection invalid_json(std::string_view line, std::size_t offset,
                       const boost::system::error_code& error) {
  if (const auto invalid = first_invalid_utf8(line)) return {"invalid UTF-8" + at_byte(*invalid)};
  if (error == json::error::too_deep) return {"nested too deeply" + at_byte(offset)};
  return {"not valid JSON: " + error.message() + at_byte(offset)};
}

/// Copies a string member; false if there is none.
bool read_string(const json::object& object, std::string_view key, std::string& to) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return false;
  to.assign(value->get_string().data(), value->get_string().size());
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
  if (ts->is_uint64()) return Rejection{"'ts' is too large"};
  if (!ts->is_int64()) return Rejection{"'ts' is not an integer"};
  event.ts = ts->get_int64();
  return event;
}

}  // namespace

std::variant<Event, Rejection> parse_event(std::string_view line) {
  if (line.empty()) return Rejection{"empty line"};
  if (line.size() > max_line_bytes) return overlong_line();

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
  if (error) return invalid_json(line, consumed, error);
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

void EventReader::finish() {
  finished_ = true;
}

std::optional<Event> EventReader::next() {
  while (const auto line = next_line()) {
    if (auto event = take_line(*line)) return event;
  }
  return std::nullopt;
}

std::optional<std::string_view> EventReader::next_line() {
  if (overlong_ && !skip_rest_of_line()) return std::nullopt;
  const auto newline = pending_.find('\n', scanned_);
  if (newline != std::string::npos) return cut(newline, newline + 1);
  scanned_ = pending_.size();
  if (finished_ && position_ < pending_.size()) return cut(pending_.size(), pending_.size());
  reject_if_overlong();
  return std::nullopt;
}

std::string_view EventReader::cut(std::size_t end, std::size_t next_line_begins) {
  auto line = std::string_view(pending_).substr(position_, end - position_);
  position_ = scanned_ = next_line_begins;
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool EventReader::skip_rest_of_line() {
  const auto newline = pending_.find('\n', scanned_);
  overlong_ = newline == std::string::npos;
  if (overlong_) {
    drop_pending();
    return false;
  }
  position_ = scanned_ = newline + 1;
  return true;
}

void EventReader::reject_if_overlong() {
  const auto line = std::string_view(pending_).substr(position_);
  const std::size_t carriage_return = line.ends_with('\r') ? 1 : 0;
  if (line.size() - carriage_return <= max_line_bytes) return;
  overlong_ = true;
  count(overlong_line());
  drop_pending();
}

void EventReader::drop_pending() {
  pending_.clear();
  position_ = scanned_ = 0;
}

std::optional<Event> EventReader::take_line(std::string_view line) {
  auto parsed = parse_event(line);
  if (const auto* rejection = std::get_if<Rejection>(&parsed)) {
    count(*rejection);
    return std::nullopt;
  }
  ++tally_.accepted;
  return std::get<Event>(std::move(parsed));
}

void EventReader::count(const Rejection& rejection) {
  ++tally_.rejected;
  if (tally_.rejected > 1) return;
  tally_.first_rejected_line = tally_.lines();
  tally_.first_rejected_reason = rejection.reason;
}

}  // namespace scenario
