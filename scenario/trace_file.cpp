#include "scenario/trace_file.hpp"

#include "scenario/recording.hpp"

#include <boost/json.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <deque>
#include <fstream>
#include <limits>
#include <map>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace scenario {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string words_of(int error) {
  return std::generic_category().message(error);
}

struct RawEvent {
  std::int64_t ns = 0;
  json::object members = {};

  std::string_view text(std::string_view name) const {
    const auto* const found = members.if_contains(name);
    return found != nullptr && found->is_string() ? std::string_view(found->get_string()) : "";
  }
  bool is(std::string_view phase, std::string_view category) const {
    return text("ph") == phase && text("cat") == category;
  }
  json::object& args() { return members["args"].as_object(); }
  std::string task() { return std::string(args().at("task").as_string()); }
};

struct RawRecording {
  std::vector<RawEvent> events = {};
  Dropped dropped = {};
};

/// A line that was not written to its end is a dropped event as well, and was counted as one.
RawRecording read_raw(const fs::path& raw_file) {
  RawRecording recording;
  std::ifstream stream(raw_file);
  std::string line;
  if (!std::getline(stream, line))
    throw std::runtime_error("no room for its events in " + raw_file.parent_path().string());
  const auto counted = json::parse(line).as_object();
  recording.dropped.events = counted.at("dropped").as_int64();
  const auto error = static_cast<int>(counted.at("error").as_int64());
  recording.dropped.reason =
      error != 0 ? words_of(error) : fmt::format("more than {} events", recording::most_events);
  while (std::getline(stream, line)) {
    json::error_code torn;
    auto value = json::parse(line, torn);
    if (torn || !value.is_object()) continue;
    auto& members = value.as_object();
    const std::int64_t ns = members.at("ns").as_int64();
    members.erase("ns");
    recording.events.push_back({ns, std::move(members)});
  }
  std::ranges::stable_sort(recording.events, {}, &RawEvent::ns);
  return recording;
}

/// Sets the turns right. A coroutine that resumes on another thread has been suspended before,
/// whenever the thread that it has left comes back from there: its turn ends where the next one
/// begins. And who has ended has done so in the turn that it began last.
void settle_turns(std::vector<RawEvent>& events) {
  struct Turn {
    std::string task;
    RawEvent* end = nullptr;
    std::int64_t latest_end_ns = std::numeric_limits<std::int64_t>::max();
    bool is_last = false;
  };
  std::deque<Turn> turns;
  std::map<std::int64_t, std::vector<Turn*>> of_thread;  // innermost last
  std::map<std::string, Turn*> of_task;                  // the one that it began last
  for (auto& event : events) {
    const auto thread = event.members.at("tid").as_int64();
    if (event.is("B", "turn")) {
      auto& turn = turns.emplace_back(Turn{event.task()});
      if (auto* const before = std::exchange(of_task[turn.task], &turn))
        before->latest_end_ns = event.ns - 1;
      of_thread[thread].push_back(&turn);
    } else if (event.is("E", "turn")) {
      of_thread[thread].back()->end = &event;
      of_thread[thread].pop_back();
    } else if (event.text("cat") == "task ended" || event.text("cat") == "destroyed") {
      const auto ended = of_task.extract(event.task());
      if (!ended.empty()) ended.mapped()->is_last = event.text("cat") == "task ended";
    }
  }
  for (auto& turn : turns) {
    if (turn.end == nullptr) continue;
    turn.end->ns = std::min(turn.end->ns, turn.latest_end_ns);
    turn.end->args()["ended"] = turn.is_last;
    if (turn.is_last) turn.end->args()["waits_for"] = "";
  }
  std::erase_if(events, [](const auto& event) { return event.text("cat") == "task ended"; });
  std::ranges::stable_sort(events, {}, &RawEvent::ns);
}

/// Numbers by first appearance, for what the child knows by its address. Who has gone may have left
/// the address to somebody else.
class Numbers {
 public:
  std::int64_t of(const std::string& address) {
    return numbers_.try_emplace(address, next_).second ? next_++ : numbers_.at(address);
  }
  void forget(const std::string& address) { numbers_.erase(address); }

 private:
  std::int64_t next_ = 1;
  std::map<std::string, std::int64_t> numbers_;
};

/// Writes the events in their final form, one a line.
class TraceWriter {
 public:
  TraceWriter(std::ostream& stream, std::int64_t begin_ns) : stream_(stream), begin_ns_(begin_ns) {}

