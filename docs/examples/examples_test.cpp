// What the primer and the dictionary print is what their pages say, and each row leads to its
// lines.
#include "scenario/child_process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;

const std::filesystem::path docs = std::filesystem::path(TEST_SOURCE_DIR) / "docs";

std::vector<std::string> lines_of(std::istream&& text) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

Facts facts_of(const std::string& program) {
  const auto child = scenario::run_child(std::filesystem::path(TEST_BINARY_DIR) / program, {});
  EXPECT_EQ(child.exit_code, 0) << child.err;
  EXPECT_EQ(child.err, "");
  Facts facts;
  for (const auto& line : lines_of(std::istringstream(child.out))) {
    const auto blank = line.find(' ');
    facts.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  }
  return facts;
}

/// "dictionary_tasks.cpp" -> "join-set" -> the number of its line `// [join-set]`.
std::map<std::string, std::map<std::string, std::size_t>> tags_of_the_dictionary() {
  std::map<std::string, std::map<std::string, std::size_t>> tags;
  const std::regex begin(R"(// \[(\w[\w-]*)\])");
  for (const auto& entry : std::filesystem::directory_iterator(docs / "examples")) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with("dictionary")) continue;
    const auto lines = lines_of(std::ifstream(entry.path()));
    for (std::size_t number = 1; number <= lines.size(); ++number) {
      if (std::smatch found; std::regex_match(lines[number - 1], found, begin))
        tags[name][found[1]] = number;
    }
  }
  return tags;
}

/// Each link of the page into the examples: the text, the file, the line.
struct Link {
  std::string tag;
  std::string file;
  std::size_t line;
};
std::vector<Link> links_of_the_dictionary() {
  std::ifstream page(docs / "dictionary.md");
  const std::string text{std::istreambuf_iterator<char>(page), {}};
  const std::regex link(R"(\[([\w-]+)\]\(examples/(\w+\.[ch]pp)#L(\d+)\))");
  std::vector<Link> links;
  for (std::sregex_iterator found(text.begin(), text.end(), link), end; found != end; ++found)
    links.push_back({(*found)[1], (*found)[2], std::stoul((*found)[3])});
  return links;
}

TEST(Primer, PrintsWhatEachOfTheFivePiecesObserved) {
  EXPECT_EQ(facts_of("primer"), (Facts{{"executor", "queued run"},
                                       {"strand", "1000"},
                                       {"completion_token", "3"},
                                       {"awaitable", "made, started, 42"},
                                       {"cancellation_slot", "Operation canceled"}}));
}

TEST(Dictionary, PrintsWhatEachRowSays) {
  const Facts expected = {
      {"tokio_main", "42"},
      {"worker_threads", "4"},
      {"current_thread", "yes"},
      {"arc_runtime", "refused"},
      {"once_lock", "1"},
      {"option_take", "2"},
      {"no_reactor", "no"},
      {"tokio_test", "1"},
      {"spawn_blocking", "49"},
      {"std_async", "49"},
      {"thread_sleep", "yes"},
      {"drop_runtime", "1"},
      {"shutdown_timeout", "deaf: interrupt"},
      {"drain", "yes"},
      {"drop_sender", "yes"},
      {"drop_join_set", "yes"},
      {"spawn", "spawned, run"},
      {"fire_and_forget", "nobody heard"},
      {"join_handle", "42"},
      {"join_error", "failed"},
      {"join_set", "10"},
      {"join_next", "25"},
      {"async_await", "made, run"},
      {"select", "the loser ends, won by 1"},
      {"join", "failed, 42"},
      {"try_join", "waits, told, failed"},
      {"pin", "yes"},
      {"static_bound", "as given"},
      {"token_clone", "yes"},
      {"stop_token", "yes"},
      {"cancelled", "operation_aborted"},
      {"select_cancelled", "cancelled"},
      {"dropped_future", "waits, gone"},
      {"abort", "waits, told, ended"},
      {"arc", "2"},
      {"std_mutex", "6"},
      {"poisoned", "half a change"},
      {"mutex_guard", "rows held"},
      {"async_mutex", "1"},
      {"semaphore", "3"},
      {"counting_semaphore", "3"},
      {"bounded_scope", "no"},
      {"rw_lock", "reads, does not write"},
      {"snapshot", "1"},
      {"duration", "yes"},
      {"sleep", "yes"},
      {"timeout", "waits, told, timed out"},
      {"interval", "yes"},
      {"mpsc", "6"},
      {"full_channel", "2"},
      {"unbounded_channel", "10000"},
      {"recv_none", "channel_closed"},
      {"oneshot", "42"},
      {"std_promise", "42"},
      {"broadcast", "20"},
      {"watch", "20"},
      {"atomic_wait", "20"},
      {"std_mpsc", "42"},
      {"read", "5"},
      {"read_line", "4 of 8"},
      {"copy", "5"},
      {"read_to_string", "dictionary"},
      {"ctrl_c", "2"},
      {"after_ctrl_c", "ends the process"},
  };

  EXPECT_EQ(facts_of("dictionary"), expected);
}

TEST(Dictionary, HasALinkToTheLineOfEachExampleAndToNothingElse) {
  const auto tags = tags_of_the_dictionary();

  auto unnamed = tags;
  for (const auto& [tag, file, line] : links_of_the_dictionary()) {
    ASSERT_TRUE(tags.contains(file) && tags.at(file).contains(tag)) << tag << " in " << file;
    EXPECT_EQ(line, tags.at(file).at(tag)) << "the line of '" << tag << "' in " << file;
    unnamed[file].erase(tag);
  }

  for (const auto& [file, left] : unnamed) {
    for (const auto& [tag, line] : left) ADD_FAILURE() << "no row for " << file << " " << tag;
  }
}

TEST(Dictionary, RunsEachExample) {
  std::vector<std::string> names;
  for (const auto& [name, value] : facts_of("dictionary")) names.push_back(name);

  std::vector<std::string> tags;
  for (const auto& [file, in_file] : tags_of_the_dictionary()) {
    for (const auto& [tag, line] : in_file) std::ranges::replace(tags.emplace_back(tag), '-', '_');
  }

  EXPECT_THAT(names, testing::UnorderedElementsAreArray(tags));
}

}  // namespace
