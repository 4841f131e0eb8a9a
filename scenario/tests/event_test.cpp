#include "scenario/event.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace scenario {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string good_line =
    R"({"room":"#a:example.org","sender":"@ana:example.org","ts":1718003521000,"body":"hello"})";

Event good_event() {
  return {"#a:example.org", "@ana:example.org", 1718003521000, "hello"};
}

/// A valid line of exactly `bytes` bytes.
std::string line_of(std::size_t bytes) {
  const std::string head = R"({"room":"r","sender":"s","ts":1,"body":")";
  const std::string tail = R"("})";
  return head + std::string(bytes - head.size() - tail.size(), 'x') + tail;
}

std::string reason_of(std::string_view line) {
  const auto parsed = parse_event(line);
  const auto* rejection = std::get_if<Rejection>(&parsed);
  return rejection == nullptr ? "accepted" : rejection->reason;
}

std::vector<Event> drain(EventReader& reader) {
  std::vector<Event> events;
  while (auto event = reader.next()) events.push_back(*std::move(event));
  return events;
}

std::vector<Event> read_in_chunks(EventReader& reader, std::string_view stream, std::size_t chunk) {
  std::vector<Event> events;
  for (; !stream.empty(); stream.remove_prefix(std::min(chunk, stream.size()))) {
    reader.feed(stream.substr(0, chunk));
    for (auto& event : drain(reader)) events.push_back(std::move(event));
  }
  reader.finish();
  for (auto& event : drain(reader)) events.push_back(std::move(event));
  return events;
}

TEST(ParseEvent, AcceptsAnObjectWithTheFourKeys) {
  const auto parsed = parse_event(good_line);

  ASSERT_TRUE(std::holds_alternative<Event>(parsed));
  EXPECT_EQ(std::get<Event>(parsed), good_event());
}

TEST(ParseEvent, IgnoresOtherKeysAndTheOrderOfKeys) {
  const auto parsed =
      parse_event(R"( {"body":"hello","x":{"deep":[1,2.5,null]},"ts":1718003521000,)"
                  R"("sender":"@ana:example.org","y":true,"room":"#a:example.org"} )");

  ASSERT_TRUE(std::holds_alternative<Event>(parsed));
  EXPECT_EQ(std::get<Event>(parsed), good_event());
}

TEST(ParseEvent, AcceptsTheWholeRangeOfTimestamps) {
  for (const auto ts : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::int64_t{0},
                        std::numeric_limits<std::int64_t>::max()}) {
    const auto parsed =
        parse_event(R"({"room":"","sender":"","body":"","ts":)" + std::to_string(ts) + "}");

    ASSERT_TRUE(std::holds_alternative<Event>(parsed)) << ts;
    EXPECT_EQ(std::get<Event>(parsed).ts, ts);
  }
}

TEST(ParseEvent, KeepsEscapedAndNonAsciiText) {
  const auto parsed =
      parse_event(R"({"room":"r","sender":"s","ts":1,"body":"\u00bd \ud834\udd1e \"\n\u0000 木"})");

  ASSERT_TRUE(std::holds_alternative<Event>(parsed));
  EXPECT_EQ(std::get<Event>(parsed).body,
            std::string("\xC2\xBD \xF0\x9D\x84\x9E \"\n\0 \xE6\x9C\xA8", 15));
}

TEST(ParseEvent, SaysWhatIsMissingOrOfTheWrongType) {
  EXPECT_EQ(reason_of(""), "empty line");
  EXPECT_EQ(reason_of("[1]"), "not a JSON object");
  EXPECT_EQ(reason_of("42"), "not a JSON object");
  EXPECT_EQ(reason_of(R"({"sender":"s","ts":1,"body":"b"})"), "no string 'room'");
  EXPECT_EQ(reason_of(R"({"room":7,"sender":"s","ts":1,"body":"b"})"), "no string 'room'");
  EXPECT_EQ(reason_of(R"({"room":"r","ts":1,"body":"b"})"), "no string 'sender'");
  EXPECT_EQ(reason_of(R"({"room":"r","sender":null,"ts":1,"body":"b"})"), "no string 'sender'");
  EXPECT_EQ(reason_of(R"({"room":"r","sender":"s","ts":1,"body":["b"]})"), "no string 'body'");
  EXPECT_EQ(reason_of(R"({"room":"r","sender":"s","body":"b"})"), "no 'ts'");
  EXPECT_EQ(reason_of(R"({"room":"r","sender":"s","ts":"1","body":"b"})"),
            "'ts' is no integer of 64 bits");
}