  void write(RawEvent event) {
    auto& members = event.members;
    members["tid"] = threads_.of(std::to_string(members.at("tid").as_int64()));
    if (event.text("ph") == "M") {
      members = {{"ph", "M"},
                 {"tid", members["tid"]},
                 {"name", "thread_name"},
                 {"args", {{"name", members["name"]}}}};
    }
    if (event.text("ph") == "i") members["s"] = event.text("cat") == "outcome" ? "p" : "t";
    const auto kind = event.text("cat");
    if (kind == "turn") return write_turn(std::move(event));
    if (kind == "lock" || kind == "lock wait") number(event.args(), "lock", locks_);
    if (kind == "lock") number(event.args(), "task", tasks_);
    if (kind == "lock") members["id"] = event.args().at("lock");
    if (kind == "span") number_span(event);
    if (kind == "destroyed") {
      const auto address = event.task();
      number(event.args(), "task", tasks_);
      tasks_.forget(address);
    }
    put(event);
  }

 private:
  static void number(json::object& args, std::string_view what, Numbers& numbers) {
    auto& value = args[what];
    if (value.is_string()) value = numbers.of(std::string(value.as_string()));
  }

  void number_span(RawEvent& event) {
    const std::string address(event.text("id"));
    event.members["id"] = spans_.of(address);
    if (event.text("ph") == "e") spans_.forget(address);
  }

  void write_turn(RawEvent event) {
    const auto address = event.task();
    number(event.args(), "task", tasks_);
    const auto task = event.args().at("task").as_int64();
    RawEvent flow{event.ns,
                  {{"tid", event.members.at("tid")},
                   {"ph", "f"},
                   {"cat", "suspension"},
                   {"name", "suspended"},
                   {"id", task},
                   {"bp", "e"}}};
    if (event.text("ph") == "B") {
      put(event);
      if (std::erase(suspended_, task) > 0) put(flow);
      return;
    }
    if (event.args().at("ended").as_bool()) {
      tasks_.forget(address);
    } else {
      flow.members["ph"] = "s";
      flow.members.erase("bp");
      put(flow);
      suspended_.push_back(task);
    }
    put(event);
  }

  // By hand: Boost.JSON writes 1.5 as 1.5E0.
  void put(const RawEvent& event) {
    const auto us = static_cast<double>(event.ns - begin_ns_) / 1000;
    stream_ << fmt::format(",\n{{\"ts\":{:.3f},\"pid\":1", us);
    for (const auto* const name : {"tid", "ph", "cat", "name", "id", "bp", "s", "args"})
      if (const auto* const value = event.members.if_contains(name))
        stream_ << fmt::format(",\"{}\":{}", name, json::serialize(*value));
    stream_ << '}';
  }

  std::ostream& stream_;
  const std::int64_t begin_ns_;
  Numbers threads_;
  Numbers tasks_;
  Numbers locks_;
  Numbers spans_;
  std::vector<std::int64_t> suspended_;
};

void write_to(std::ostream& stream, RawRecording& raw, const std::string& program,
              const Report& report) {
  settle_turns(raw.events);
  json::object other{
      {"format", "asio-runtime-sharing recording 1"}, {"program", program},
      {"experiment", report.experiment.name},         {"outcome", nullptr},
      {"as_documented", report.as_documented()},      {"dropped", raw.dropped.events}};
  if (report.observed) other["outcome"] = to_string(*report.observed);
  stream << "{\"displayTimeUnit\":\"ms\",\n\"otherData\":" << json::serialize(other)
         << ",\n\"traceEvents\":[\n"
         << json::serialize(
                json::object{{"ph", "M"},
                             {"pid", 1},
                             {"name", "process_name"},
                             {"args", {{"name", program + " " + report.experiment.name}}}});
  TraceWriter writer(stream, raw.events.empty() ? 0 : raw.events.front().ns);
  for (auto& event : raw.events) writer.write(std::move(event));
  stream << "\n]}\n";
}

/// What cannot be replaced, a device or a pipe, is written to where it is.
fs::path place_to_write(const fs::path& file) {
  if (fs::is_directory(file)) throw std::runtime_error("it is a directory");
  if (fs::exists(file) && !fs::is_regular_file(file)) return file;
  return file.string() + ".part-" + std::to_string(::getpid());
}

}  // namespace

Dropped write_trace(const fs::path& raw_file, const fs::path& file, const std::string& program,
                    const Report& report) {
  auto raw = read_raw(raw_file);
  const fs::path target = fs::exists(file) ? fs::canonical(file) : file;
  const auto place = place_to_write(target);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is told by the stream
  errno = 0;
  std::ofstream stream(place, std::ios::binary);
  if (stream) write_to(stream, raw, program, report);
  stream.close();
  const int error = stream ? 0 : errno;
  std::error_code renamed;
  if (stream && place != target) fs::rename(place, target, renamed);
  if (!stream || renamed) {
    std::error_code ignored;
    if (place != target) fs::remove(place, ignored);
    throw std::runtime_error(renamed ? renamed.message() : words_of(error));
  }
  return raw.dropped;
}

}  // namespace scenario