TEST(ParseEvent, RefusesNumbersThatAreNoIntegerOf64Bits) {
  for (const std::string ts : {"1.0", "1e3", "-9223372036854775809", "18446744073709551616"}) {
    EXPECT_EQ(reason_of(R"({"room":"r","sender":"s","body":"b","ts":)" + ts + "}"),
              "'ts' is no integer of 64 bits")
        << ts;
  }
  EXPECT_EQ(reason_of(R"({"room":"r","sender":"s","body":"b","ts":9223372036854775808})"),
            "'ts' is no integer of 64 bits");
}

TEST(ParseEvent, SaysAtWhichByteTheJsonEnds) {
  EXPECT_THAT(reason_of(R"({"room" "r"})"), StartsWith("not valid JSON in UTF-8: "));
  EXPECT_THAT(reason_of(R"({"room" "r"})"), HasSubstr("at byte 9"));
  EXPECT_THAT(reason_of(good_line + "x"),
              HasSubstr("at byte " + std::to_string(good_line.size() + 1)));
  EXPECT_THAT(reason_of(R"({"room":)"), StartsWith("not valid JSON in UTF-8: incomplete"));
  EXPECT_THAT(reason_of("   "), StartsWith("not valid JSON in UTF-8: incomplete"));
}

TEST(ParseEvent, RefusesInvalidUtf8Anywhere) {
  const std::vector<std::string> invalid = {"\x80",              // a follower without a lead
                                            "\xC3",              // a lead without a follower
                                            "\xC0\xAF",          // overlong '/'
                                            "\xE0\x80\xAF",      // overlong, three bytes
                                            "\xED\xA0\x80",      // a surrogate
                                            "\xF4\x90\x80\x80",  // above U+10FFFF
                                            "\xFF"};
  for (const auto& bytes : invalid) {
    EXPECT_EQ(reason_of(R"({"room":"r","sender":"s","ts":1,"body":")" + bytes + R"("})"),
              "not valid JSON in UTF-8: syntax error at byte 41");
    EXPECT_EQ(reason_of(R"({"ignored":")" + bytes + R"("})"),
              "not valid JSON in UTF-8: syntax error at byte 13");
    EXPECT_EQ(reason_of(bytes), "not valid JSON in UTF-8: syntax error at byte 1");
  }
}

TEST(ParseEvent, SaysWhatAStrangerWouldNotGuess) {
  EXPECT_EQ(reason_of("\xEF\xBB\xBF" + good_line), "begins with a byte-order mark");
  // Later versions of Boost read such a number.
  EXPECT_THAT(
      reason_of(R"({"ignored":0e99999999999})"),
      AnyOf(StartsWith("a number whose exponent is too large at byte "), "no string 'room'"));
}

TEST(ParseEvent, RefusesAnEscapedHalfOfASurrogatePair) {
  EXPECT_THAT(reason_of(R"({"room":"r","sender":"s","ts":1,"body":"\ud834"})"),
              StartsWith("not valid JSON in UTF-8: "));
}

TEST(ParseEvent, RefusesDeepNestingWithoutCrashing) {
  const std::string deep(60'000, '[');

  EXPECT_THAT(reason_of(deep), StartsWith("nested deeper than 32 levels at byte "));
  EXPECT_THAT(reason_of(R"({"x":)" + deep), StartsWith("nested deeper than 32 levels at byte "));
}

TEST(ParseEvent, SurvivesRandomBytes) {
  std::minstd_rand random(1);
  std::string line;
  for (int round = 0; round < 20'000; ++round) {
    line = good_line;
    for (int change = 0; change < 3; ++change) {
      line[random() % line.size()] = static_cast<char>(random() % 256);
    }

    const auto parsed = parse_event(line);

    if (const auto* rejection = std::get_if<Rejection>(&parsed)) {
      ASSERT_FALSE(rejection->reason.empty());
    }
  }
}

TEST(EventReader, CountsNoLineInAnEmptyStream) {
  EventReader reader;

  reader.feed("");
  reader.finish();

  EXPECT_EQ(reader.next(), std::nullopt);
  EXPECT_EQ(reader.tally().lines(), 0u);
}

TEST(EventReader, CountsALineWithoutFinalNewline) {
  EventReader reader;
  reader.feed(good_line + "\n" + good_line);
  EXPECT_EQ(drain(reader).size(), 1u);

  reader.finish();

  EXPECT_EQ(drain(reader).size(), 1u);
  EXPECT_EQ(reader.tally().accepted, 2u);
}

TEST(EventReader, ReadsTheSameFromChunksOfAnySize) {
  const std::string stream = good_line + "\r\n\nbad\n" + good_line + "\n" + line_of(70'000) + "\n" +
                             line_of(max_line_bytes) + "\r\n{}\n" + good_line;
  for (const std::size_t chunk : {1u, 2u, 7u, 4096u, 65'536u, 1'000'000u}) {
    EventReader reader;

    const auto events = read_in_chunks(reader, stream, chunk);

    EXPECT_EQ(events.size(), 4u) << chunk;
    EXPECT_EQ(reader.tally().accepted, 4u) << chunk;
    EXPECT_EQ(reader.tally().rejected, 4u) << chunk;
    EXPECT_EQ(reader.tally().first_rejected_line, 2u) << chunk;
    EXPECT_EQ(reader.tally().first_rejected_reason, "empty line") << chunk;
  }
}

TEST(EventReader, DropsOneTrailingCarriageReturn) {
  EventReader reader;

  const auto events = read_in_chunks(reader, good_line + "\r\n\r\n" + good_line + "\r", 5);

  EXPECT_THAT(events, ::testing::ElementsAre(good_event(), good_event()));
  EXPECT_EQ(reader.tally().first_rejected_line, 2u);
  EXPECT_EQ(reader.tally().first_rejected_reason, "empty line");
}

TEST(EventReader, AcceptsALineOfExactlyTheLimit) {
  EventReader with_newline;
  EventReader with_carriage_return;
  EventReader at_the_end;

  read_in_chunks(with_newline, line_of(max_line_bytes) + "\n", 1000);
  read_in_chunks(with_carriage_return, line_of(max_line_bytes) + "\r\n", 1);
  read_in_chunks(at_the_end, line_of(max_line_bytes), 1000);

  EXPECT_EQ(with_newline.tally().accepted, 1u);
  EXPECT_EQ(with_carriage_return.tally().accepted, 1u);
  EXPECT_EQ(at_the_end.tally().accepted, 1u);
}

TEST(EventReader, RejectsALineOfOneByteMoreAndReadsOn) {
  for (const std::size_t chunk : {1u, 1000u, 200'000u}) {
    EventReader reader;

    const auto events =
        read_in_chunks(reader, line_of(max_line_bytes + 1) + "\n" + good_line + "\n", chunk);

    EXPECT_THAT(events, ::testing::ElementsAre(good_event()));
    EXPECT_EQ(reader.tally().rejected, 1u);
    EXPECT_EQ(reader.tally().first_rejected_reason, "longer than 65536 bytes");
  }
}

TEST(EventReader, RejectsAnEndlessLineOnce) {
  EventReader reader;
  const std::string chunk(100'000, 'x');

  for (int i = 0; i < 50; ++i) {
    reader.feed(chunk);
    EXPECT_EQ(reader.next(), std::nullopt);
  }
  reader.finish();

  EXPECT_EQ(reader.next(), std::nullopt);
  EXPECT_EQ(reader.tally().lines(), 1u);
  EXPECT_EQ(reader.tally().rejected, 1u);
}

TEST(EventReader, RemembersTheFirstRejectedLineOnly) {
  EventReader reader;

  read_in_chunks(reader, good_line + "\n[]\n\n" + good_line + "\n", 3);

  EXPECT_EQ(reader.tally().lines(), 4u);
  EXPECT_EQ(reader.tally().rejected, 2u);
  EXPECT_EQ(reader.tally().first_rejected_line, 2u);
  EXPECT_EQ(reader.tally().first_rejected_reason, "not a JSON object");
}

TEST(EventReader, AcceptsEveryLineOfTheShippedSample) {
  std::ifstream file(std::filesystem::path(TEST_SOURCE_DIR) / "scenario/data/events.ndjson");
  const std::string stream(std::istreambuf_iterator<char>(file), {});
  EventReader reader;

  read_in_chunks(reader, stream, 4096);

  EXPECT_EQ(reader.tally().accepted, 60u);
  EXPECT_EQ(reader.tally().rejected, 0u) << reader.tally().first_rejected_reason;
}

}  // namespace
}  // namespace scenario
